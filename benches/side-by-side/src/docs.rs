//! The documents' figures, replaced in place.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

const BENCHMARKS: &str = "docs/benchmarks.md";
const README: &str = "README.md";

/// The README's markers around its table of runtimes, and that table's column of costs.
const RUNTIMES: &str = "runtimes";
const COSTS: &str = "CPU/request";

/// Puts `text` between the benchmarks' markers of this name.
pub(crate) fn write(name: &str, text: &str) -> Result<()> {
    change(BENCHMARKS, |old| {
        replace(old, name, text).with_context(|| format!("no markers for {name:?}"))
    })
}

/// Puts each cost into the row of the README's table of runtimes that begins with that cell.
pub(crate) fn write_costs(costs: &[(&str, String)]) -> Result<()> {
    change(README, |old| {
        let table = between(old, RUNTIMES).context("no markers for the runtimes")?;
        let new = costs.iter().try_fold(table.to_owned(), |table, cost| {
            set_cell(&table, COSTS, cost.0, &cost.1)
                .with_context(|| format!("no row {} or no column {COSTS}", cost.0))
        })?;
        replace(old, RUNTIMES, &new).context("no markers for the runtimes")
    })
}

/// A file of the project.
pub(crate) fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(file)
}

fn change(file: &str, new: impl FnOnce(&str) -> Result<String>) -> Result<()> {
    let old = std::fs::read_to_string(path(file)).with_context(|| format!("cannot read {file}"))?;
    let new = new(&old).with_context(|| format!("{file} is not as it should be"))?;
    std::fs::write(path(file), new).with_context(|| format!("cannot write {file}"))
}

/// The table with `text` in that column of the row that begins with `row`.
fn set_cell(table: &str, column: &str, row: &str, text: &str) -> Option<String> {
    let cells = |line: &str| -> Vec<String> {
        let line = line.trim().trim_matches('|');
        line.split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let mut lines: Vec<String> = table.trim().lines().map(str::to_owned).collect();
    let place = cells(lines.first()?)
        .iter()
        .position(|cell| cell == column)?;
    let line = lines.iter_mut().find(|line| cells(line)[0] == row)?;
    let mut new = cells(line);
    *new.get_mut(place)? = text.to_owned();
    *line = format!("| {} |", new.join(" | "));
    Some(lines.join("\n"))
}

fn between<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let (from, to) = span(document, name)?;
    Some(&document[from..to])
}

fn replace(document: &str, name: &str, text: &str) -> Option<String> {
    let (from, to) = span(document, name)?;
    Some(format!(
        "{}\n{}\n\n{}",
        &document[..from],
        text.trim(),
        &document[to..]
    ))
}

/// Where what is between the markers of this name begins and ends.
fn span(document: &str, name: &str) -> Option<(usize, usize)> {
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
    fn only_what_is_between_the_markers_changes() {
        let document = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n";
        let new = "a\n<!-- begin x -->\n\nnew\n\n<!-- end x -->\nb\n";
        assert_eq!(replace(document, "x", "new\n").as_deref(), Some(new));
        assert_eq!(replace(new, "x", "new").as_deref(), Some(new));
        assert_eq!(replace(document, "y", "new"), None);
    }

    #[test]
    fn the_document_has_a_place_for_every_table() {
        let document = std::fs::read_to_string(path(BENCHMARKS)).unwrap();
        use crate::case::Case;
        let cases = Case::ALL.iter().chain([&Case::COMMAND]);
        for name in
            cases
                .map(|case| case.name)
                .chain(["machine", crate::cores::NAME, crate::scale::NAME])
        {
            assert!(replace(&document, name, "").is_some(), "{name}");
        }
    }

    #[test]
    fn one_cell_of_a_table_changes() {
        let table = "| a | n |\n|---|--:|\n| x | 1 |\n| y | 2 |\n";
        let new = "| a | n |\n|---|--:|\n| x | 1 |\n| y | 3 µs |";
        assert_eq!(set_cell(table, "n", "y", "3 µs").as_deref(), Some(new));
        assert_eq!(set_cell(table, "m", "y", "3"), None);
        assert_eq!(set_cell(table, "n", "z", "3"), None);
    }

    #[test]
    fn the_readme_has_a_row_for_every_adapter() {
        let document = std::fs::read_to_string(path(README)).unwrap();
        let table = between(&document, RUNTIMES).unwrap();
        let case = crate::case::Case::find(crate::case::RUNTIMES).unwrap();
        let rows: Vec<_> = case.clients.iter().filter_map(|c| c.runtime()).collect();
        assert_eq!(rows.len(), 6);
        for row in rows {
            assert!(set_cell(table, COSTS, row, "1").is_some(), "{row}");
        }
    }
}
