//! Values as text (durations, rates, percentages), and the macro that defines tables.

use std::fmt;
use std::time::Duration;

use fetch_proto::Rate;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A duration, written as `"250ms"`, `"6s"` or `"1m 30s"`.
///
/// ```
/// #[derive(serde::Deserialize)]
/// struct Table { wait: fetch_policy::DurationText }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DurationText(pub Duration);

/// The exact duration, as [`parse_duration`] reads it.
///
/// ```
/// use std::time::Duration;
/// use fetch_policy::DurationText;
/// assert_eq!(DurationText(Duration::from_millis(1500)).to_string(), "1.5s");
/// ```
impl fmt::Display for DurationText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let units = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];
        let unit = units.into_iter().find(|(_, unit)| nanos >= *unit);
        let (name, unit) = match (nanos, unit) {
            (0, _) => ("s", 1),
            (_, unit) => unit.unwrap_or(("ns", 1)),
        };
        write!(f, "{}", nanos / unit)?;
        if !nanos.is_multiple_of(unit) {
            let width = unit.ilog10() as usize;
            let digits = format!("{:0width$}", nanos % unit);
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str(name)
    }
}

impl<'de> Deserialize<'de> for DurationText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_str(DurationVisitor)?;
        parse_duration(&text).map(Self).map_err(D::Error::custom)
    }
}

/// Reads a string. For a number, the error says that a unit is required.
struct DurationVisitor;

impl Visitor<'_> for DurationVisitor {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration with a unit in quotes, such as \"250ms\" or \"6s\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

/// Parses a duration.
///
/// ```
/// use std::time::Duration;
/// use fetch_policy::parse_duration;
///
/// assert_eq!(parse_duration("1m 30s"), Ok(Duration::from_secs(90)));
/// assert!(parse_duration("5").is_err());
/// ```
///
/// # Errors
///
/// A message with the expected form, if the text is not a duration or is negative.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed: Option<jiff::SignedDuration> = text.trim().parse().ok();
    let parsed =
        parsed.ok_or("not a duration: write a number with a unit, such as \"250ms\" or \"6s\"")?;
    Duration::try_from(parsed).map_err(|_| "a duration cannot be negative".to_owned())
}

/// A timeout: a duration, or `"none"` for no limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimit(pub(crate) Option<Duration>);

impl<'de> Deserialize<'de> for TimeLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_str(DurationVisitor)?;
        if text == "none" {
            return Ok(Self(None));
        }
        let limit =
            parse_duration(&text).map_err(|why| D::Error::custom(format!("{why}, or \"none\"")))?;
        Ok(Self(Some(limit)))
    }
}

/// A whole percentage from 0 to 100.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Percent(u16);

impl Percent {
    pub(crate) const fn per_mille(self) -> u16 {
        self.0 * 10
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u16::deserialize(deserializer)? {
            percent @ 0..=100 => Ok(Self(percent)),
            more => Err(D::Error::custom(format!("{more} is more than 100 percent"))),
        }
    }
}

/// A rate in the syntax of the command's `--rate`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RateText(pub(crate) Rate);

impl<'de> Deserialize<'de> for RateText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

/// Defines a table of the file: all keys are optional, unknown keys are errors.
macro_rules! table {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct $name {
            $($(#[$field_meta])* pub(crate) $field: Option<$type>,)*
        }
    };
}
pub(crate) use table;
