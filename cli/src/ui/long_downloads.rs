//! Downloads that take longer than an hour, in the progress line and in the summary.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use fetch_driver::{ActiveDownload, RedactedUrl};

use crate::display::{ByteSize, ShortDuration, plural, sanitize_up_to, shorten_middle};

/// The age from which a download is named.
pub(crate) const MIN_AGE: Duration = Duration::from_secs(3600);

/// The time between two updates.
const INTERVAL: Duration = Duration::from_secs(1);

/// The most downloads that are remembered.
const MAX_DOWNLOADS: usize = 10_000;

/// The most downloads that the summary names.
const NAMED: usize = 5;

/// The most characters of a URL in the progress line, and in the summary.
const MAX_CHARS: (usize, usize) = (60, 500);

/// Where a download stands. Times are since the start of the run.
#[derive(Clone, Copy, Debug)]
struct DownloadState {
    bytes: u64,
    bytes_per_second: u64,
    /// When this was observed.
    seen: Duration,
}

/// The downloads that take longer than [`MIN_AGE`].
#[derive(Debug, Default)]
pub(crate) struct LongDownloads {
    /// By start and URL, without secrets: the oldest first.
    downloads: BTreeMap<(Duration, String), DownloadState>,
    updated: Duration,
}

impl LongDownloads {
    /// Whether an update is due.
    pub(crate) fn is_due(&self, now: Duration) -> bool {
        now >= MIN_AGE.max(self.updated + INTERVAL)
    }

    /// Updates what is known of the downloads that are at least [`MIN_AGE`] old.
    pub(crate) fn update(&mut self, downloads: &[ActiveDownload], now: Duration) {
        self.updated = now;
        for download in downloads {
            let url = RedactedUrl(&download.url).to_string();
            let key = (download.since.since_start(), url);
            if self.downloads.len() >= MAX_DOWNLOADS && !self.downloads.contains_key(&key) {
                continue;
            }
            let state = DownloadState {
                bytes: download.bytes,
                bytes_per_second: download.bytes_per_second,
                seen: now,
            };
            self.downloads.insert(key, state);
        }
    }

    /// The downloads that are still running, as the end of the progress line; the oldest is named.
    /// Empty if there are none.
    pub(crate) fn progress_text(&self) -> String {
        let all = self.downloads.iter();
        let mut running = all.filter(|(_, state)| state.seen == self.updated);
        let Some(oldest) = running.next() else {
            return String::new();
        };
        let (count, more) = match running.count() as u64 + 1 {
            1 => (1, ""),
            count => (count, ", …"),
        };
        let count = plural(count, "download", "downloads");
        let (url, facts) = describe(oldest, MAX_CHARS.0);
        format!(" · {count} over 1 h: {url} ({facts}){more}")
    }
}

impl fmt::Display for LongDownloads {
    /// The lines of the summary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.downloads.is_empty() {
            return Ok(());
        }
        let all = self.downloads.len();
        let count = plural(all as u64, "download", "downloads");
        let more = if all > NAMED { ", the longest:" } else { ":" };
        writeln!(f, "  over 1 h  {count}{more}")?;
        let mut longest: Vec<_> = self.downloads.iter().collect();
        longest.sort_by_key(|((since, _), state)| std::cmp::Reverse(state.seen - *since));
        for download in longest.into_iter().take(NAMED) {
            let (url, facts) = describe(download, MAX_CHARS.1);
            writeln!(f, "            {url} ({facts})")?;
        }
        Ok(())
    }
}

/// The URL, and the age, size and speed.
fn describe(
    ((since, url), state): (&(Duration, String), &DownloadState),
    max: usize,
) -> (String, String) {
    let (age, size) = (ShortDuration(state.seen - *since), ByteSize(state.bytes));
    let speed = ByteSize(state.bytes_per_second);
    let url = shorten_middle(url, max);
    let url = sanitize_up_to(MAX_CHARS.1, url.as_bytes());
    (url, format!("{age}, {size}, {speed}/s"))
}

#[cfg(test)]
mod tests {
    use fetch_proto::{
        Engine, EngineConfig, EngineOutput, FetchRequest, HeadSummary, Input, PolicyRules,
        Timestamp,
    };

    use super::*;

    #[test]
    fn downloads_over_an_hour_are_named_without_secrets_while_they_run_and_at_the_end() {
        let start = Timestamp::START;
        let minutes = |n: u64| start + Duration::from_secs(60 * n);
        let policy = fetch_proto::Policy::default().timeouts(fetch_proto::Timeouts::NONE);
        let config = EngineConfig::default().rules(PolicyRules::from_policy(policy));
        let mut engine = Engine::new(config, 7, start);
        let urls = ["http://u:secret@a.test/big?token=abc", "http://b.test/big"];
        for url in urls {
            let request = FetchRequest::get(url.parse().unwrap());
            engine.submit(request, start).unwrap();
        }
        let mut attempts = Vec::new();
        while let EngineOutput::Start(attempt) = engine.poll(start) {
            attempts.push(attempt.id);
        }
        for (id, at) in attempts.iter().zip([0, 10]) {
            engine.handle(*id, Input::Head(HeadSummary::status(200)), minutes(at));
        }
        engine.handle(attempts[0], Input::Body { bytes: 36 << 20 }, minutes(60));
        let mut long = LongDownloads::default();
        let mut update = |engine: &Engine, minute| {
            let now = minutes(minute);
            long.update(&engine.downloads(MIN_AGE, now), now.since_start());
            long.progress_text()
        };
        assert_eq!(update(&engine, 59), "");
        let first = "http://REDACTED:REDACTED@a.test/big?token=REDACTED";
        let text = format!(" · 1 download over 1 h: {first} (60 min, 36.0 MiB, 10.2 KiB/s)");
        assert_eq!(update(&engine, 60), text);
        let text = format!(" · 2 downloads over 1 h: {first} (80 min, 36.0 MiB, 7.7 KiB/s), …");
        assert_eq!(update(&engine, 80), text);
        engine.handle(attempts[0], Input::End(Ok(())), minutes(90));
        let second = "http://b.test/big (99 min, 0 B, 0 B/s)";
        let text = format!(" · 1 download over 1 h: {second}");
        assert_eq!(update(&engine, 109), text);
        let summary = [
            "  over 1 h  2 downloads:".to_owned(),
            format!("            {second}"),
            format!("            {first} (80 min, 36.0 MiB, 7.7 KiB/s)"),
        ];
        assert_eq!(long.to_string().lines().collect::<Vec<_>>(), summary);
    }

    #[test]
    fn no_update_is_due_in_the_first_hour_of_a_run() {
        let long = LongDownloads::default();
        assert!(!long.is_due(MIN_AGE - INTERVAL) && long.is_due(MIN_AGE));
    }
}
