//! `OnCalendar=` (systemd.time(7)) as five cron fields and a time zone.

use crate::schedule::Schedule;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// None where five fields cannot say it: years, the last day of a month, a day
    /// of the month that must be a certain weekday.
    pub schedule: Option<Schedule>,
    /// `UTC` or `Europe/Berlin`; the host's where none is given.
    pub zone: Option<String>,
}

/// Why there are no five fields.
enum Refusal {
    /// The text is no calendar expression.
    Invalid,
    /// Cron has no words for it.
    Beyond,
}

/// None where the text is no calendar expression at all.
pub fn calendar(text: &str) -> Option<Calendar> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    let zone = words.pop_if(|last| *last == "UTC" || is_zone(last)).map(str::to_owned);
    let fields = match words.as_slice() {
        [word] => shorthand(word).map(str::to_owned).map_or_else(|| fields(&words), Ok),
        words => fields(words),
    };
    match fields {
        Ok(fields) => Some(Calendar { schedule: Schedule::parse(&fields).ok(), zone }),
        Err(Refusal::Beyond) => Some(Calendar { schedule: None, zone }),
        Err(Refusal::Invalid) => None,
    }
}

fn shorthand(word: &str) -> Option<&'static str> {
    Some(match word {
        "minutely" => "* * * * *",
        "hourly" => "0 * * * *",
        "daily" => "0 0 * * *",
        "weekly" => "0 0 * * 1",
        "monthly" => "0 0 1 * *",
        "quarterly" => "0 0 1 1,4,7,10 *",
        "semiannually" => "0 0 1 1,7 *",
        "yearly" | "annually" => "0 0 1 1 *",
        _ => return None,
    })
}

fn is_zone(word: &str) -> bool {
    let letters =
        word.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'/' | b'_' | b'-' | b'+'));
    letters && word.contains('/') && word.starts_with(|first: char| first.is_ascii_uppercase())
}

/// `[weekdays] [date] [time]`
fn fields(words: &[&str]) -> Result<String, Refusal> {
    let mut weekdays = None;
    let mut date = None;
    let mut time = None;
    for word in words {
        if word.contains(':') && time.is_none() {
            time = Some(self::time(word).ok_or(Refusal::Invalid)?);
        } else if word.starts_with(|first: char| first.is_ascii_alphabetic()) && weekdays.is_none() {
            weekdays = Some(self::weekdays(word).ok_or(Refusal::Invalid)?);
        } else if word.contains(['-', '~']) && date.is_none() {
            date = Some(self::date(word)?);
        } else {
            return Err(Refusal::Invalid);
        }
    }
    if weekdays.is_none() && date.is_none() && time.is_none() {
        return Err(Refusal::Invalid);
    }
    let time = time.unwrap_or_else(|| "0 0".to_owned());
    let weekdays = weekdays.unwrap_or_else(|| "*".to_owned());
    let (month, day) = date.unwrap_or_else(|| ("*".to_owned(), "*".to_owned()));
    // Cron runs on either, systemd on days that are both.
    if weekdays != "*" && day != "*" {
        return Err(Refusal::Beyond);
    }
    Ok(format!("{time} {day} {month} {weekdays}"))
}

/// `hours:minutes[:seconds]` as `minutes hours`.
fn time(word: &str) -> Option<String> {
    let mut parts = word.split(':');
    let hours = component(parts.next()?, 23)?;
    let minutes = component(parts.next()?, 59)?;
    if let Some(seconds) = parts.next() {
        component(seconds.split('.').next()?, 59)?;
    }
    Some(format!("{minutes} {hours}"))
}

/// `[year-]month-day`
fn date(word: &str) -> Result<(String, String), Refusal> {
    if word.contains('~') {
        return Err(Refusal::Beyond);
    }
    let parts: Vec<&str> = word.split('-').collect();
    let (year, month, day) = match parts.as_slice() {
        [year, month, day] => (*year, *month, *day),
        [month, day] => ("*", *month, *day),
        _ => return Err(Refusal::Invalid),
    };
    let month = component(month, 12).ok_or(Refusal::Invalid)?;
    let day = component(day, 31).ok_or(Refusal::Invalid)?;
    if year == "*" { Ok((month, day)) } else { Err(Refusal::Beyond) }
}

/// `Mon..Fri,Sun`
fn weekdays(word: &str) -> Option<String> {
    const NAMES: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let number = |name: &str| {
        let name = name.to_ascii_lowercase();
        NAMES.iter().position(|short| name.starts_with(short))
    };
    let item = |item: &str| match item.split_once("..") {
        // The week of systemd begins on Monday.
        Some((from, to)) => {
            let (from, to) = (number(from)?, number(to)?);
            Some(format!("{from}-{}", if to == 0 { 7 } else { to }))
        }
        None => number(item).map(|day| day.to_string()),
    };
    let items: Option<Vec<String>> = word.trim_end_matches(',').split(',').map(item).collect();
    Some(items?.join(","))
}

/// One component with lists, ranges (`..`) and repetitions (`/`).
fn component(text: &str, max: u32) -> Option<String> {
    let number = |text: &str| text.parse::<u32>().ok().filter(|value| *value <= max);
    let item = |item: &str| {
        let (base, step) = match item.split_once('/') {
            Some((base, step)) => (base, Some(step.parse::<u32>().ok()?)),
            None => (item, None),
        };
        let range = match base.split_once("..") {
            Some((from, to)) => format!("{}-{}", number(from)?, number(to)?),
            None if base == "*" => "*".to_owned(),
            None if step.is_some() => format!("{}-{max}", number(base)?),
            None => number(base)?.to_string(),
        };
        Some(match step {
            Some(step) => format!("{range}/{step}"),
            None => range,
        })
    };
    let items: Option<Vec<String>> = text.split(',').map(item).collect();
    Some(items?.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_become_five_fields() {
        for (text, fields, zone) in [
            ("daily", "0 0 * * *", None),
            ("weekly UTC", "0 0 * * 1", Some("UTC")),
            ("02:00", "0 2 * * *", None),
            ("*-*-* 02:30:00", "30 2 * * *", None),
            ("*-*-* 02:30:00 Europe/Berlin", "30 2 * * *", Some("Europe/Berlin")),
            ("Sun 03:00", "0 3 * * 0", None),
            ("Mon..Fri *-*-* 22:15", "15 22 * * 1-5", None),
            ("Sat,Sun", "0 0 * * 6,0", None),
            ("Mon..Sun 01:00", "0 1 * * 1-7", None),
            ("*-*-01 00:00:00", "0 0 1 * *", None),
            ("*:0/15", "0-59/15 * * * *", None),
            ("*-01,07-01", "0 0 1 1,7 *", None),
            ("08..18:00", "0 8-18 * * *", None),
        ] {
            let expected = Calendar { schedule: Schedule::parse(fields).ok(), zone: zone.map(str::to_owned) };
            assert!(expected.schedule.is_some(), "{fields}");
            assert_eq!(calendar(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_cron_cannot_say_has_no_schedule() {
        for text in ["2026-12-24 18:00", "*-*~01", "Mon *-*-01..07 02:00"] {
            assert_eq!(calendar(text), Some(Calendar { schedule: None, zone: None }), "{text}");
        }
        for text in ["", "nonsense", "25:00", "02:00 03:00", "at noon"] {
            assert_eq!(calendar(text), None, "{text}");
        }
    }
}
