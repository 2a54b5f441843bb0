//! The document's tables, replaced in place.

use std::path::Path;

use anyhow::{Context, Result};

/// Puts `text` between the document's markers of this name.
pub(crate) fn write(name: &str, text: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/benchmarks.md");
    let shown = "docs/benchmarks.md";
    let old = std::fs::read_to_string(&path).with_context(|| format!("cannot read {shown}"))?;
    let new = replace(&old, name, text)
        .with_context(|| format!("{shown} has no markers for {name:?}"))?;
    std::fs::write(&path, new).with_context(|| format!("cannot write {shown}"))
}

fn replace(document: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (
        format!("<!-- begin {name} -->\n"),
        format!("<!-- end {name} -->"),
    );
    let from = document.find(&begin)? + begin.len();
    let to = from + document[from..].find(&end)?;
    Some(format!(
        "{}\n{}\n\n{}",
        &document[..from],
        text.trim(),
        &document[to..]
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let document = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n";
        let new = "a\n<!-- begin x -->\n\nnew\n\n<!-- end x -->\nb\n";
        assert_eq!(replace(document, "x", "new\n").as_deref(), Some(new));
        assert_eq!(replace(new, "x", "new").as_deref(), Some(new));
        assert_eq!(replace(document, "y", "new"), None);
    }

    #[test]
    fn the_document_has_a_place_for_every_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/benchmarks.md");
        let document = std::fs::read_to_string(path).unwrap();
        let cases = crate::case::Case::ALL.iter().map(|case| case.name);
        for name in cases.chain(["machine", crate::million::NAME]) {
            assert!(replace(&document, name, "").is_some(), "{name}");
        }
    }
}
