//! The columns of a list: which have a meaning, and which are carried into records.

use std::collections::HashSet;

use super::row::COLUMNS;
use crate::args::UrlColumn;
use crate::display::{Quoted, sanitize};

/// The most names that are compared with those that have a meaning.
const MAX_COMPARED: usize = 1000;

/// The shortest name that a misspelt one is compared with: nearly every short word is similar to `id`.
const MIN_COMPARED: usize = 4;

/// The choice of columns for the record's field `row`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum ColumnChoice {
    /// Those of these names, in any case, also if they have a meaning.
    Named(Vec<String>),
    /// All without a meaning.
    #[default]
    Others,
}

impl ColumnChoice {
    /// The choice of `--columns`, whose empty names choose nothing.
    pub(crate) fn new(names: Option<&[String]>) -> Self {
        let Some(names) = names else {
            return Self::Others;
        };
        let names = names.iter().map(|name| name.trim());
        Self::Named(
            names
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// Whether the column is carried.
    pub(super) fn includes(&self, name: &str, has_meaning: bool) -> bool {
        match self {
            Self::Named(names) => names.iter().any(|wanted| is_same(wanted, name)),
            Self::Others => !has_meaning,
        }
    }
}

/// Names are compared without regard to case and surrounding space.
pub(super) fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim(), b.trim());
    a.eq_ignore_ascii_case(b) || a.to_lowercase() == b.to_lowercase()
}

/// The meaning of a column of this name, other than the URL.
pub(super) fn meaning(name: &str) -> Option<&'static str> {
    let mut known = COLUMNS.into_iter().filter(|known| *known != "url");
    known.find(|known| is_same(known, name))
}

/// Finds columns whose names are probably misspelt.
#[derive(Debug, Default)]
pub(in crate::input) struct ColumnNotes(HashSet<Box<str>>);

impl ColumnNotes {
    /// A message about a name that is carried, but is similar to one with a meaning that the row does
    /// not have. Each name is reported once, and none that `--columns` chooses.
    pub(super) fn note<'a>(
        &mut self,
        choice: &ColumnChoice,
        name: &str,
        mut others: impl Iterator<Item = &'a str>,
    ) -> Option<String> {
        if *choice != ColumnChoice::Others || self.0.len() >= MAX_COMPARED || self.0.contains(name)
        {
            return None;
        }
        self.0.insert(name.into());
        let lower = name.trim().to_lowercase();
        let is_near = |known: &&str| {
            known.len() >= MIN_COMPARED && strsim::damerau_levenshtein(&lower, known) == 1
        };
        let known = COLUMNS.into_iter().find(is_near)?;
        if others.any(|other| is_same(other, known)) {
            return None;
        }
        let name = Quoted(name);
        Some(format!(
            "the column {name} has no meaning and is carried into the records: did you mean {known}?"
        ))
    }
}

/// A column of a table.
#[derive(Debug, Default)]
pub(super) struct TableColumn {
    /// If it is carried: its name as a JSON text.
    pub(super) carried: Option<String>,
    pub(super) meaning: Option<&'static str>,
}

/// The columns of a table.
#[derive(Debug, Default)]
pub(super) struct TableColumns {
    pub(super) all: Vec<TableColumn>,
    /// Whether the first row has their names.
    pub(super) has_header: bool,
    pub(super) notes: Vec<String>,
}

impl TableColumns {
    /// The columns of a table with this first row.
    ///
    /// # Errors
    ///
    /// If no column has URLs, or one of `--columns` does not exist.
    pub(super) fn new(
        first: &[&[u8]],
        url: Option<&UrlColumn>,
        choice: &ColumnChoice,
    ) -> Result<Self, String> {
        let name = |cell: &&[u8]| {
            let cell = cell.strip_prefix(b"\xef\xbb\xbf").unwrap_or(cell);
            String::from_utf8_lossy(cell).trim().to_owned()
        };
        let names: Vec<_> = first.iter().map(name).collect();
        let (url_at, has_header) = url_column(&names, url)?;
        let names = match has_header {
            true => unique(names),
            false => (1..=names.len()).map(default_name).collect(),
        };
        if let ColumnChoice::Named(wanted) = choice {
            for wanted in wanted {
                if !names.iter().any(|name| is_same(name, wanted)) {
                    return Err(no_column(wanted, &names));
                }
            }
        }
        let mut notes = ColumnNotes::default();
        let mut columns = Self {
            has_header,
            ..Self::default()
        };
        for (index, name) in names.iter().enumerate() {
            let meaning = match index == url_at {
                true => Some("url"),
                false => meaning(name).filter(|_| has_header),
            };
            let carried = choice.includes(name, meaning.is_some());
            if carried && meaning.is_none() {
                let others = names.iter().map(|name| name.as_str());
                columns.notes.extend(notes.note(choice, name, others));
            }
            columns.all.push(TableColumn {
                carried: carried.then(|| json_text(name)),
                meaning,
            });
        }
        Ok(columns)
    }
}

/// The position of the column of the URL, and whether the first row is a header.
fn url_column(names: &[String], url: Option<&UrlColumn>) -> Result<(usize, bool), String> {
    let position = |wanted: &str| names.iter().position(|name| is_same(name, wanted));
    let is_url = |name: &String| name.contains("://");
    Ok(match url {
        Some(UrlColumn::Named(wanted)) => {
            let at = position(wanted).ok_or_else(|| no_column(wanted, names))?;
            (at, true)
        }
        Some(UrlColumn::Number(number)) => {
            let count = names.len();
            let cell = names.get(number - 1);
            let cell = cell.ok_or_else(|| {
                format!("line 1: there is no column {number}: there are {count} columns")
            })?;
            (number - 1, !is_url(cell))
        }
        None => match (position("url"), names.iter().position(is_url)) {
            (Some(at), _) => (at, true),
            (None, Some(at)) => (at, false),
            (None, None) => {
                let found = sanitize(names.join(", ").as_bytes());
                return Err(format!(
                    "line 1: no column is named url, and none contains a URL, but there is {found}: \
                     name it with --url-column"
                ));
            }
        },
    })
}

fn no_column(wanted: &str, names: &[String]) -> String {
    let found = sanitize(names.join(", ").as_bytes());
    let wanted = Quoted(wanted);
    format!("line 1: there is no column {wanted}, but {found}")
}

/// The names of columns, with a number after those that occurred before or are empty.
fn unique(names: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut unique = Vec::with_capacity(names.len());
    for (index, name) in names.into_iter().enumerate() {
        let mut name = match name.is_empty() {
            true => default_name(index + 1),
            false => name,
        };
        if !seen.insert(name.clone()) {
            let number = (1..).find(|number| !seen.contains(&format!("{name}.{number}")));
            name = format!("{name}.{}", number.unwrap_or_default());
            seen.insert(name.clone());
        }
        unique.push(name);
    }
    unique
}

/// The name of a column without one. Columns are counted from 1, as by `--url-column`.
fn default_name(number: usize) -> String {
    format!("column{number}")
}

/// The text as a JSON string.
pub(super) fn json_text(text: &str) -> String {
    serde_json::to_string(text).expect("a text is writable as JSON")
}

/// Builds the JSON object of a row's carried columns.
#[derive(Debug, Default)]
pub(super) struct CarriedColumns(String);

impl CarriedColumns {
    /// Adds a column; both are JSON.
    pub(super) fn add(&mut self, name: &str, value: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        self.0.push_str(name);
        self.0.push(':');
        self.0.push_str(value);
    }

    /// The object; `None` if no column is carried.
    pub(super) fn finish(mut self) -> Option<crate::outcome::row::CarriedRow> {
        if self.0.is_empty() {
            return None;
        }
        self.0.push('}');
        serde_json::value::RawValue::from_string(self.0).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(first: &str, choice: &ColumnChoice) -> Result<TableColumns, String> {
        let cells: Vec<_> = first.split(',').map(str::as_bytes).collect();
        TableColumns::new(&cells, None, choice)
    }

    fn carried(first: &str, choice: &ColumnChoice) -> Vec<String> {
        let all = table(first, choice).unwrap().all;
        all.into_iter()
            .filter_map(|column| column.carried)
            .collect()
    }

    #[test]
    fn columns_without_a_meaning_are_carried_unless_others_are_chosen() {
        let named = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            ColumnChoice::new(Some(&names))
        };
        let (first, others) = ("URL,caption,id,Width", ColumnChoice::Others);
        assert_eq!(carried(first, &others), ["\"caption\"", "\"Width\""]);
        assert_eq!(
            carried(first, &named(&["width", "ID"])),
            ["\"id\"", "\"Width\""]
        );
        assert!(carried(first, &named(&[""])).is_empty());
        let error = table(first, &named(&["height"])).unwrap_err();
        assert!(
            error.contains("no column \"height\", but URL, caption"),
            "{error}"
        );
    }

    #[test]
    fn names_that_are_missing_or_double_get_a_number() {
        let others = ColumnChoice::Others;
        assert_eq!(
            carried("url,a,,a,a.1", &others),
            ["\"a\"", "\"column3\"", "\"a.1\"", "\"a.1.1\""]
        );
        assert_eq!(carried("http://a/,x", &others), ["\"column2\""]);
    }

    #[test]
    fn a_name_that_is_probably_misspelt_is_reported_once() {
        let others = ColumnChoice::Others;
        let notes = |first| table(first, &others).unwrap().notes;
        assert!(notes("url,methd")[0].contains("did you mean method?"));
        assert!(notes("url,Header")[0].contains("did you mean headers?"));
        assert!(notes("url,methods,method").is_empty(), "the other is there");
        assert!(notes("url,caption,ids,bode1").is_empty());
        let chosen = ColumnChoice::new(Some(&["methd".to_owned()]));
        assert!(table("url,methd", &chosen).unwrap().notes.is_empty());
    }
}
