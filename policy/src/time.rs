//! Times as people write them.

use std::fmt;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A time, written as `"250ms"`, `"6s"` or `"1m 30s"`.
///
/// ```
/// #[derive(serde::Deserialize)]
/// struct Table { wait: fetch_policy::Period }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Period(pub Duration);

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_str(TimeText)?;
        period(&text).map(Self).map_err(D::Error::custom)
    }
}

/// The text of a time. To a bare number it says what is missing.
struct TimeText;

impl Visitor<'_> for TimeText {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time with its unit in quotes, such as \"250ms\" or \"6s\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
}

/// Reads a time.
///
/// ```
/// use std::time::Duration;
/// use fetch_policy::period;
///
/// assert_eq!(period("1m 30s"), Ok(Duration::from_secs(90)));
/// assert!(period("5").is_err());
/// ```
///
/// # Errors
///
/// What is wrong with it, and what to write.
pub fn period(text: &str) -> Result<Duration, String> {
    let parsed: Option<jiff::SignedDuration> = text.trim().parse().ok();
    let parsed =
        parsed.ok_or("not a time: write a number with a unit, such as \"250ms\" or \"6s\"")?;
    Duration::try_from(parsed).map_err(|_| "a time cannot be negative here".to_owned())
}

/// A limit on time: a time, or `"none"`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeLimit(pub(crate) Option<Duration>);

impl<'de> Deserialize<'de> for TimeLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = deserializer.deserialize_str(TimeText)?;
        if text == "none" {
            return Ok(Self(None));
        }
        let limit = period(&text).map_err(|why| D::Error::custom(format!("{why}, or \"none\"")))?;
        Ok(Self(Some(limit)))
    }
}

/// A share of a hundred.
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
