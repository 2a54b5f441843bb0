//! Exact rate limits.

mod gcra;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use core::fmt;
use core::num::NonZeroU32;
use core::str::FromStr;
use core::time::Duration;

use crate::model::text::Quoted;
use crate::model::time::nanos;

pub use gcra::RateLimiter;

/// A rate limit: `count` events per `per`, of which `burst` may happen at once after an idle time.
///
/// Any span of time `w` admits at most `burst + count × w / per` events. With a burst of `count`,
/// the first `per` after an idle time may therefore see nearly twice `count`;
/// [`strict`](Self::strict) spaces events evenly instead.
///
/// ```
/// use core::num::NonZeroU32;
/// use fetch_proto::Rate;
///
/// let rate: Rate = "50/s".parse()?;
/// assert_eq!(rate, Rate::per_second(NonZeroU32::new(50).unwrap()).strict());
/// # Ok::<(), fetch_proto::RateError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(try_from = "RateData", into = "RateData"))]
pub struct Rate {
    count: NonZeroU32,
    burst: NonZeroU32,
    /// Nanoseconds, not 0.
    per: u64,
}

impl Rate {
    /// `count` events per `per`, with a burst of `count`. `None` if `per` is zero. Periods over 584
    /// years count as 584 years.
    ///
    /// ```
    /// use core::num::NonZeroU32;
    /// use core::time::Duration;
    /// use fetch_proto::Rate;
    ///
    /// assert!(Rate::new(NonZeroU32::MIN, Duration::from_millis(250)).is_some());
    /// assert!(Rate::new(NonZeroU32::MIN, Duration::ZERO).is_none());
    /// ```
    #[must_use]
    pub fn new(count: NonZeroU32, per: Duration) -> Option<Self> {
        let per = nanos(per);
        (per > 0).then_some(Self {
            count,
            burst: count,
            per,
        })
    }

    /// `count` events per second, with a burst of `count`.
    ///
    /// ```
    /// use core::num::NonZeroU32;
    /// let rate = fetch_proto::Rate::per_second(NonZeroU32::new(50).unwrap());
    /// assert_eq!(rate.burst_size().get(), 50);
    /// ```
    #[must_use]
    pub const fn per_second(count: NonZeroU32) -> Self {
        Self {
            count,
            burst: count,
            per: 1_000_000_000,
        }
    }

    /// `count` events per minute, with a burst of `count`.
    ///
    /// ```
    /// use core::num::NonZeroU32;
    /// let rate = fetch_proto::Rate::per_minute(NonZeroU32::new(10).unwrap());
    /// assert_eq!(rate.strict().to_string(), "10/m");
    /// ```
    #[must_use]
    pub const fn per_minute(count: NonZeroU32) -> Self {
        Self {
            count,
            burst: count,
            per: 60_000_000_000,
        }
    }

    /// Time from the first to the last of `n` events, sent as fast as the rate allows after an idle
    /// time. The burst takes no time.
    ///
    /// ```
    /// use core::time::Duration;
    /// let rate: fetch_proto::Rate = "2/s".parse()?;
    /// assert_eq!(rate.time_for(11), Duration::from_secs(5));
    /// # Ok::<(), fetch_proto::RateError>(())
    /// ```
    #[must_use]
    pub const fn time_for(&self, n: u64) -> Duration {
        let waiting = n.saturating_sub(self.burst.get() as u64) as u128;
        let nanos = waiting * self.per as u128 / self.count.get() as u128;
        let seconds = nanos / 1_000_000_000;
        if seconds > u64::MAX as u128 {
            return Duration::MAX;
        }
        Duration::new(seconds as u64, (nanos % 1_000_000_000) as u32)
    }

    /// The same rate without bursts, that is, with a burst of 1.
    ///
    /// ```
    /// use core::num::NonZeroU32;
    /// let rate = fetch_proto::Rate::per_second(NonZeroU32::new(50).unwrap()).strict();
    /// assert_eq!(rate.burst_size(), NonZeroU32::MIN);
    /// ```
    #[must_use]
    pub const fn strict(self) -> Self {
        self.burst(NonZeroU32::MIN)
    }

    /// The same rate with another burst.
    ///
    /// ```
    /// use core::num::NonZeroU32;
    /// use fetch_proto::Rate;
    /// let rate = "50/s".parse::<Rate>()?.burst(NonZeroU32::new(5).unwrap());
    /// assert_eq!(rate.burst_size().get(), 5);
    /// # Ok::<(), fetch_proto::RateError>(())
    /// ```
    #[must_use]
    pub const fn burst(mut self, burst: NonZeroU32) -> Self {
        self.burst = burst;
        self
    }

    /// Number of events per [`period`](Self::period).
    ///
    /// ```
    /// assert_eq!("50/s".parse::<fetch_proto::Rate>().unwrap().count().get(), 50);
    /// ```
    #[must_use]
    pub const fn count(self) -> NonZeroU32 {
        self.count
    }

    /// Period of [`count`](Self::count) events; never zero.
    ///
    /// ```
    /// use core::time::Duration;
    /// let rate: fetch_proto::Rate = "2/500ms".parse().unwrap();
    /// assert_eq!(rate.period(), Duration::from_millis(500));
    /// ```
    #[must_use]
    pub const fn period(self) -> Duration {
        Duration::from_nanos(self.per)
    }

    /// Number of events admitted at once after an idle time.
    ///
    /// ```
    /// assert_eq!("50/s".parse::<fetch_proto::Rate>().unwrap().burst_size().get(), 1);
    /// ```
    #[must_use]
    pub const fn burst_size(self) -> NonZeroU32 {
        self.burst
    }
}

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
];

/// The syntax that [`FromStr`] reads, without the burst.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match UNITS
            .iter()
            .find(|(_, unit)| self.per.is_multiple_of(*unit))
        {
            Some((name, unit)) if self.per == *unit => write!(f, "{}/{name}", self.count),
            Some((name, unit)) => write!(f, "{}/{}{name}", self.count, self.per / unit),
            None => write!(f, "{}/{}ns", self.count, self.per),
        }
    }
}

/// Parses curl's `--rate` syntax: a count, `/`, an optional number, and a unit `ms`, `s`, `m`, `h`
/// or `d`. As in curl, requests are spaced evenly (a burst of 1); unlike in curl, the unit is
/// required.
///
/// ```
/// use fetch_proto::Rate;
/// assert!("10/m".parse::<Rate>().is_ok() && "2/500ms".parse::<Rate>().is_ok());
/// assert!("10".parse::<Rate>().is_err());
/// ```
impl FromStr for Rate {
    type Err = RateError;

    fn from_str(text: &str) -> Result<Self, RateError> {
        let invalid = |kind| RateError {
            text: text.into(),
            kind,
        };
        let (count, per) = text
            .split_once('/')
            .ok_or_else(|| invalid(RateErrorKind::NoUnit))?;
        let count =
            parse_digits(count).and_then(|count| NonZeroU32::new(u32::try_from(count).ok()?));
        let count = count.ok_or_else(|| invalid(RateErrorKind::Count))?;
        let digits = per.bytes().take_while(u8::is_ascii_digit).count();
        let (times, unit) = per.split_at(digits);
        let times = if times.is_empty() {
            Some(1)
        } else {
            parse_digits(times)
        };
        let times = times
            .filter(|times| *times > 0)
            .ok_or_else(|| invalid(RateErrorKind::Period))?;
        let unit = UNITS.iter().find(|(name, _)| *name == unit);
        let (_, unit) = unit.ok_or_else(|| invalid(RateErrorKind::Unit))?;
        let per = unit
            .checked_mul(times)
            .ok_or_else(|| invalid(RateErrorKind::Period))?;
        Ok(Self {
            count,
            burst: NonZeroU32::MIN,
            per,
        })
    }
}

fn parse_digits(digits: &str) -> Option<u64> {
    // `parse` alone would accept a sign.
    digits
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| digits.parse().ok())?
}

/// A text is not a valid [`Rate`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RateError {
    text: Box<str>,
    kind: RateErrorKind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum RateErrorKind {
    Count,
    NoUnit,
    Period,
    Unit,
}

impl fmt::Display for RateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            RateErrorKind::Count => "the count must be a whole number from 1 to 4294967295",
            RateErrorKind::NoUnit => "the unit of time is missing",
            RateErrorKind::Period => "the period must be over zero and under 584 years",
            RateErrorKind::Unit => "the unit must be ms, s, m, h or d",
        };
        write!(
            f,
            "{} is not a rate: {kind}, as in 50/s, 10/m or 2/500ms",
            Quoted(&self.text)
        )
    }
}

impl core::error::Error for RateError {}

#[cfg(feature = "serde")]
#[derive(serde::Deserialize, serde::Serialize)]
#[serde(rename = "Rate", deny_unknown_fields)]
struct RateData {
    count: NonZeroU32,
    per: Duration,
    #[serde(default = "one")]
    burst: NonZeroU32,
}

#[cfg(feature = "serde")]
fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

#[cfg(feature = "serde")]
impl TryFrom<RateData> for Rate {
    type Error = &'static str;

    fn try_from(data: RateData) -> Result<Self, Self::Error> {
        let rate = Self::new(data.count, data.per).ok_or("a rate's period must be over zero")?;
        Ok(rate.burst(data.burst))
    }
}

#[cfg(feature = "serde")]
impl From<Rate> for RateData {
    fn from(rate: Rate) -> Self {
        Self {
            count: rate.count,
            per: rate.period(),
            burst: rate.burst,
        }
    }
}
