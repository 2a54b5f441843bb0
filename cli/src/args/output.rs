//! The options of what is kept: bodies, and what is told of each URL.

use std::path::{Path, PathBuf};

use clap::Args as Group;

use super::values;
use crate::outcome::checksum::Algorithm;
use crate::save::Template;

#[derive(Debug, Group)]
#[command(next_help_heading = "Bodies")]
pub(crate) struct SaveOptions {
    /// Keep bodies of statuses 2xx as files in this directory
    ///
    /// A file has its name only when it is complete. Unfinished ones are .fetch-all-….part; those of
    /// a run that was killed may be deleted. A row's `out` goes before all templates.
    #[arg(long, value_name = "DIR", value_parser = values::path)]
    pub(crate) output_dir: Option<PathBuf>,

    /// Name files like the last part of the URL's path, in . unless --output-dir is given
    #[arg(short = 'O', long, conflicts_with = "name_template")]
    #[arg(aliases = ["remote-name-all"])]
    pub(crate) remote_name: bool,

    /// How files are named, such as {host}/{path} [default: by content, {hash} in 256 directories]
    ///
    /// {ext} (from Content-Type) {hash} (SHA-256) {host} {id} {name} (the path's last part) {out}
    /// (the row's, else {name}) {path} {query} {seq}. Names are made harmless: nothing leads out of
    /// the directory, and what is too long is cut and ends with a digest.
    #[arg(long, value_name = "TEMPLATE", value_parser = Template::parse, requires = "output_dir")]
    pub(crate) name_template: Option<Template>,

    /// Replace files that exist; else the new one gets .1, .2 and so on after its name
    #[arg(long, overrides_with = "no_clobber")]
    pub(crate) clobber: bool,

    /// Replace no file: the default
    #[arg(long, overrides_with = "clobber")]
    pub(crate) no_clobber: bool,

    /// Do not fetch what has its file already; the record says skipped
    #[arg(long)]
    pub(crate) skip_existing: bool,

    /// Do not wait until files are on the disk: faster, and less sure when the power fails
    #[arg(long)]
    pub(crate) no_fsync: bool,

    /// Keep requests and responses in a WARC 1.1 file, zipped if its name ends with .gz
    ///
    /// No compression is asked for, so that bodies are archived as they came. A file that exists
    /// stays: the next is FILE-00001 and so on. Request records have the fields that all requests
    /// have, without secrets.
    #[arg(long, value_name = "FILE", value_parser = values::path, conflicts_with = "compressed")]
    pub(crate) warc: Option<PathBuf>,

    /// Begin the next WARC file after so many bytes, such as 1G
    #[arg(long, value_name = "BYTES", value_parser = values::bytes, requires = "warc")]
    pub(crate) warc_size: Option<u64>,

    /// Keep bodies of statuses 2xx in tar files here, each with its record: 000000012.jpg and .json
    ///
    /// A tar file has its name, 00000.tar and so on, when it is complete. What a killed run leaves,
    /// 00003.tar.part, becomes one in the next run with all that was whole.
    #[arg(long, value_name = "DIR", value_parser = values::path, conflicts_with = "output_dir")]
    #[arg(conflicts_with = "remote_name")]
    pub(crate) tar: Option<PathBuf>,

    /// The most bodies in a tar file
    #[arg(long, value_name = "N", default_value_t = 10_000, requires = "tar")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tar_count: u64,

    /// The size that ends a tar file
    #[arg(long, value_name = "BYTES", default_value = "1G", requires = "tar")]
    #[arg(value_parser = values::bytes)]
    pub(crate) tar_size: u64,

    /// Tell this digest of each body in its record; `sha256` is there whenever bodies are looked at
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) checksum: Option<Algorithm>,
}

impl SaveOptions {
    /// The directory of files.
    pub(crate) fn directory(&self) -> Option<&Path> {
        let here = self.remote_name.then_some(Path::new("."));
        self.output_dir.as_deref().or(here)
    }

    /// Whether bodies are looked at at all.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.directory().is_some()
            || self.tar.is_some()
            || self.warc.is_some()
            || self.checksum.is_some()
    }
}

/// What is told of each URL, and how.
#[derive(Debug, Group)]
#[command(next_help_heading = "Output")]
pub(crate) struct ReportOptions {
    /// Print this on stdout for each URL that ends, as curl does; records then go to -o alone
    ///
    /// As in curl: %{http_code} %{url} %{json} %header{name} …, \n \t, and @FILE or @-. What is not
    /// known is an error.
    #[arg(short = 'w', long, value_name = "FORMAT")]
    pub(crate) write_out: Option<String>,

    /// Write a page that tells what happened to this file: times, hosts, retries, failures and what to
    /// do
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,

    /// Have the response's header fields in each record, as `header_json`
    #[arg(long, visible_alias = "include-headers")]
    pub(crate) record_headers: bool,
}
