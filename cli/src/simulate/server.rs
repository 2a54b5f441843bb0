//! A table of the model that says how a host behaves.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use fetch_proto::Rate;
use fetch_proto::testing::{Down, Latency, Outage, Server};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use toml::Spanned;

use crate::args::values;
use crate::exit::Stop;
use crate::toml_file::{Document, Period, period, text};

/// A `[[host]]`, or `[default]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) name: Option<Spanned<String>>,
    pub(super) urls: Option<Spanned<u64>>,
    pub(super) hosts: Option<Spanned<usize>>,
    #[serde(default)]
    pub(super) outage: Vec<OutageTable>,
    bandwidth: Option<Size>,
    body: Option<Size>,
    burst: Option<Spanned<u32>>,
    capacity: Option<Capacity>,
    errors: Option<Share>,
    latency: Option<Times>,
    rejection: Option<Period>,
    resets: Option<Share>,
    retry_after: Option<Period>,
    stalls: Option<Share>,
    throttle: Option<Limit>,
    unavailable: Option<Share>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Capacity {
    workers: Spanned<u32>,
    queue: u32,
}

/// An `[[outage]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OutageTable {
    from: Period,
    until: Spanned<Period>,
    how: Spanned<How>,
    retry_after: Option<Period>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
enum How {
    #[serde(rename = "refuse")]
    Refuse,
    #[serde(rename = "stall")]
    Stall,
    #[serde(rename = "503")]
    Unavailable,
}

impl Table {
    /// The behaviour that it describes.
    ///
    /// # Errors
    ///
    /// If parts contradict each other.
    pub(super) fn server(&self, document: &Document) -> Result<Server, Stop> {
        let share = |share: &Option<Share>| share.as_ref().map_or(0, |share| *share.0.get_ref());
        let shares = [&self.errors, &self.resets, &self.stalls, &self.unavailable];
        if shares.iter().map(|s| share(s)).sum::<u16>() > 1000 {
            let last = shares.iter().rev().find_map(|share| share.as_ref());
            let span = last.map_or(0..0, |share| share.0.span());
            let why =
                "errors, resets, stalls and unavailable are more than 100% together: write less";
            return Err(document.wrong(span, why));
        }
        let mut server = Server::default()
            .errors(share(&self.errors))
            .resets(share(&self.resets))
            .stalls(share(&self.stalls))
            .unavailable(share(&self.unavailable));
        if let Some(latency) = &self.latency {
            server = server.latency(latency.0);
        }
        if let Some(time) = self.rejection {
            server = server.rejection(time.0);
        }
        if let Some(wait) = self.retry_after {
            server = server.retry_after(wait.0);
        }
        if let Some(rate) = self.throttle(document)? {
            server = server.throttle(rate);
        }
        if let Some(capacity) = &self.capacity {
            let workers = *capacity.workers.get_ref();
            if workers == 0 {
                let why = "a server without workers answers nothing: write 1 or more";
                return Err(document.wrong(capacity.workers.span(), why));
            }
            server = server.capacity(workers, capacity.queue);
        }
        self.body(server, document)
    }

    fn throttle(&self, document: &Document) -> Result<Option<Rate>, Stop> {
        let Some(burst) = &self.burst else {
            return Ok(self.throttle.as_ref().map(|limit| limit.0));
        };
        let wrong = |why| document.wrong(burst.span(), why);
        let Some(limit) = &self.throttle else {
            return Err(wrong("a burst of no limit: write throttle = \"100/s\" too"));
        };
        let burst = NonZeroU32::new(*burst.get_ref());
        let burst = burst.ok_or_else(|| wrong("nothing would be admitted: write 1 or more"))?;
        Ok(Some(limit.0.burst(burst)))
    }

    fn body(&self, server: Server, document: &Document) -> Result<Server, Stop> {
        let size = |size: &Option<Size>| size.as_ref().map(|size| *size.0.get_ref());
        match (&self.bandwidth, size(&self.body)) {
            (Some(bandwidth), None) => {
                let why = "the bandwidth of no body: write body = \"200k\" too";
                Err(document.wrong(bandwidth.0.span(), why))
            }
            (Some(bandwidth), _) if *bandwidth.0.get_ref() == 0 => {
                let why = "no body would ever come: write 1 or more, or stalls = \"100%\"";
                Err(document.wrong(bandwidth.0.span(), why))
            }
            (_, None) => Ok(server),
            (_, Some(bytes)) => Ok(server.body(bytes, size(&self.bandwidth))),
        }
    }
}

impl OutageTable {
    pub(super) fn span(&self) -> std::ops::Range<usize> {
        self.how.span()
    }

    /// The outage that it describes.
    ///
    /// # Errors
    ///
    /// If parts contradict each other.
    pub(super) fn outage(&self, document: &Document) -> Result<Outage, Stop> {
        let (from, until) = (self.from.0, self.until.get_ref().0);
        if until <= from {
            let why = "an outage that ends before it begins: write a time after `from`";
            return Err(document.wrong(self.until.span(), why));
        }
        let wait = self.retry_after.map(|wait| wait.0);
        let how = match self.how.get_ref() {
            How::Unavailable => Down::Unavailable(wait),
            _ if wait.is_some() => {
                let why = "only a 503 has a retry_after: write how = \"503\", or leave that out";
                return Err(document.wrong(self.how.span(), why));
            }
            How::Refuse => Down::Refuse,
            How::Stall => Down::Stall,
        };
        Ok(Outage { from, until, how })
    }
}

/// A share of all requests, in thousandths.
#[derive(Debug)]
struct Share(Spanned<u16>);

/// A number of bytes.
#[derive(Debug)]
struct Size(Spanned<u64>);

/// The rate above which the answer is 429.
#[derive(Clone, Copy, Debug)]
struct Limit(Rate);

/// How long an answer takes.
#[derive(Clone, Copy, Debug)]
struct Times(Latency);

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Raw(#[serde(deserialize_with = "read")] u16);

        fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
            text(deserializer, "a share such as \"0.5%\"", share)
        }

        let raw = Spanned::<Raw>::deserialize(deserializer)?;
        Ok(Self(Spanned::new(raw.span(), raw.into_inner().0)))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Raw(#[serde(deserialize_with = "read")] u64);

        fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
            text(deserializer, "a size such as \"200k\"", values::bytes)
        }

        let raw = Spanned::<Raw>::deserialize(deserializer)?;
        Ok(Self(Spanned::new(raw.span(), raw.into_inner().0)))
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, "a rate such as \"100/s\"", |text| {
            let rate: Rate = text.parse().map_err(|error| format!("{error}"))?;
            // What servers do: as many at once as in one unit of time.
            Ok(Self(rate.burst(rate.count())))
        })
    }
}

/// Reads `0.5%` as thousandths, exactly.
fn share(text: &str) -> Result<u16, String> {
    let wrong = "not a share: write a percentage such as \"2%\" or \"0.5%\", \
                 with one digit after the point at the most";
    let number = text.trim().strip_suffix('%').ok_or(wrong)?.trim_end();
    let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(tenth) || tenth.len() > 1 || whole.len() > 3 {
        return Err(wrong.to_owned());
    }
    let whole: u16 = whole.parse().map_err(|_| wrong)?;
    let tenth: u16 = tenth.parse().map_err(|_| wrong)?;
    match whole * 10 + tenth {
        share @ 0..=1000 => Ok(share),
        _ => Err("more than 100%: write less".to_owned()),
    }
}

const FORMS: &str = "write \"20ms\", \"10ms..80ms\", { mean = \"30ms\" }, \
                     { median = \"20ms\", p99 = \"300ms\" } or { p50, p90, p99, max }";

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Latency;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a time or how it is spread: {FORMS}")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Latency, E> {
                let (min, max) = text.split_once("..").unwrap_or((text, text));
                let bounds = period(min).and_then(|min| Ok((min, period(max)?)));
                let (min, max) = bounds.map_err(|_| E::custom(format!("not a time: {FORMS}")))?;
                match min > max {
                    true => Err(E::custom("the first time is the longer: write it second")),
                    false => Ok(Latency::uniform(min, max)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Latency, A::Error> {
                let spread = Spread::deserialize(MapAccessDeserializer::new(map))?;
                spread.latency().map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(Form).map(Self)
    }
}

/// A latency that is not the same for all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spread {
    max: Option<Period>,
    mean: Option<Period>,
    median: Option<Period>,
    p50: Option<Period>,
    p90: Option<Period>,
    p99: Option<Period>,
}

impl Spread {
    fn latency(&self) -> Result<Latency, String> {
        let time = |period: Option<Period>| period.map(|period| period.0);
        let rising = |times: &[Duration]| match times.is_sorted() {
            true => Ok(()),
            false => Err("the times do not rise: write the shortest first".to_owned()),
        };
        let (p90, p99, max) = (time(self.p90), time(self.p99), time(self.max));
        match (
            time(self.mean),
            time(self.median),
            time(self.p50),
            p90,
            p99,
            max,
        ) {
            (Some(mean), None, None, None, None, None) => Ok(Latency::exponential(mean)),
            (None, Some(median), None, None, Some(p99), None) => {
                rising(&[median, p99])?;
                Ok(Latency::log_normal(median, p99))
            }
            (None, None, Some(p50), Some(p90), Some(p99), Some(max)) => {
                rising(&[p50, p90, p99, max])?;
                Ok(Latency::percentiles(p50, p90, p99, max))
            }
            _ => Err(format!("these do not make one latency: {FORMS}")),
        }
    }
}
