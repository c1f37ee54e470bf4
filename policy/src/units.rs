//! Values with a unit as people write them: `25 hours`, `1 MB`, `20%`.
//!
//! Text in, a typed value or one sentence that says what is wrong with it out. No number
//! is read or shown as floating point by the standard library: its tables for that do
//! not compress, and whoever opens the web page would have to wait for them.

use std::fmt;

/// A length of time as it was written. Months and years stay calendar units:
/// "12 months" is no number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// At least one.
    pub count: u32,
    pub unit: Unit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// Every spelling of every unit. `m` is left out: minutes or months?
const UNITS: &[(Unit, &[&str])] = &[
    (Unit::Second, &["second", "seconds", "s"]),
    (Unit::Minute, &["minute", "minutes", "min"]),
    (Unit::Hour, &["hour", "hours", "h"]),
    (Unit::Day, &["day", "days", "d"]),
    (Unit::Week, &["week", "weeks", "w"]),
    (Unit::Month, &["month", "months"]),
    (Unit::Year, &["year", "years", "y"]),
];

impl Unit {
    /// Mean length in the Gregorian calendar.
    fn seconds(self) -> u64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
            Self::Week => 604_800,
            Self::Month => 2_629_746,
            Self::Year => 31_556_952,
        }
    }

    fn name(self) -> &'static str {
        UNITS.iter().find(|(unit, _)| *unit == self).and_then(|(_, names)| names.first()).unwrap_or(&"")
    }
}

impl Period {
    /// What [`Period::parse`] takes, as an ECMA 262 pattern for the JSON Schema.
    pub const PATTERN: &str =
        "^[0-9]+ *(seconds?|s|minutes?|min|hours?|h|days?|d|weeks?|w|months?|years?|y)$";

    pub fn parse(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        let Some(unit) = UNITS.iter().find(|(_, names)| names.contains(&unit)).map(|(unit, _)| *unit) else {
            return Err(match unit {
                "m" => "'m' could be minutes or months: write `minutes` or `months`".to_owned(),
                "" => "a unit is missing: write for example `7 days`".to_owned(),
                _ => "it is no length of time: write for example `25 hours`, `7 days` or `12 months`"
                    .to_owned(),
            });
        };
        if number.starts_with('-') {
            return Err("it is negative".to_owned());
        }
        let count: u32 = number.parse().map_err(|_| "its number must be whole".to_owned())?;
        if count == 0 {
            return Err("it must be longer than nothing".to_owned());
        }
        let period = Self { count, unit };
        if period.nominal_seconds() > 100 * Unit::Year.seconds() {
            return Err("it is longer than 100 years".to_owned());
        }
        Ok(period)
    }

    /// Length with months and years at their mean: to compare, not to add.
    pub fn nominal_seconds(self) -> u64 {
        u64::from(self.count) * self.unit.seconds()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} {}{plural}", self.count, self.unit.name())
    }
}

/// A length of time in days, parts of them too: to compare.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Days(pub f64);

impl Days {
    /// `7`, `0.5`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self::of_seconds(decimal(text, 86_400)?))
    }

    #[expect(clippy::cast_precision_loss, reason = "none is longer than centuries")]
    pub fn of_seconds(seconds: u64) -> Self {
        Self(seconds as f64 / 86_400.0)
    }

    /// How many, where they are whole.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    pub fn whole(self) -> Option<u64> {
        (self.0 >= 0.0 && self.0.fract() == 0.0).then_some(self.0 as u64)
    }
}

/// The number alone.
impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rounded(self.0).fmt(f)
    }
}

/// A number of zero or more, to a hundredth.
#[derive(Debug, Clone, Copy)]
pub struct Rounded(pub f64);

impl fmt::Display for Rounded {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hundredths = (self.0 * 100.0).round() as u64;
        write!(f, "{}", hundredths / 100)?;
        match hundredths % 100 {
            0 => Ok(()),
            part if part % 10 == 0 => write!(f, ".{}", part / 10),
            part => write!(f, ".{part:02}"),
        }
    }
}

/// A number of bytes, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

const SIZES: &[(&str, u64)] = &[
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

impl Size {
    /// What [`Size::parse`] takes, as an ECMA 262 pattern for the JSON Schema.
    pub const PATTERN: &str = "^[0-9]+(\\.[0-9]+)? *(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$";

    pub fn parse(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        if number.starts_with('-') {
            return Err("it is negative".to_owned());
        }
        let Some((_, factor)) = SIZES.iter().find(|(name, _)| *name == unit) else {
            return Err(match SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) {
                Some((name, _)) => format!("its unit is written `{name}`"),
                None if unit.is_empty() => "a unit is missing: write for example `1 MB`".to_owned(),
                None => "it is no size: write for example `1 MB`, `512 MiB` or `50 GB`".to_owned(),
            });
        };
        let bytes = decimal(number, *factor).ok_or_else(|| "its number is not usable".to_owned())?;
        if bytes == 0 { Err("it must be more than nothing".to_owned()) } else { Ok(Self(bytes)) }
    }
}

/// A percentage, more than 0 and at most 1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(pub u16);

impl Percent {
    /// What [`Percent::parse`] takes, as an ECMA 262 pattern for the JSON Schema.
    pub const PATTERN: &str = "^[0-9]+ *%$";

    pub fn parse(text: &str) -> Result<Self, String> {
        let number = text.strip_suffix('%').ok_or_else(|| "a percentage is written `20%`".to_owned())?;
        match number.trim_end().parse::<u16>() {
            Ok(percent @ 1..=1000) => Ok(Self(percent)),
            _ => Err("a percentage is a whole number from 1% to 1000%".to_owned()),
        }
    }
}

/// `25 hours` to `25` and `hours`.
fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start_matches(' '))
}

/// `1.5` times `factor`, exact: no floating point, nothing lost above 2^53.
fn decimal(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let numerator: u128 = format!("{whole}{fraction}").parse().ok()?;
    if whole.is_empty() || fraction.is_empty() {
        return None;
    }
    let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    u64::try_from(numerator.checked_mul(u128::from(factor))? / scale).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn periods() {
        let shown = |text: &str| match Period::parse(text) {
            Ok(period) => format!("{period}"),
            Err(why) => format!("error: {why}"),
        };
        assert_eq!(shown("25 hours"), "25 hours");
        assert_eq!(shown("7days"), "7 days");
        assert_eq!(shown("1 hour"), "1 hour");
        assert_eq!(shown("12 months"), "12 months");
        assert_eq!(shown("4w"), "4 weeks");
        assert_eq!(shown("0 days"), "error: it must be longer than nothing");
        assert_eq!(shown("-7 days"), "error: it is negative");
        assert_eq!(shown("1.5 days"), "error: its number must be whole");
        assert_eq!(shown("5 m"), "error: 'm' could be minutes or months: write `minutes` or `months`");
        assert_eq!(shown("7"), "error: a unit is missing: write for example `7 days`");
        assert_eq!(shown("1000 years"), "error: it is longer than 100 years");
        assert_eq!(shown("99999999999 days"), "error: its number must be whole");
        assert!(Period::parse("soon").unwrap_err().starts_with("it is no length of time"));
    }

    #[test]
    fn days() {
        let shown = |text: &str| Days::parse(text).map(|days| days.to_string());
        for (text, days) in [("7", "7"), ("0", "0"), ("0.5", "0.5"), ("1.25", "1.25"), ("30.000", "30")] {
            assert_eq!(shown(text).as_deref(), Some(days));
        }
        for text in ["", "x", "-1", "1e3", "inf", "7d", "."] {
            assert_eq!(shown(text), None, "{text}");
        }
        assert_eq!(Days::of_seconds(5_400).to_string(), "0.06");
        assert_eq!((Days(7.0).whole(), Days(0.25).whole()), (Some(7), None));
    }

    #[test]
    fn sizes() {
        assert_eq!(Size::parse("1 MB"), Ok(Size(1_000_000)));
        assert_eq!(Size::parse("50 GB"), Ok(Size(50_000_000_000)));
        assert_eq!(Size::parse("1.5GiB"), Ok(Size(1_610_612_736)));
        assert_eq!(Size::parse("-1 MB").unwrap_err(), "it is negative");
        assert_eq!(Size::parse("0 MB").unwrap_err(), "it must be more than nothing");
        assert_eq!(Size::parse("1 mb").unwrap_err(), "its unit is written `MB`");
        assert_eq!(Size::parse("12").unwrap_err(), "a unit is missing: write for example `1 MB`");
        assert_eq!(Size::parse("99999999999 TB").unwrap_err(), "its number is not usable");
        assert_eq!(Size::parse("1..5 MB").unwrap_err(), "its number is not usable");
    }

    #[test]
    fn percentages() {
        assert_eq!(Percent::parse("20%"), Ok(Percent(20)));
        assert_eq!(Percent::parse("20").unwrap_err(), "a percentage is written `20%`");
        for text in ["0%", "-5%", "1001%", "2.5%", "%"] {
            assert!(Percent::parse(text).unwrap_err().contains("1% to 1000%"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "[-0-9.a-zA-Z% \u{e9}]{0,30}") {
            let _ = (Period::parse(&text), Size::parse(&text), Percent::parse(&text));
        }

        #[test]
        fn a_period_reads_back_as_it_is_shown(count in 1u32..100, unit in 0usize..7) {
            let period = Period { count, unit: UNITS[unit].0 };
            prop_assert_eq!(Period::parse(&period.to_string()), Ok(period));
        }

        #[test]
        fn a_whole_number_of_bytes_is_exact(bytes in 1u64..) {
            prop_assert_eq!(Size::parse(&format!("{bytes} B")), Ok(Size(bytes)));
        }
    }
}
