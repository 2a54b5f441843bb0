//! The table `[cache]`.

use std::time::Duration;

use fetch_proto::Method;
use fetch_proto::cache::{CacheMode, CacheRules, CacheScope};

use crate::PolicyFile;
use crate::keys::FileKeys;
use crate::source::{PolicyError, SourceText};

/// The cache that a policy file describes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct CacheSettings {
    /// The largest body that is stored, in bytes.
    pub max_body: Option<u64>,
    /// How requests use the cache.
    pub mode: Option<CacheMode>,
    /// How responses are stored and reused.
    pub rules: CacheRules,
    /// The largest size of the store, in bytes.
    pub size: Option<u64>,
    /// Where responses are stored: a directory, `memory`, or a URL of Redis.
    pub store: Option<String>,
}

/// Converts the table, if the file has it.
pub(crate) fn settings(
    keys: &FileKeys,
    text: &SourceText,
) -> Result<Option<CacheSettings>, PolicyError> {
    let Some(keys) = &keys.cache else {
        return Ok(None);
    };
    let error = |key: &str, why: &str| Err(text.error_at(&["cache", key], why));
    let mut rules = CacheRules::default();
    if keys.shared == Some(true) {
        rules = rules.scope(CacheScope::Shared);
    }
    if keys.heuristic_percent.is_some() || keys.heuristic_max.is_some() {
        let percent = match keys.heuristic_percent {
            Some(percent) => percent.per_mille() / 10,
            None => CacheRules::HEURISTIC_PERCENT.into(),
        };
        let most = keys
            .heuristic_max
            .map_or(CacheRules::HEURISTIC_MAX, |most| most.0);
        rules = rules.heuristic(percent as u8, most);
    }
    if keys.min_ttl.is_some() || keys.max_ttl.is_some() {
        let (min, max) = (keys.min_ttl.map(|min| min.0), keys.max_ttl.map(|max| max.0));
        if min > max && max.is_some() {
            return error("min_ttl", "it is longer than `max_ttl`: swap them");
        }
        rules = rules.ttl(min.unwrap_or(Duration::ZERO), max);
    }
    if let Some(limit) = keys.stale_if_error {
        rules = rules.stale_if_error(limit.0);
    }
    if let Some(limit) = keys.stale_while_revalidate {
        rules = rules.stale_while_revalidate(limit.0);
    }
    if let Some(names) = &keys.targeted {
        rules = rules.targeted(names.iter().map(String::as_str));
    }
    let mode = match &keys.mode {
        Some(name) => {
            let mode = CacheMode::ALL.into_iter().find(|mode| mode.name() == name);
            let Some(mode) = mode else {
                let names = CacheMode::ALL.map(CacheMode::name).join(", ");
                return error(
                    "mode",
                    &format!("there is no such mode: write one of {names}"),
                );
            };
            Some(mode)
        }
        None => None,
    };
    if keys.store.as_deref() == Some("") {
        return error("store", "the name of the directory is empty");
    }
    Ok(Some(CacheSettings {
        max_body: keys.max_body,
        mode,
        rules,
        size: keys.size,
        store: keys.store.clone(),
    }))
}

impl PolicyFile {
    /// The cache that the file describes, if it has the table `[cache]`.
    ///
    /// ```
    /// let file = fetch_policy::PolicyFile::parse("p.toml", r#"
    /// [cache]
    /// store = "pages"
    /// stale_if_error = "1h"
    /// "#)?;
    /// let cache = file.cache()?.unwrap();
    /// assert_eq!(cache.store.as_deref(), Some("pages"));
    /// # Ok::<(), fetch_policy::PolicyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a value is invalid. [`parse`](Self::parse) and [`with_env`](Self::with_env) check this too.
    pub fn cache(&self) -> Result<Option<CacheSettings>, PolicyError> {
        settings(&self.keys, &self.text)
    }
}

/// What the cache does with a request, if the file has one.
pub(crate) fn describe(cache: &CacheSettings, method: &Method) -> String {
    let store = match cache.store.as_deref() {
        Some("memory") => "in memory".to_owned(),
        Some(store) if store.contains("://") => "in Redis".to_owned(),
        Some(store) => format!("of the directory {store}"),
        None => "given by --cache".to_owned(),
    };
    let whose = if cache.rules.is_shared() {
        "for all users"
    } else {
        "for one user"
    };
    let cache_text = format!("the cache {store}, {whose}");
    match (method, cache.mode.unwrap_or_default()) {
        (_, CacheMode::NoStore) => format!("  not looked up in {cache_text}: mode = \"no-store\""),
        (Method::Get | Method::Head, CacheMode::Reload) => {
            format!("  fetched and then stored in {cache_text}: mode = \"reload\"")
        }
        (Method::Get | Method::Head, CacheMode::NoCache) => {
            format!("  validated if it is in {cache_text}: mode = \"no-cache\"")
        }
        (Method::Get | Method::Head, CacheMode::ForceCache) => {
            format!(
                "  answered without a request if it is in {cache_text}, fresh or not: mode = \"force-cache\""
            )
        }
        (Method::Get | Method::Head, CacheMode::OnlyIfCached) => {
            format!("  answered from {cache_text}, or by 504: mode = \"only-if-cached\"")
        }
        (Method::Get | Method::Head, CacheMode::Default) => {
            format!("  answered without a request if it is fresh in {cache_text}")
        }
        (Method::Options | Method::Trace, _) => format!("  not looked up in {cache_text}"),
        _ => {
            format!("  not looked up in {cache_text}; a success removes what is stored for the URL")
        }
    }
}
