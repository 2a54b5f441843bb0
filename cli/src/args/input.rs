//! The options for where URLs come from.

use std::path::PathBuf;

use clap::{Args as Group, ValueEnum};

use crate::args::values;

#[derive(Debug, Group)]
#[command(next_help_heading = "Input")]
pub(crate) struct InputArgs {
    /// URLs to fetch, before those of files; http:// may be left out
    #[arg(value_name = "URL")]
    pub(crate) urls: Vec<String>,

    /// File with one URL per line, - for stdin; repeatable
    ///
    /// Empty lines and lines that begin with # are ignored. The file is read during the run, so it may
    /// be of any length. A line that is not a URL is reported, counted and gets a record; the rest is
    /// fetched.
    #[arg(short, long, value_name = "FILE|-", value_parser = values::list_file)]
    pub(crate) input_file: Vec<PathBuf>,

    /// Format of the files: lines, or rows with more columns [default: by the name, as in list.csv.gz]
    ///
    /// csv and tsv: the first row names the columns, one of them url, or see --url-column. jsonl: one
    /// object per line. parquet: columns as in csv. All formats may have body or body_base64, checksum
    /// (sha256:…), headers (a JSON object), id, method, out (the file's name), priority and timeout
    /// besides the url; other columns are carried into the records. Files compressed by gzip or
    /// Zstandard are decompressed.
    #[arg(
        long,
        value_name = "FORMAT",
        default_value = "auto",
        hide_default_value = true
    )]
    pub(crate) input_format: InputFormat,

    /// Column of the URL: its name, or its number from 1 (not in jsonl)
    #[arg(long, value_name = "NAME|N", value_parser = UrlColumn::parse)]
    pub(crate) url_column: Option<UrlColumn>,

    /// Columns of rows to carry into the record's field row [default: all without a meaning]
    ///
    /// Records have them in all formats, and so have the records in tar files. An empty list carries
    /// none.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) columns: Option<Vec<String>>,

    /// Like URL, or with @FILE like -i FILE; repeatable
    #[arg(long = "url", value_name = "URL|@FILE")]
    pub(crate) url: Vec<String>,

    /// Scheme of URLs that have none: http or https [default: http]
    #[arg(long, value_name = "SCHEME")]
    pub(crate) proto_default: Option<DefaultScheme>,

    /// Schemes of URLs to fetch, redirects included: =https refuses http
    #[arg(long, value_name = "LIST", value_parser = values::allows_http)]
    pub(crate) proto: Option<bool>,

    /// Schemes that redirects may lead to: =https refuses http
    #[arg(long, value_name = "LIST", value_parser = values::allows_http)]
    pub(crate) proto_redir: Option<bool>,

    /// Do not expand {a,b}, [1-100], [01-10:3], [a-z] and {1..100} in URL arguments
    #[arg(short, long)]
    pub(crate) globoff: bool,

    /// Skip duplicates: the same request, or the same id of a row
    ///
    /// Requests are the same if they are sent equally: with the same method, header fields, body, and URL
    /// in its normal form, without the fragment. Other columns of rows do not count.
    /// At least the latest five million are remembered, in at most 300 MiB; --state DIR remembers all.
    #[arg(long)]
    pub(crate) dedupe: bool,

    /// Print what would be fetched, by host and rule, and fetch nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Fetch a thousand URLs of a test site that this command starts on loopback
    #[arg(long, conflicts_with_all = ["urls", "input_file", "url", "method", "head", "data", "json"])]
    #[arg(conflicts_with_all = ["data-binary", "data-raw", "data-urlencode"])]
    pub(crate) demo: bool,
}

impl InputArgs {
    /// Whether redirects may lead to http, if an option says so. What --proto refuses, --proto-redir does
    /// not allow.
    pub(crate) fn redirects_allow_http(&self) -> Option<bool> {
        match (self.proto, self.proto_redir) {
            (Some(false), _) => Some(false),
            (proto, redirects) => redirects.or(proto),
        }
    }

    /// Whether there is neither a URL nor a list.
    pub(crate) fn is_empty(&self) -> bool {
        self.urls.is_empty() && self.url.is_empty() && self.input_file.is_empty()
    }

    /// Whether a list comes from stdin.
    pub(crate) fn takes_stdin(&self) -> bool {
        let mut files = self.input_file.iter();
        files.any(|path| path.as_os_str() == "-") || self.url.iter().any(|url| url == "@-")
    }
}

/// The value of `--input-format`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum InputFormat {
    #[value(hide = true)]
    Auto,
    Csv,
    Jsonl,
    Lines,
    Parquet,
    Tsv,
}

/// The value of `--proto-default`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum DefaultScheme {
    #[default]
    Http,
    Https,
}

impl DefaultScheme {
    /// What is written before a host.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Http => "http://",
            Self::Https => "https://",
        }
    }
}

/// The value of `--url-column`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum UrlColumn {
    /// Its name in the first row, in any case.
    Named(String),
    /// Its number, from 1.
    Number(usize),
}

impl UrlColumn {
    /// # Errors
    ///
    /// If the text is empty or 0.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(0) => Err("columns are counted from 1".into()),
            Ok(number) => Ok(Self::Number(number)),
            Err(_) if text.trim().is_empty() => Err("write the column's name or number".into()),
            Err(_) => Ok(Self::Named(text.trim().to_owned())),
        }
    }
}
