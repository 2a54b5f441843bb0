//! `--report`: a self-contained HTML page about the run.

mod chart;
mod page;
mod tables;

use std::time::SystemTime;

use fetch_proto::WaitingHost;

use crate::config::SetOptions;
use crate::exit::CliError;
use crate::output::replace::{AtomicFile, FileAccess};
use crate::ui::summary::RunSummary;

/// Everything that the page reports.
pub(crate) struct RunReport<'a> {
    /// The exit code.
    pub(crate) code: u8,
    pub(crate) options: &'a SetOptions,
    pub(crate) started: SystemTime,
    pub(crate) summary: &'a RunSummary<'a>,
    /// The hosts that were waited for or given up at the end.
    pub(crate) waiting_hosts: &'a [WaitingHost],
}

/// Writes the page atomically.
///
/// # Errors
///
/// If it cannot be written.
pub(crate) fn write(file: &AtomicFile, report: &RunReport<'_>) -> Result<(), CliError> {
    file.write(page::render_page(report).as_bytes(), FileAccess::Everyone)
}

/// Escapes a text from outside for HTML.
pub(crate) fn escape_html(text: &str) -> String {
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
    fn text_cannot_become_markup() {
        assert_eq!(
            escape_html("<a href='x' id=\"&\">"),
            "&lt;a href=&#39;x&#39; id=&quot;&amp;&quot;&gt;"
        );
    }
}
