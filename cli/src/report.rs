//! The report: one page that needs nothing else, for people who come later.

mod chart;
mod page;
mod tables;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use fetch_proto::Stats;

use crate::exit::Stop;
use crate::summary::Summary;

/// All that the page tells.
pub(crate) struct Report<'a> {
    /// The exit code.
    pub(crate) code: u8,
    pub(crate) engine: Stats,
    pub(crate) started: SystemTime,
    pub(crate) summary: &'a Summary<'a>,
}

/// Writes the page, whole or not at all.
///
/// # Errors
///
/// If it cannot be written.
pub(crate) fn write(path: &Path, report: &Report<'_>) -> Result<(), Stop> {
    let replace = || {
        let mut builder = tempfile::Builder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Others may read it, unless the user's mask says no.
            builder.permissions(std::fs::Permissions::from_mode(0o666));
        }
        let mut file = builder.tempfile_in(directory(path))?;
        file.write_all(page::page(report).as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map(drop).map_err(|error| error.error)
    };
    replace().map_err(|error: std::io::Error| {
        let path = path.display();
        Stop::file(format!("--report {path}: cannot be written: {error}"))
    })
}

/// An error if the page could not be written there.
///
/// # Errors
///
/// If there is no such directory, or the path names one.
pub(crate) fn check(path: PathBuf) -> Result<PathBuf, Stop> {
    match directory(&path).is_dir() && !path.is_dir() {
        true => Ok(path),
        false => Err(Stop::usage(format!(
            "--report {}: no file can be written there: name one in a directory that exists",
            path.display()
        ))),
    }
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A text from outside as HTML: a URL may hold anything.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_can_become_markup() {
        assert_eq!(
            escaped("<a href='x' id=\"&\">"),
            "&lt;a href=&#39;x&#39; id=&quot;&amp;&quot;&gt;"
        );
    }
}
