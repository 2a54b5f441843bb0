//! `fetch-all cache stats`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::SystemTime;

use serde::Serialize;
use url::Url;

use crate::args::command::StatsArgs;
use crate::commands::cache::row::{StoredState, time_text};
use crate::commands::cache::{each_head, file_error, now, open};
use crate::display::{ByteSize, plural};
use crate::exit::CliError;
use crate::output::target::{print_stdout, print_text};

/// How many hosts are named.
const NAMED_HOSTS: usize = 10;

/// What is in a cache.
#[derive(Default, Serialize)]
struct CacheSummary {
    responses: u64,
    urls: u64,
    hosts: usize,
    fresh: u64,
    stale: u64,
    expired: u64,
    /// Responses to requests with credentials, or with another setting of the fetcher.
    with_identity: u64,
    identities: usize,
    /// Of all files, in bytes.
    size: u64,
    /// In bytes, decoded.
    body_size: u64,
    damaged_files: u64,
    unfinished_files: usize,
    oldest_use: Option<String>,
    newest_use: Option<String>,
    /// The hosts with the most bytes.
    largest_hosts: Vec<HostSize>,
}

#[derive(Serialize)]
struct HostSize {
    host: String,
    responses: u64,
    size: u64,
}

pub(super) fn run(args: &StatsArgs) -> Result<u8, CliError> {
    let summary = summarize(args)?;
    if args.json {
        let text = serde_json::to_string_pretty(&summary).map_err(CliError::internal)? + "\n";
        print_stdout(text.as_bytes())?;
        return Ok(0);
    }
    print_text(&summary.to_string())?;
    if summary.damaged_files > 0 {
        let directory = args.directory.display();
        print_text(&format!(
            "`fetch-all cache verify {directory}` lists damage\n"
        ))?;
    }
    Ok(0)
}

fn summarize(args: &StatsArgs) -> Result<CacheSummary, CliError> {
    let (cache, now) = (open(&args.directory)?, now());
    let mut summary = CacheSummary::default();
    let mut hosts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut identities = BTreeSet::new();
    let mut uses: Option<(SystemTime, SystemTime)> = None;
    // The files of a URL are in one folder, and come one after another.
    let mut folder: Option<PathBuf> = None;
    each_head(&args.directory, &cache, |file, entry| {
        summary.size += file.bytes;
        let Ok(entry) = entry else {
            summary.damaged_files += 1;
            return Ok(());
        };
        summary.responses += 1;
        if folder.as_deref() != file.path.parent() {
            folder = file.path.parent().map(Into::into);
            summary.urls += 1;
        }
        match StoredState::new(&entry.response.head, now) {
            StoredState::Fresh => summary.fresh += 1,
            StoredState::Stale => summary.stale += 1,
            StoredState::Expired => summary.expired += 1,
        }
        summary.body_size += entry.body_len;
        if let Some(identity) = entry.identity {
            summary.with_identity += 1;
            identities.insert(identity);
        }
        let (oldest, newest) = uses.unwrap_or((file.used, file.used));
        uses = Some((oldest.min(file.used), newest.max(file.used)));
        let host = Url::parse(&entry.url).ok();
        let host = host.and_then(|url| url.host_str().map(str::to_owned));
        let (responses, size) = hosts.entry(host.unwrap_or_default()).or_default();
        (*responses, *size) = (*responses + 1, *size + file.bytes);
        Ok(())
    })?;
    let unfinished = cache.unfinished();
    let unfinished = unfinished.map_err(|error| file_error(&args.directory, &error))?;
    summary.unfinished_files = unfinished.len();
    summary.size += unfinished.iter().map(|file| file.bytes).sum::<u64>();
    summary.identities = identities.len();
    summary.oldest_use = uses.map(|(oldest, _)| time_text(oldest));
    summary.newest_use = uses.map(|(_, newest)| time_text(newest));
    summary.hosts = hosts.len();
    let mut largest: Vec<_> = hosts.into_iter().collect();
    largest.sort_by_key(|(_, (_, size))| std::cmp::Reverse(*size));
    let named = largest.into_iter().take(NAMED_HOSTS);
    summary.largest_hosts = named
        .map(|(host, (responses, size))| HostSize {
            host,
            responses,
            size,
        })
        .collect();
    Ok(summary)
}

impl fmt::Display for CacheSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let urls = plural(self.urls, "URL", "URLs");
        let hosts = plural(self.hosts as u64, "host", "hosts");
        writeln!(f, "responses   {} of {urls} on {hosts}", self.responses)?;
        let (size, bodies) = (ByteSize(self.size), ByteSize(self.body_size));
        writeln!(f, "size        {size}, bodies {bodies}")?;
        writeln!(f, "fresh       {}", self.fresh)?;
        writeln!(f, "stale       {} that can be validated", self.stale)?;
        writeln!(f, "expired     {} without a validator", self.expired)?;
        if self.with_identity > 0 {
            let count = plural(self.identities as u64, "identity", "identities");
            writeln!(f, "identity    {} of {count}", self.with_identity)?;
        }
        if let (Some(oldest), Some(newest)) = (&self.oldest_use, &self.newest_use) {
            writeln!(f, "last used   between {oldest} and {newest}")?;
        }
        let damaged = plural(self.damaged_files, "file", "files");
        writeln!(f, "damaged     {damaged}")?;
        if self.unfinished_files > 0 {
            let files = plural(self.unfinished_files as u64, "file", "files");
            writeln!(
                f,
                "unfinished  {files}, being written or left by a killed run"
            )?;
        }
        for host in &self.largest_hosts {
            let HostSize {
                host,
                responses,
                size,
            } = host;
            let (responses, size) = (plural(*responses, "response", "responses"), ByteSize(*size));
            writeln!(f, "  {host}: {responses}, {size}")?;
        }
        Ok(())
    }
}
