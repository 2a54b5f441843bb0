//! The value of `--url-column`.

/// Which column has the URL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum UrlColumn {
    /// Its name in the first row, whatever the case.
    Named(String),
    /// From 1.
    Number(usize),
}

impl UrlColumn {
    /// # Errors
    ///
    /// If it is nothing at all.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(0) => Err("columns are counted from 1".into()),
            Ok(number) => Ok(Self::Number(number)),
            Err(_) if text.trim().is_empty() => Err("write the column's name or number".into()),
            Err(_) => Ok(Self::Named(text.trim().to_owned())),
        }
    }
}
