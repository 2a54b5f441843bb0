//! The cache of responses.

use fetch_driver::cache::{CacheRules, CacheScope};
use fetch_driver::{Cache, DiskStore, Settings};
#[cfg(feature = "redis")]
use fetch_driver::{LayeredStore, MemoryStore};
use fetch_policy::CacheSettings;

use crate::args::{CacheArgs, CachePlace, CliArgs, cache_place};
use crate::exit::CliError;

const DISK_BYTES: u64 = 1 << 30;
/// Of the memory in front of Redis.
#[cfg(feature = "redis")]
const FRONT_BYTES: u64 = 64 << 20;
const MEMORY_BYTES: u64 = 256 << 20;

/// Opens the cache that the options ask for, or the policy file. Options override the file.
///
/// # Errors
///
/// If its directory cannot be used, or if there are options for a cache and none is asked for.
pub(super) fn set_cache(
    args: &CliArgs,
    file: Option<CacheSettings>,
    settings: &mut Settings,
) -> Result<(), CliError> {
    let CacheArgs {
        cache,
        cache_mode,
        cache_shared,
        cache_size,
        cache_stale_if_error,
    } = &args.cache;
    let store = file.as_ref().and_then(|file| file.store.as_deref());
    let store = store.filter(|_| cache.is_none()).map(cache_place);
    let of_file = store
        .transpose()
        .map_err(|why| CliError::usage(format!("the policy file, cache.store: {why}")))?;
    let Some(place) = cache.as_ref().or(of_file.as_ref()) else {
        let unused = [
            (cache_mode.is_some(), "--cache-mode"),
            (*cache_shared, "--cache-shared"),
            (cache_size.is_some(), "--cache-size"),
            (cache_stale_if_error.is_some(), "--cache-stale-if-error"),
        ];
        return match unused.iter().find(|(is_given, _)| *is_given) {
            Some((_, option)) => {
                let hint = "add --cache DIR or --cache memory";
                Err(CliError::usage(format!("{option} needs a cache: {hint}")))
            }
            None => Ok(()),
        };
    };
    let of_file_size = file.as_ref().and_then(|file| file.size);
    let cache = match place {
        CachePlace::Memory(size) => {
            if let (Some(_), Some(_)) = (size, cache_size) {
                let hint = "write --cache memory with --cache-size, or --cache memory:SIZE alone";
                return Err(CliError::usage(format!("the cache has two sizes: {hint}")));
            }
            let bytes = size
                .or(*cache_size)
                .or(of_file_size)
                .unwrap_or(MEMORY_BYTES);
            Cache::memory(usize::try_from(bytes).unwrap_or(usize::MAX))
        }
        #[cfg(feature = "redis")]
        CachePlace::Redis(url) => {
            let store = fetch_driver::RedisStore::new(url);
            let store = store.map_err(|error| CliError::usage(format!("--cache: {error}")))?;
            let bytes = cache_size.or(of_file_size).unwrap_or(FRONT_BYTES);
            let memory = MemoryStore::new(usize::try_from(bytes).unwrap_or(usize::MAX));
            Cache::new(LayeredStore::new(memory, store))
        }
        CachePlace::Directory(path) => {
            let store = DiskStore::open(path, cache_size.or(of_file_size).unwrap_or(DISK_BYTES));
            Cache::new(
                store.map_err(|error| {
                    CliError::file(format!("--cache {}: {error}", path.display()))
                })?,
            )
        }
    };
    let max_body = file.as_ref().and_then(|file| file.max_body);
    let mode = cache_mode.or(file.as_ref().and_then(|file| file.mode));
    let mut rules = file.map_or_else(CacheRules::default, |file| file.rules);
    if *cache_shared {
        rules = rules.scope(CacheScope::Shared);
    }
    if let Some(limit) = cache_stale_if_error {
        rules = rules.stale_if_error(*limit);
    }
    let mut cache = cache.rules(rules).mode(mode.unwrap_or_default());
    if let Some(bytes) = max_body {
        cache = cache.max_body(bytes);
    }
    settings.cache = Some(cache);
    Ok(())
}
