//! Replaces the figures in `docs/benchmarks.md`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const BENCHMARKS: &str = "docs/benchmarks.md";

/// Replaces the text between the markers with this name.
pub(crate) fn write_section(name: &str, text: &str) -> Result<()> {
    let path = project_path(BENCHMARKS);
    let old = std::fs::read_to_string(&path).context("cannot read docs/benchmarks.md")?;
    let new = replace_section(&old, name, text)
        .with_context(|| format!("docs/benchmarks.md has no markers named {name:?}"))?;
    std::fs::write(path, new).context("cannot write docs/benchmarks.md")
}

/// The path of a file of the project.
pub(crate) fn project_path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(file)
}

/// The document with the text between the markers replaced.
fn replace_section(document: &str, name: &str, text: &str) -> Option<String> {
    let (from, to) = section_bounds(document, name)?;
    Some(format!(
        "{}\n{}\n\n{}",
        &document[..from],
        text.trim(),
        &document[to..]
    ))
}

/// The start and end of the text between the markers with this name.
fn section_bounds(document: &str, name: &str) -> Option<(usize, usize)> {
    let (begin, end) = (
        format!("<!-- begin {name} -->\n"),
        format!("<!-- end {name} -->"),
    );
    let from = document.find(&begin)? + begin.len();
    let to = from + document[from..].find(&end)?;
    Some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_section_changes() {
        let document = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n";
        let new = "a\n<!-- begin x -->\n\nnew\n\n<!-- end x -->\nb\n";
        assert_eq!(
            replace_section(document, "x", "new\n").as_deref(),
            Some(new)
        );
        assert_eq!(replace_section(new, "x", "new").as_deref(), Some(new));
        assert_eq!(replace_section(document, "y", "new"), None);
    }

    #[test]
    fn the_document_has_a_section_for_every_table() {
        let document = std::fs::read_to_string(project_path(BENCHMARKS)).unwrap();
        use crate::cases::case::BenchmarkCase;
        let cases = BenchmarkCase::ALL.iter().chain([&BenchmarkCase::COMMAND]);
        for name in cases.map(|case| case.name).chain([
            "machine",
            crate::measure::core_scaling::NAME,
            crate::measure::floods::NAME,
            crate::measure::list_scaling::NAME,
        ]) {
            assert!(replace_section(&document, name, "").is_some(), "{name}");
        }
    }
}
