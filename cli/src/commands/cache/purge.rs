//! `fetch-all cache purge`.

use std::time::SystemTime;

use fetch_driver::{CacheEntry, CacheFile};

use crate::args::command::PurgeArgs;
use crate::commands::cache::row::shown_url;
use crate::commands::cache::{UrlFilter, each_head, file_error, now, open};
use crate::display::{ByteSize, plural};
use crate::exit::CliError;
use crate::output::target::print_text;

pub(super) fn run(args: &PurgeArgs) -> Result<u8, CliError> {
    let has_condition = !args.patterns.is_empty() || args.stale || args.unused.is_some();
    if !args.all && !has_condition {
        let hint = "add a PATTERN, --stale, --unused SECONDS, or --all for everything";
        return Err(CliError::usage(format!(
            "cache purge: what is to be removed? {hint}"
        )));
    }
    let cache = open(&args.directory)?;
    let filter = UrlFilter::new(&args.patterns)?;
    let (now, today) = (now(), SystemTime::now());
    let is_meant = |file: &CacheFile, entry: &CacheEntry| {
        let unused = today.duration_since(file.used).unwrap_or_default();
        filter.has(&entry.url)
            && (!args.stale || !entry.response.head.is_fresh(now))
            && args.unused.is_none_or(|least| unused >= least)
    };
    let (mut removed, mut kept, mut damaged, mut bytes) = (0, 0, 0, 0);
    each_head(&args.directory, &cache, |file, entry| {
        match &entry {
            Ok(entry) if is_meant(file, entry) => {}
            Err(_) if args.all => {}
            _ => {
                kept += u64::from(entry.is_ok());
                return Ok(());
            }
        }
        if args.dry_run {
            let shown = entry.as_ref().map_or_else(
                |why| format!("{}: {why}\n", file.path.display()),
                |entry| format!("{}\n", shown_url(&entry.url)),
            );
            print_text(&shown)?;
        } else {
            let is_removed = cache.remove(file);
            if !is_removed.map_err(|error| file_error(&file.path, &error))? {
                return Ok(());
            }
        }
        bytes += file.bytes;
        match entry {
            Ok(_) => removed += 1,
            Err(_) => damaged += 1,
        }
        Ok(())
    })?;
    let verb = match args.dry_run {
        true => "would remove",
        false => "removed",
    };
    let responses = plural(removed, "response", "responses");
    let files = match damaged {
        0 => String::new(),
        damaged => format!(" and {}", plural(damaged, "damaged file", "damaged files")),
    };
    let bytes = ByteSize(bytes);
    let text = format!("{verb} {responses}{files} ({bytes}), {kept} left\n");
    print_text(&text)?;
    Ok(0)
}
