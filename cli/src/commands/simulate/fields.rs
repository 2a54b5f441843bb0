//! The values of a model that are strings or small tables.

use std::fmt;
use std::time::Duration;

use fetch_proto::Rate;
use fetch_proto::testing::LatencyModel;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use toml::Spanned;

use crate::args::values;
use crate::config::toml_file::{TextDuration, deserialize_text, parse_duration};

/// A share of all requests, in thousandths.
#[derive(Debug)]
pub(super) struct RequestShare(pub(super) Spanned<u16>);

/// A number of bytes.
#[derive(Debug)]
pub(super) struct ByteCount(pub(super) Spanned<u64>);

/// The rate above which requests get a 429.
#[derive(Clone, Copy, Debug)]
pub(super) struct ThrottleRate(pub(super) Rate);

/// The distribution of response times.
#[derive(Clone, Copy, Debug)]
pub(super) struct LatencyField(pub(super) LatencyModel);

impl<'de> Deserialize<'de> for RequestShare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct RawPercentage(#[serde(deserialize_with = "read")] u16);

        fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
            deserialize_text(deserializer, "a share such as \"0.5%\"", parse_share)
        }

        let raw = Spanned::<RawPercentage>::deserialize(deserializer)?;
        Ok(Self(Spanned::new(raw.span(), raw.into_inner().0)))
    }
}

impl<'de> Deserialize<'de> for ByteCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct RawSize(#[serde(deserialize_with = "read")] u64);

        fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
            deserialize_text(deserializer, "a size such as \"200k\"", values::bytes)
        }

        let raw = Spanned::<RawSize>::deserialize(deserializer)?;
        Ok(Self(Spanned::new(raw.span(), raw.into_inner().0)))
    }
}

impl<'de> Deserialize<'de> for ThrottleRate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer, "a rate such as \"100/s\"", |text| {
            let rate: Rate = text.parse().map_err(|error| format!("{error}"))?;
            // As in common servers, the burst is the count of one unit of time.
            Ok(Self(rate.burst(rate.count())))
        })
    }
}

/// Parses a percentage into thousandths.
fn parse_share(text: &str) -> Result<u16, String> {
    let wrong = "not a share: write a percentage such as \"2%\" or \"0.5%\", \
                 with at most one decimal";
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

const SYNTAX: &str = "write \"20ms\", \"10ms..80ms\", { mean = \"30ms\" }, \
                     { median = \"20ms\", p99 = \"300ms\" } or { p50, p90, p99, max }";

impl<'de> Deserialize<'de> for LatencyField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LatencyVisitor;

        impl<'de> Visitor<'de> for LatencyVisitor {
            type Value = LatencyModel;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a time or a distribution: {SYNTAX}")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<LatencyModel, E> {
                let (min, max) = text.split_once("..").unwrap_or((text, text));
                let bounds = parse_duration(min).and_then(|min| Ok((min, parse_duration(max)?)));
                let (min, max) = bounds.map_err(|_| E::custom(format!("not a time: {SYNTAX}")))?;
                match min > max {
                    true => Err(E::custom("the first time is longer: write it second")),
                    false => Ok(LatencyModel::uniform(min, max)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<LatencyModel, A::Error> {
                let spread = LatencyTable::deserialize(MapAccessDeserializer::new(map))?;
                spread.latency().map_err(A::Error::custom)
            }
        }

        deserializer.deserialize_any(LatencyVisitor).map(Self)
    }
}

/// A distribution of latencies, as a table.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LatencyTable {
    max: Option<TextDuration>,
    mean: Option<TextDuration>,
    median: Option<TextDuration>,
    p50: Option<TextDuration>,
    p90: Option<TextDuration>,
    p99: Option<TextDuration>,
}

impl LatencyTable {
    fn latency(&self) -> Result<LatencyModel, String> {
        let time = |period: Option<TextDuration>| period.map(|period| period.0);
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
            (Some(mean), None, None, None, None, None) => Ok(LatencyModel::exponential(mean)),
            (None, Some(median), None, None, Some(p99), None) => {
                rising(&[median, p99])?;
                Ok(LatencyModel::log_normal(median, p99))
            }
            (None, None, Some(p50), Some(p90), Some(p99), Some(max)) => {
                rising(&[p50, p90, p99, max])?;
                Ok(LatencyModel::percentiles(p50, p90, p99, max))
            }
            _ => Err(format!("these keys do not make one latency: {SYNTAX}")),
        }
    }
}
