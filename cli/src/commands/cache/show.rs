//! `fetch-all cache show`.

use std::fmt::Write;
use std::time::Duration;

use fetch_driver::{CacheEntry, CacheFile, CacheFileError};
use fetch_proto::{ShortDuration, is_secret_field, redact_secrets};
use http::HeaderMap;
use url::Url;

use crate::args::command::ShowArgs;
use crate::commands::cache::row::{EntryRow, shown_url};
use crate::commands::cache::{file_error, now, open};
use crate::display::{ByteSize, escape_unsafe};
use crate::exit::{CliError, ExitStatus};
use crate::output::target::{print_stdout, print_text};

pub(super) fn run(args: &ShowArgs) -> Result<u8, CliError> {
    let cache = open(&args.directory)?;
    let mut found: Vec<(CacheFile, CacheEntry)> = Vec::new();
    let mut damaged = String::new();
    for url in urls(&args.url) {
        let files = cache.files_of(&url);
        for file in files.map_err(|error| file_error(&args.directory, &error))? {
            match cache.read(&file) {
                Ok(entry) => found.push((file, entry)),
                Err(error) if error.is_gone() => {}
                Err(CacheFileError::Damaged(why)) => {
                    let _ = writeln!(damaged, "{}: {why}", file.path.display());
                }
                Err(error) => {
                    return Err(CliError::file(format!("{}: {error}", file.path.display())));
                }
            }
        }
    }
    found.sort_by_key(|(file, entry)| (entry.response.head.received(), file.path.clone()));
    let count = found.len();
    if count == 0 {
        let url = shown_url(&args.url);
        print_text(&format!("{damaged}nothing is stored for {url}\n"))?;
        return Ok(ExitStatus::Internal as u8);
    }
    let first = match args.variant {
        None => 0,
        Some(number) if number <= count => number - 1,
        Some(number) => {
            return Err(CliError::usage(format!(
                "--variant {number}: {count} stored for this URL"
            )));
        }
    };
    let wanted = match args.variant {
        None => &found[..],
        Some(_) => &found[first..=first],
    };
    if args.body {
        let [(_, entry)] = wanted else {
            let hint = "add --variant N, in the order of `cache show` without --body";
            return Err(CliError::usage(format!(
                "--body: {count} responses are stored for this URL: {hint}"
            )));
        };
        print_stdout(&entry.response.body)?;
        return Ok(0);
    }
    let mut text = damaged;
    for (index, (file, entry)) in wanted.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        if count > 1 {
            let _ = writeln!(text, "variant     {} of {count}", first + index + 1);
        }
        describe(&mut text, file, entry);
    }
    print_text(&text)?;
    Ok(0)
}

/// The URL as it may have been sent: as it is written, and in the form of the URL standard.
fn urls(text: &str) -> Vec<String> {
    let mut urls = vec![text.to_owned()];
    let with_scheme = match text.contains("://") {
        true => text.to_owned(),
        false => format!("http://{text}"),
    };
    if let Ok(mut url) = Url::parse(&with_scheme) {
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        urls.push(url.into());
    }
    urls.dedup();
    urls
}

fn describe(text: &mut String, file: &CacheFile, entry: &CacheEntry) {
    let (row, head) = (EntryRow::new(file, entry, now()), &entry.response.head);
    let seconds = |seconds| ShortDuration(Duration::from_secs(seconds));
    let _ = writeln!(text, "url         {}", row.url);
    let (state, age, lifetime) = (row.state.name(), seconds(row.age), seconds(row.lifetime));
    let _ = writeln!(text, "state       {state}, age {age} of {lifetime}");
    let _ = writeln!(text, "received    {}", row.received);
    let _ = writeln!(text, "last used   {}", row.used);
    let identity = row.identity.as_deref().unwrap_or("none");
    let _ = writeln!(text, "identity    {identity}");
    for (name, value) in head.vary() {
        let value = match value {
            Some(_) if is_secret_field(name) => "REDACTED".into(),
            Some(value) => escape_unsafe(&redact_secrets(value)).into_owned(),
            None => "(not sent)".into(),
        };
        let _ = writeln!(text, "varies by   {name}: {value}");
    }
    let _ = writeln!(text, "body        {}", ByteSize(row.size));
    let _ = writeln!(
        text,
        "file        {}, {}",
        row.file,
        ByteSize(row.file_size)
    );
    let _ = writeln!(text, "\n{:?} {}", entry.response.version, row.status);
    fields(text, &entry.response.headers);
    if let Some(coded) = &entry.response.coded_headers {
        fields(text, coded);
    }
}

/// Header fields, without secrets.
fn fields(text: &mut String, headers: &HeaderMap) {
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        let value = match is_secret_field(name.as_str()) {
            true => "REDACTED".into(),
            false => redact_secrets(&value),
        };
        let _ = writeln!(text, "{name}: {}", escape_unsafe(&value));
    }
}
