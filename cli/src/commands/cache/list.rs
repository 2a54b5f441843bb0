//! `fetch-all cache list`.

use crate::args::command::ListArgs;
use crate::commands::cache::row::{EntryRow, HEADING, StoredState};
use crate::commands::cache::{UrlFilter, each_head, now, open};
use crate::display::plural;
use crate::exit::CliError;
use crate::output::target::{print_stdout, print_text};

pub(super) fn run(args: &ListArgs) -> Result<u8, CliError> {
    let (cache, filter, now) = (
        open(&args.directory)?,
        UrlFilter::new(&args.patterns)?,
        now(),
    );
    let mut rows = Vec::new();
    let mut damaged = 0;
    each_head(&args.directory, &cache, |file, entry| {
        match entry {
            Ok(entry) if filter.has(&entry.url) => rows.push(EntryRow::new(file, &entry, now)),
            Ok(_) => {}
            Err(_) => damaged += 1,
        }
        Ok(())
    })?;
    rows.retain(|row| !args.stale || row.state != StoredState::Fresh);
    rows.sort_by(|a, b| (&a.url, &a.received, &a.file).cmp(&(&b.url, &b.received, &b.file)));
    let mut text = String::new();
    if args.json {
        for row in &rows {
            text += &serde_json::to_string(row).map_err(CliError::internal)?;
            text.push('\n');
        }
        print_stdout(text.as_bytes())?;
        return Ok(0);
    }
    if !rows.is_empty() {
        text += HEADING;
    }
    for row in &rows {
        text += &format!("{row}\n");
    }
    text += &plural(rows.len() as u64, "response", "responses");
    if damaged > 0 {
        let files = plural(damaged, "file is damaged", "files are damaged");
        let directory = args.directory.display();
        text += &format!("; {files}: see `fetch-all cache verify {directory}`");
    }
    text.push('\n');
    print_text(&text)?;
    Ok(0)
}
