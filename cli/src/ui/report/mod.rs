//! The report: one page that needs nothing else, for people who come later.

mod chart;
mod page;
mod tables;

use std::time::SystemTime;

use fetch_proto::Stats;

use crate::exit::CliError;
use crate::output::replace::{Readers, Replaced};
use crate::ui::summary::Summary;

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
pub(crate) fn write(file: &Replaced, report: &Report<'_>) -> Result<(), CliError> {
    file.write(page::page(report).as_bytes(), Readers::Others)
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
