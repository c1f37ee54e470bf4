//! Lengths of time and tiers as people write them in prose, tables and comments.
//!
//! Text in, places and values out. Nothing is guessed: a number without a unit is
//! no length of time.

use std::ops::Range;

use crate::units::{Days, Period, Unit};

/// What a text says about how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    Period(Period),
    /// "indefinitely", "forever".
    Forever,
    /// "3 versions", "keep the last 5".
    Copies(u32),
}

impl Amount {
    /// Days, with months and years at their mean; none for a count of copies.
    pub fn days(self) -> Option<Days> {
        match self {
            Self::Period(period) => Some(Days::of_seconds(period.nominal_seconds())),
            Self::Forever => Some(Days(f64::INFINITY)),
            Self::Copies(_) => None,
        }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Period(period) => period.fmt(f),
            Self::Forever => f.write_str("for ever"),
            Self::Copies(count) => write!(f, "{count} copies"),
        }
    }
}

/// How often a backup of a kind is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    Hourly,
    Daily,
    Weekly,
    Monthly,
    Quarterly,
    Yearly,
}

impl Tier {
    pub const ALL: [Self; 6] =
        [Self::Hourly, Self::Daily, Self::Weekly, Self::Monthly, Self::Quarterly, Self::Yearly];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hourly => "hourly",
            Self::Daily => "daily",
            Self::Weekly => "weekly",
            Self::Monthly => "monthly",
            Self::Quarterly => "quarterly",
            Self::Yearly => "yearly",
        }
    }

    /// By a word of its own: `daily`, `Weekly_`, `/monthly/`, `annual`.
    fn of_word(word: &str) -> Option<Self> {
        const OTHERS: [(&str, Tier); 3] =
            [("nightly", Tier::Daily), ("annual", Tier::Yearly), ("annually", Tier::Yearly)];
        // Every argument of every command is asked: most words are no tier by their end.
        if !word.ends_with(['y', 'Y', 'l', 'L']) {
            return None;
        }
        let named = Self::ALL.into_iter().map(|tier| (tier.as_str(), tier));
        let mut words = named.chain(OTHERS);
        words.find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, tier)| tier)
    }

    /// Every tier that a text, path or name holds as a word, in order.
    pub fn all_in(text: &str) -> Vec<(Range<usize>, Self)> {
        words(text).filter_map(|(range, word)| Some((range, Self::of_word(word)?))).collect()
    }

    /// The only tier in a text.
    pub fn only_in(text: &str) -> Option<Self> {
        let mut found = Self::all_in(text).into_iter().map(|(_, tier)| tier);
        let first = found.next()?;
        found.all(|tier| tier == first).then_some(first)
    }
}

/// Words of letters; `_`, `-` and `/` divide.
fn words(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    tokens(text).filter(|(_, word)| word.starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Runs of letters, and runs of digits with a decimal point.
fn tokens(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    // No byte of a longer character is a letter or a digit.
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + bytes.get(at..)?.iter().position(u8::is_ascii_alphanumeric)?;
        let is_part =
            if bytes.get(start)?.is_ascii_digit() { u8::is_ascii_digit } else { u8::is_ascii_alphabetic };
        at = start + bytes.get(start..)?.iter().take_while(|byte| is_part(byte)).count();
        Some((start..at, text.get(start..at)?))
    })
}

/// Each length of time in a text. `7-30 days` is both; `24/7` and dates are none.
pub fn amounts(text: &str) -> Vec<(Range<usize>, Amount)> {
    let mut found: Vec<(Range<usize>, Amount)> = Vec::new();
    let all: Vec<(Range<usize>, &str)> = tokens(text).collect();
    for (index, (range, word)) in all.iter().enumerate() {
        let lower = word.to_ascii_lowercase();
        let ever = lower == "ever"
            && index
                .checked_sub(1)
                .and_then(|before| all.get(before))
                .is_some_and(|(_, word)| *word == "for");
        if ever || matches!(lower.as_str(), "indefinitely" | "forever" | "permanently" | "indefinite") {
            found.push((range.clone(), Amount::Forever));
            continue;
        }
        let Ok(count) = word.parse::<u32>() else { continue };
        if count == 0
            || text.get(..range.start).is_some_and(|before| before.ends_with(['.', ':', '/', '$', '#']))
        {
            continue;
        }
        let gap = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        let Some((next_range, next)) = all.get(index + 1) else { continue };
        // `7-30 days`, `1–4 hours`: the unit stands after the second number.
        let dash = |gap: &str| matches!(gap.trim(), "-" | "\u{2013}" | "to");
        if next.bytes().all(|byte| byte.is_ascii_digit()) {
            let after = all.get(index + 2);
            if dash(gap(range.end, next_range.start))
                && let Some((unit_range, unit)) = after
                && near(gap(next_range.end, unit_range.start))
                && let Some(period) = period(count, unit)
            {
                found.push((range.start..unit_range.end, Amount::Period(period)));
            }
            continue;
        }
        if !near(gap(range.end, next_range.start)) {
            continue;
        }
        if let Some(period) = period(count, next) {
            found.push((range.start..next_range.end, Amount::Period(period)));
        } else if matches!(next.to_ascii_lowercase().as_str(), "versions" | "copies" | "backups" | "dumps") {
            found.push((range.start..next_range.end, Amount::Copies(count)));
        }
    }
    found
}

/// Between a number and its unit.
fn near(gap: &str) -> bool {
    matches!(gap, "" | " " | "-" | "\u{a0}" | "  ")
}

fn period(count: u32, unit: &str) -> Option<Period> {
    let unit = match unit.to_ascii_lowercase().as_str() {
        "second" | "seconds" | "sec" | "secs" => Unit::Second,
        "minute" | "minutes" | "min" | "mins" => Unit::Minute,
        "hour" | "hours" | "h" | "hr" | "hrs" => Unit::Hour,
        "day" | "days" | "d" => Unit::Day,
        "week" | "weeks" => Unit::Week,
        "month" | "months" => Unit::Month,
        "year" | "years" | "yr" | "yrs" => Unit::Year,
        _ => return None,
    };
    Some(Period { count, unit })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        amounts(text)
            .iter()
            .map(|(range, amount)| format!("{}={amount}", &text[range.clone()]))
            .collect::<Vec<_>>()
            .join("; ")
    }

    #[test]
    fn lengths_of_time_are_found_in_prose() {
        assert_eq!(told("Keep for 7 days, then 12 months."), "7 days=7 days; 12 months=12 months");
        assert_eq!(told("within automatic window (7-30 days)"), "7-30 days=7 days; 30 days=30 days");
        assert_eq!(
            told("a 30-day window; < 15 minutes; 24h"),
            "30-day=30 days; 15 minutes=15 minutes; 24h=24 hours"
        );
        assert_eq!(told("Keep indefinitely; 3 versions"), "indefinitely=for ever; 3 versions=3 copies");
        assert_eq!(told("2024-01-20 at 02:00, 24/7, 5 MB, v1.2 days"), "");
    }

    #[test]
    fn tiers_are_words() {
        for tier in Tier::ALL {
            assert_eq!(Tier::only_in(&tier.as_str().to_uppercase()), Some(tier));
        }
        for (word, tier) in [("nightly", Tier::Daily), ("annual", Tier::Yearly), ("Annually", Tier::Yearly)] {
            assert_eq!(Tier::only_in(word), Some(tier));
        }
        assert_eq!(Tier::only_in("s3://b/daily/x"), Some(Tier::Daily));
        assert_eq!(Tier::only_in("kiyumart-weekly-$DATE"), Some(Tier::Weekly));
        assert_eq!(Tier::only_in("daily or weekly"), None);
        assert_eq!(Tier::only_in("dailymotion"), None);
        assert_eq!(
            Amount::Period(Period { count: 12, unit: Unit::Month }).days().map(|days| days.0.round()),
            Some(365.0)
        );
    }
}
