//! A stored response, for people and as JSON.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fetch_driver::cache::{StoredHead, WallTime};
use fetch_driver::{CacheEntry, CacheFile};
use fetch_proto::{ShortDuration, redact_secrets};
use serde::Serialize;

use crate::display::{ByteSize, escape_unsafe};

/// What a stored response is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum StoredState {
    /// It is used without a request.
    Fresh,
    /// The server is asked whether it is still valid.
    Stale,
    /// It has no validator, so it is fetched again; it may still replace an error.
    Expired,
}

impl StoredState {
    pub(super) fn new(head: &StoredHead, now: WallTime) -> Self {
        match (head.is_fresh(now), head.has_validator()) {
            (true, _) => Self::Fresh,
            (false, true) => Self::Stale,
            (false, false) => Self::Expired,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Expired => "expired",
        }
    }
}

/// A stored response in a list.
#[derive(Debug, Serialize)]
pub(super) struct EntryRow {
    pub(super) url: String,
    pub(super) state: StoredState,
    /// In seconds.
    pub(super) age: u64,
    /// In seconds.
    pub(super) lifetime: u64,
    pub(super) status: u16,
    /// Of the body, in bytes.
    pub(super) size: u64,
    pub(super) identity: Option<String>,
    pub(super) vary: Vec<String>,
    pub(super) received: String,
    pub(super) used: String,
    pub(super) file: String,
    pub(super) file_size: u64,
}

/// The heading of the columns of a list.
pub(super) const HEADING: &str = "STATE        AGE  LIFETIME STATUS       SIZE URL\n";

impl EntryRow {
    pub(super) fn new(file: &CacheFile, entry: &CacheEntry, now: WallTime) -> Self {
        let head = &entry.response.head;
        Self {
            url: shown_url(&entry.url),
            state: StoredState::new(head, now),
            age: head.age(now).as_secs(),
            lifetime: head.lifetime().as_secs(),
            status: head.status(),
            size: entry.body_len,
            identity: entry.identity.as_deref().map(short_identity),
            vary: head.vary().map(|(name, _)| name.to_owned()).collect(),
            received: UNIX_EPOCH
                .checked_add(head.received().since_1970())
                .map_or_else(|| "unknown".into(), time_text),
            used: time_text(file.used),
            file: file.path.display().to_string(),
            file_size: file.bytes,
        }
    }
}

impl fmt::Display for EntryRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |seconds| ShortDuration(Duration::from_secs(seconds)).to_string();
        write!(
            f,
            "{:<7} {:>8} {:>9} {:>6} {:>10} {}",
            self.state.name(),
            seconds(self.age),
            seconds(self.lifetime),
            self.status,
            ByteSize(self.size).to_string(),
            self.url
        )
    }
}

/// A URL without secrets and control characters.
pub(super) fn shown_url(url: &str) -> String {
    escape_unsafe(&redact_secrets(url)).into_owned()
}

/// The first digits of an identity, which distinguish it.
pub(super) fn short_identity(identity: &str) -> String {
    identity.chars().take(16).collect()
}

/// A time, to the second, in UTC.
pub(super) fn time_text(time: SystemTime) -> String {
    match jiff::Timestamp::try_from(time) {
        Ok(time) => format!("{time:.0}"),
        Err(_) => "unknown".into(),
    }
}
