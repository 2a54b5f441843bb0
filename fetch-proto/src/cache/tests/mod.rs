//! Tables of cases, and properties.

mod properties;
mod storing;
mod updating;
mod using;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::model::method::Method;

/// 2026-11-30 00:00:00 UTC.
const NOW: WallTime = at(0);

const fn at(seconds: u64) -> WallTime {
    WallTime::from_seconds(1_795_996_800 + seconds)
}

/// Header fields in one text: `name: value | name: value`. `@60` is the date a minute after [`NOW`].
struct Lines(Vec<(String, Vec<u8>)>);

impl CacheFields for Lines {
    fn each_value(&self, name: &str, each: &mut dyn FnMut(&[u8])) {
        self.0.each_value(name, each);
    }
}

fn lines(text: &str) -> Lines {
    let line = |line: &str| {
        let (name, value) = line.split_once(':').unwrap();
        let value = value.trim();
        let value = match value.strip_prefix('@') {
            Some(offset) => date(offset.parse().unwrap()),
            None => value.into(),
        };
        (name.trim().into(), value.into_bytes())
    };
    let given = text.split(" | ").filter(|line| !line.is_empty());
    Lines(given.map(line).collect())
}

/// The date this many seconds after midnight of [`NOW`]'s day, or before it.
fn date(offset: i64) -> String {
    let (day, second) = (offset.div_euclid(86_400), offset.rem_euclid(86_400));
    assert!((-29..=0).contains(&day), "{offset}");
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    let names = ["Mon", "Sun", "Sat", "Fri", "Thu", "Wed", "Tue"];
    let name = names[usize::try_from(-day % 7).unwrap()];
    alloc::format!("{name}, {:02} Nov 2026 {h:02}:{m:02}:{s:02} GMT", 30 + day)
}

fn request<'a>(fields: &'a Lines, mode: CacheMode) -> CacheRequest<'a> {
    CacheRequest {
        fields,
        method: &Method::Get,
        mode,
    }
}

/// The decision about a response with these fields to a request with those.
fn store(
    asked: &str,
    status: u16,
    fields: &str,
    rules: &CacheRules,
) -> Result<StoredHead, NotStored> {
    let (asked, fields) = (lines(asked), lines(fields));
    let response = CacheResponse {
        fields: &fields,
        requested: NOW,
        received: NOW,
        status,
    };
    judge_store(request(&asked, CacheMode::Default), response, rules)
}

fn shared() -> CacheRules {
    CacheRules::default().scope(CacheScope::Shared)
}

/// What is done with a request after so many seconds, in one word, given the response with these fields.
fn used(
    fields: &str,
    after: u64,
    asked: &str,
    mode: CacheMode,
    rules: &CacheRules,
) -> &'static str {
    let head = store("", 200, fields, rules).unwrap();
    let asked = lines(asked);
    match judge_use(request(&asked, mode), &[&head], at(after), rules) {
        CacheUse::Serve {
            revalidate: true, ..
        } => "background",
        CacheUse::Serve { ttl, .. } if ttl <= 0 => "stale",
        CacheUse::Serve { .. } => "fresh",
        CacheUse::Validate { .. } => "validate",
        CacheUse::Forward(_) => "forward",
        CacheUse::Unavailable(_) => "504",
    }
}

#[test]
fn dates_of_these_tests_are_right() {
    assert_eq!(WallTime::parse(&date(0), NOW), Some(NOW));
    assert_eq!(
        NOW.seconds_since(WallTime::parse(&date(-7200), NOW).unwrap()),
        Duration::from_secs(7200)
    );
}
