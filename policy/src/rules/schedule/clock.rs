//! Times of day and zones as people write them: `2 AM`, `14:30`, `02:00 UTC`.

/// Hours and minutes that a text names.
pub fn times(text: &str) -> Vec<(u32, u32)> {
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    if lower.contains("midnight") {
        found.push((0, 0));
    }
    let words: Vec<&str> = lower
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'))
        .filter(|word| !word.is_empty())
        .collect();
    for (index, word) in words.iter().enumerate() {
        let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let half = match word.get(digits.len()..) {
            Some("") => words.get(index + 1).copied().filter(|next| matches!(*next, "am" | "pm")),
            suffix => suffix.filter(|suffix| matches!(*suffix, "am" | "pm")),
        };
        let mut parts = digits.split(':').map(str::parse::<u32>);
        let (Some(Ok(hour)), minute) = (parts.next(), parts.next()) else { continue };
        let minute = match (minute, half) {
            (Some(Ok(minute)), _) => minute,
            (None, Some(_)) => 0,
            _ => continue,
        };
        let hour = match half {
            Some("am") => hour % 12,
            Some("pm") => hour % 12 + 12,
            _ => hour,
        };
        if hour < 24 && minute < 60 {
            found.push((hour, minute));
        }
    }
    found
}

/// The zone that a text names; UTC where it names more than one.
pub fn zone_in(text: &str) -> Option<&'static str> {
    const ZONES: [(&str, &str); 26] = [
        ("utc", "UTC"),
        ("gmt", "UTC"),
        ("est", "EST"),
        ("edt", "EDT"),
        ("pst", "PST"),
        ("pdt", "PDT"),
        ("cst", "CST"),
        ("cdt", "CDT"),
        ("mst", "MST"),
        ("cet", "CET"),
        ("cest", "CEST"),
        ("bst", "BST"),
        ("ist", "IST"),
        ("jst", "JST"),
        ("kst", "KST"),
        ("aest", "AEST"),
        ("msk", "MSK"),
        ("eastern", "US Eastern time"),
        ("pacific", "US Pacific time"),
        ("central", "US Central time"),
        ("berlin", "Berlin"),
        ("paris", "Paris"),
        ("london", "London"),
        ("tokyo", "Tokyo"),
        ("beijing", "Beijing"),
        ("istanbul", "Istanbul"),
    ];
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(|c: char| !c.is_ascii_alphabetic()).collect();
    ZONES.iter().find(|(word, _)| words.contains(word)).map(|(_, zone)| *zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_are_read() {
        for (text, wanted) in [
            ("Daily at 2:00 AM UTC", vec![(2, 0)]),
            ("runs daily at 2 AM", vec![(2, 0)]),
            ("12:00 AM on the 1st", vec![(0, 0)]),
            ("at 9pm or 14:30", vec![(21, 0), (14, 30)]),
            ("midnight", vec![(0, 0)]),
            ("every 6 hours, 30 days, port 5432, 25:00", vec![]),
            ("*-*-* 02:00:00", vec![(2, 0)]),
        ] {
            assert_eq!(times(text), wanted, "{text}");
        }
        assert_eq!(zone_in("2 AM UTC (9 PM Central)"), Some("UTC"));
        assert_eq!(zone_in("the latest test"), None);
    }
}
