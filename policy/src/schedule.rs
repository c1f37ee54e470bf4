//! Five-field cron expressions, in UTC, with the meaning that Vixie cron gives
//! them: text in, the next minute that matches out.
//!
//! A schedule that can never fire is refused when it is parsed; the proof is a
//! search through the 400 years after which the Gregorian calendar repeats.

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// Years after which dates fall on the same days of the week again.
const CYCLE: i16 = 400;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    /// Bit 0 is Sunday.
    weekdays: u64,
    /// Cron's oldest rule: where both day fields name days, either may match;
    /// where one begins with `*`, both must.
    either_day: bool,
}

struct Field {
    name: &'static str,
    min: u32,
    max: u32,
    /// Names of the values from `min` on.
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", min: 0, max: 59, names: &[] },
    Field { name: "hour", min: 0, max: 23, names: &[] },
    Field { name: "day of the month", min: 1, max: 31, names: &[] },
    Field {
        name: "month",
        min: 1,
        max: 12,
        names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    },
    // 7 is Sunday too.
    Field {
        name: "day of the week",
        min: 0,
        max: 7,
        names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    },
];

impl Schedule {
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let Ok([minute, hour, day, month, weekday]) = <[&str; 5]>::try_from(fields.as_slice()) else {
            return Err(match fields.first() {
                Some(first) if first.starts_with('@') => {
                    format!("'{first}' is not supported: write five fields, for example `17 2 * * *`")
                }
                _ => format!(
                    "a schedule has five fields (minute, hour, day of the month, month, day of the week), not {}",
                    fields.len()
                ),
            });
        };
        let [minutes, hours, days, months, mut weekdays] = [
            FIELDS[0].parse(minute)?,
            FIELDS[1].parse(hour)?,
            FIELDS[2].parse(day)?,
            FIELDS[3].parse(month)?,
            FIELDS[4].parse(weekday)?,
        ];
        weekdays = (weekdays | weekdays >> 7) & 0x7f;
        let either_day = !day.starts_with('*') && !weekday.starts_with('*');
        let schedule = Self { minutes, hours, days, months, weekdays, either_day };
        if schedule.next_after(Timestamp::UNIX_EPOCH).is_none() {
            return Err("it never fires: no month that it names has such a day".to_owned());
        }
        Ok(schedule)
    }

    /// The first minute after `after` at which the schedule fires; `None` only
    /// past the end of the calendar (the year 9999).
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let from: DateTime = after.to_zoned(TimeZone::UTC).datetime();
        let minute = from.time().with().second(0).subsec_nanosecond(0).build().ok()?;
        let first = from.date().to_datetime(minute).checked_add(1.minute()).ok()?;
        let last_year = first.year().saturating_add(CYCLE);
        let mut date = first.date();
        while date.year() <= last_year {
            if self.months & bit(date.month()) == 0 {
                date = date.last_of_month().tomorrow().ok()?;
                continue;
            }
            if self.fires_on(date) {
                let earliest = if date == first.date() { first.time() } else { Time::midnight() };
                if let Some(time) = self.time_from(earliest) {
                    return Some(date.to_datetime(time).to_zoned(TimeZone::UTC).ok()?.timestamp());
                }
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn fires_on(&self, date: Date) -> bool {
        let day = self.days & bit(date.day()) != 0;
        let weekday = self.weekdays & bit(sunday_based(date.weekday())) != 0;
        if self.either_day { day || weekday } else { day && weekday }
    }

    /// The first time of day from `earliest` on.
    fn time_from(&self, earliest: Time) -> Option<Time> {
        for hour in earliest.hour()..24 {
            if self.hours & bit(hour) == 0 {
                continue;
            }
            let from = if hour == earliest.hour() { earliest.minute() } else { 0 };
            if let Some(minute) = (from..60).find(|minute| self.minutes & bit(*minute) != 0) {
                return Time::new(hour, minute, 0, 0).ok();
            }
        }
        None
    }
}

fn sunday_based(weekday: Weekday) -> i8 {
    weekday.to_sunday_zero_offset()
}

fn bit(value: i8) -> u64 {
    1 << value
}

impl Field {
    fn parse(&self, text: &str) -> Result<u64, String> {
        text.split(',').try_fold(0, |all, item| Ok(all | self.item(item)?))
    }

    /// `*`, `5`, `1-5`, each with an optional `/step`.
    fn item(&self, item: &str) -> Result<u64, String> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let (low, high) = match range.split_once('-') {
            _ if range == "*" => (self.min, self.max),
            Some((low, high)) => (self.value(low)?, self.value(high)?),
            None => {
                let value = self.value(range)?;
                // `5/15` counts from 5 to the end.
                (value, if step.is_some() { self.max } else { value })
            }
        };
        if low > high {
            return Err(format!("the {} range '{range}' runs backwards", self.name));
        }
        let step = match step.map(str::parse::<usize>) {
            None => 1,
            Some(Ok(step)) if step > 0 => step,
            Some(_) => return Err(format!("the step in the {} '{item}' is no number above 0", self.name)),
        };
        Ok((low..=high).step_by(step).fold(0, |bits, value| bits | 1 << value))
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        if let Some(index) = self.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
            return Ok(self.min + u32::try_from(index).unwrap_or_default());
        }
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse::<u32>() {
            Ok(value) if digits && (self.min..=self.max).contains(&value) => Ok(value),
            _ => Err(format!("'{text}' is no {} ({} to {})", self.name, self.min, self.max)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The next three times after a Saturday.
    fn next(text: &str) -> String {
        let schedule = match Schedule::parse(text) {
            Ok(schedule) => schedule,
            Err(why) => return format!("error: {why}"),
        };
        let mut at: Timestamp = "2026-11-21T02:17:30Z".parse().unwrap();
        let mut times = Vec::new();
        for _ in 0..3 {
            at = schedule.next_after(at).unwrap();
            times.push(at.to_string().replace(":00Z", "Z"));
        }
        times.join(" ")
    }

    #[test]
    fn the_next_time_is_the_one_that_cron_would_take() {
        for (text, times) in [
            ("17 2 * * *", "2026-11-22T02:17Z 2026-11-23T02:17Z 2026-11-24T02:17Z"),
            ("18 2 * * *", "2026-11-21T02:18Z 2026-11-22T02:18Z 2026-11-23T02:18Z"),
            ("17 1 * * 0", "2026-11-22T01:17Z 2026-11-29T01:17Z 2026-12-06T01:17Z"),
            ("17 1 * * 7", "2026-11-22T01:17Z 2026-11-29T01:17Z 2026-12-06T01:17Z"),
            ("17 1 * * Sun", "2026-11-22T01:17Z 2026-11-29T01:17Z 2026-12-06T01:17Z"),
            ("0 9 * * mon-fri/2", "2026-11-23T09:00Z 2026-11-25T09:00Z 2026-11-27T09:00Z"),
            ("*/30 * * * *", "2026-11-21T02:30Z 2026-11-21T03:00Z 2026-11-21T03:30Z"),
            ("5/20 2,4 * * *", "2026-11-21T02:25Z 2026-11-21T02:45Z 2026-11-21T04:05Z"),
            ("17 0 1 * *", "2026-12-01T00:17Z 2027-01-01T00:17Z 2027-02-01T00:17Z"),
            ("0 0 31 * *", "2026-12-31T00:00Z 2027-01-31T00:00Z 2027-03-31T00:00Z"),
            ("0 0 29 2 *", "2028-02-29T00:00Z 2032-02-29T00:00Z 2036-02-29T00:00Z"),
            // Both day fields name days: either may match.
            ("0 0 1 * 1", "2026-11-23T00:00Z 2026-11-30T00:00Z 2026-12-01T00:00Z"),
            // One begins with `*`: both must.
            ("0 0 */10 * 1", "2026-12-21T00:00Z 2027-01-11T00:00Z 2027-02-01T00:00Z"),
            // A leap day on a Sunday: forty years apart across 2100.
            ("0 0 29 feb */7", "2032-02-29T00:00Z 2060-02-29T00:00Z 2088-02-29T00:00Z"),
        ] {
            assert_eq!(next(text), times, "{text}");
        }
    }

    #[test]
    fn errors_name_the_field() {
        let texts = [
            "0 0 30 2 *",
            "0 0 31 2,4,6,9,11 *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * foo *",
            "* * * * 8",
            "5-1 * * * *",
            "*/0 * * * *",
            "* * * *",
            "@daily",
            "",
            "*,, * * * *",
            "+1 * * * *",
        ];
        let all = texts.map(|text| format!("{text:?}: {}", next(text))).join("\n");
        insta::assert_snapshot!(all, @r#"
        "0 0 30 2 *": error: it never fires: no month that it names has such a day
        "0 0 31 2,4,6,9,11 *": error: it never fires: no month that it names has such a day
        "60 * * * *": error: '60' is no minute (0 to 59)
        "* 24 * * *": error: '24' is no hour (0 to 23)
        "* * 0 * *": error: '0' is no day of the month (1 to 31)
        "* * * foo *": error: 'foo' is no month (1 to 12)
        "* * * * 8": error: '8' is no day of the week (0 to 7)
        "5-1 * * * *": error: the minute range '5-1' runs backwards
        "*/0 * * * *": error: the step in the minute '*/0' is no number above 0
        "* * * *": error: a schedule has five fields (minute, hour, day of the month, month, day of the week), not 4
        "@daily": error: '@daily' is not supported: write five fields, for example `17 2 * * *`
        "": error: a schedule has five fields (minute, hour, day of the month, month, day of the week), not 0
        "*,, * * * *": error: '' is no minute (0 to 59)
        "+1 * * * *": error: '+1' is no minute (0 to 59)
        "#);
    }

    fn field(range: std::ops::Range<u32>) -> impl Strategy<Value = String> {
        let (low, high) = (range.start, range.end - 1);
        prop_oneof![
            3 => Just("*".to_owned()),
            2 => range.clone().prop_map(|value| value.to_string()),
            1 => (range.clone(), range).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
            1 => (1u32..40).prop_map(|step| format!("*/{step}")),
            1 => Just(format!("{low},{high}")),
        ]
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[-0-9a-z*/,@ \u{e9}]{0,30}") {
            let _ = Schedule::parse(&text);
        }

        #[test]
        fn next_is_after_matches_and_skips_nothing(
            minute in field(0..60), hour in field(0..24), day in field(1..32), month in field(1..13),
            weekday in field(0..8), second in 0i64..4_000_000_000,
        ) {
            let Ok(schedule) = Schedule::parse(&format!("{minute} {hour} {day} {month} {weekday}")) else {
                return Ok(());
            };
            let matches = |at: Timestamp| {
                let at = at.to_zoned(TimeZone::UTC);
                schedule.months & bit(at.month()) != 0
                    && schedule.fires_on(at.date())
                    && schedule.hours & bit(at.hour()) != 0
                    && schedule.minutes & bit(at.minute()) != 0
            };
            let after = Timestamp::from_second(second).unwrap();
            let next = schedule.next_after(after).unwrap();
            prop_assert!(next > after);
            prop_assert_eq!(next.as_second() % 60, 0);
            prop_assert!(matches(next));
            // No earlier minute matches; a week of them is enough to trust the search.
            let first = second - second % 60 + 60;
            for early in (first..next.as_second()).step_by(60).take(7 * 24 * 60) {
                prop_assert!(!matches(Timestamp::from_second(early).unwrap()));
            }
        }
    }
}
