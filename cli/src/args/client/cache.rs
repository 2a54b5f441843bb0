//! The options for the cache.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args as Group;
use fetch_driver::cache::CacheMode;

use crate::args::values;

/// Where responses are stored.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum CachePlace {
    Directory(PathBuf),
    /// In memory, at most so many bytes, if that is given.
    Memory(Option<u64>),
    /// A URL of Redis. In front of it is a cache in memory.
    #[cfg(feature = "redis")]
    Redis(String),
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Cache")]
pub(crate) struct CacheArgs {
    /// Store responses in this directory, in memory or in Redis, and reuse them as RFC 9111 says
    ///
    /// A fresh response is reused without a request, a stale one is validated. Several runs may share a
    /// directory, also at the same time. Only the owner can read it; credentials are not written.
    /// redis://HOST[:PORT] is for runs on several machines, if the command was built with it.
    #[arg(long, value_name = "DIR|memory[:SIZE]|redis://…", value_parser = cache_place)]
    pub(crate) cache: Option<CachePlace>,

    /// How requests use the cache: default, no-store, reload, no-cache, force-cache, only-if-cached
    ///
    /// The names are those of the Fetch standard. no-cache validates fresh responses, too; reload
    /// fetches and stores; force-cache uses a stored response however old it is; only-if-cached sends
    /// nothing, and answers 504 for what is not stored.
    #[arg(long, value_name = "MODE", value_parser = cache_mode)]
    pub(crate) cache_mode: Option<CacheMode>,

    /// Store only what a cache for many users may store, for all of them
    #[arg(long)]
    pub(crate) cache_shared: bool,

    /// The largest size of the cache, or of the memory in front of Redis [default: 1G for a directory, 256M for
    /// memory, 64M in front of Redis]
    #[arg(long, value_name = "SIZE", value_parser = values::bytes)]
    pub(crate) cache_size: Option<u64>,

    /// How long after its end of life a response may replace an error [default: as the response says]
    #[arg(long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) cache_stale_if_error: Option<Duration>,
}

/// Reads a place, as `--cache` has it.
pub(crate) fn cache_place(text: &str) -> Result<CachePlace, String> {
    if text == "memory" {
        return Ok(CachePlace::Memory(None));
    }
    if let Some(size) = text.strip_prefix("memory:") {
        return Ok(CachePlace::Memory(Some(values::bytes(size)?)));
    }
    if text.contains("://") {
        return redis_place(text);
    }
    match text {
        "" => Err("the name of the directory is empty: write a path, or memory".into()),
        path => Ok(CachePlace::Directory(path.into())),
    }
}

/// A URL is one of Redis. Its scheme is known; the rest is checked when the cache is opened.
fn redis_place(text: &str) -> Result<CachePlace, String> {
    let scheme = text.split("://").next().unwrap_or_default();
    if !["redis", "redis+unix"].contains(&scheme) {
        return Err(format!(
            "{scheme}:// is not supported: write a directory, memory, redis://HOST or redis+unix:///PATH"
        ));
    }
    #[cfg(feature = "redis")]
    return Ok(CachePlace::Redis(text.into()));
    #[cfg(not(feature = "redis"))]
    Err(
        "Redis is not built in: install the command by `cargo install fetch-all-cli --features redis`, or write \
         a directory"
            .into(),
    )
}

fn cache_mode(text: &str) -> Result<CacheMode, String> {
    let mode = CacheMode::ALL.into_iter().find(|mode| mode.name() == text);
    mode.ok_or_else(|| {
        let names = CacheMode::ALL.map(CacheMode::name).join(", ");
        format!("no such mode: write one of {names}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_is_a_directory_or_memory() {
        let table = [
            ("memory", Some(CachePlace::Memory(None))),
            ("memory:64k", Some(CachePlace::Memory(Some(65_536)))),
            ("./memory", Some(CachePlace::Directory("./memory".into()))),
            ("memory:x", None),
            ("rediss://127.0.0.1", None),
            ("http://127.0.0.1", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(cache_place(text).ok(), expected, "{text}");
        }
        let redis = cache_place("redis://:pw@127.0.0.1");
        match redis {
            #[cfg(feature = "redis")]
            Ok(place) => assert_eq!(place, CachePlace::Redis("redis://:pw@127.0.0.1".into())),
            #[cfg(not(feature = "redis"))]
            Err(hint) => assert!(hint.contains("cargo install fetch-all-cli --features redis")),
            other => panic!("{other:?}"),
        }
        assert_eq!(cache_mode("only-if-cached"), Ok(CacheMode::OnlyIfCached));
        assert!(cache_mode("No-Cache").unwrap_err().contains("force-cache"));
    }
}
