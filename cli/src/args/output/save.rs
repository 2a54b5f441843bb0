//! The options for saving bodies.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use clap::Args as Group;

use crate::args::values;
use crate::outcome::checksum::DigestAlgorithm;
use crate::outcome::recorded_body::BodyRecording;
use crate::save::{ContinueAt, NameTemplate, SaveOptions};

#[derive(Debug, Group)]
#[command(next_help_heading = "Bodies")]
pub(crate) struct SaveArgs {
    /// Save bodies of 2xx responses as files in this directory
    ///
    /// A file gets its name when it is complete. Incomplete ones are named .fetch-all-….part; the next
    /// run in the directory removes those of a run that was killed. Where a file has the name of a
    /// directory that is needed, or the other way round, the later one gets a suffix: a and a.1/b. The
    /// column `out` of a list takes precedence over templates.
    #[arg(long, value_name = "DIR", value_parser = values::path)]
    pub(crate) output_dir: Option<PathBuf>,

    /// Name files by the last segment of the URL's path, in . unless --output-dir is given
    #[arg(short = 'O', long, conflicts_with = "name_template")]
    #[arg(aliases = ["remote-name-all"])]
    pub(crate) remote_name: bool,

    /// With -O: take the names of files from Content-Disposition, if a response has one
    #[arg(short = 'J', long, requires = "remote_name", conflicts_with_all = ["continue_at", "skip_existing"])]
    pub(crate) remote_header_name: bool,

    /// Give files the date of Last-Modified
    #[arg(short = 'R', long)]
    pub(crate) remote_time: bool,

    /// Remove files of failed downloads (the default; with -C - they are continued)
    #[arg(long, conflicts_with = "continue_at")]
    pub(crate) remove_on_error: bool,

    /// File name template, such as {host}/{path} [default: by content, {hash} in 256 directories]
    ///
    /// {ext} (from Content-Type, without a dot: {id}.{ext}) {hash} (SHA-256) {host} {id} {name} (the path's last segment) {out}
    /// (the row's, else {name}) {path} {query} {seq}. Names are sanitized: none leads out of the
    /// directory, and a name that is too long is cut and ends with a digest.
    #[arg(long, value_name = "TEMPLATE", value_parser = NameTemplate::parse, requires = "output_dir")]
    pub(crate) name_template: Option<NameTemplate>,

    /// Overwrite existing files; without it the new file gets the suffix .1, .2 and so on
    #[arg(long, overrides_with = "no_clobber")]
    pub(crate) clobber: bool,

    /// Do not overwrite existing files (the default)
    #[arg(long, overrides_with = "clobber")]
    pub(crate) no_clobber: bool,

    /// Continue files that exist, and downloads that broke off: -C -, or the offset for a single URL
    ///
    /// As in curl, but for each URL: the rest is asked for by Range, with If-Range where an earlier run
    /// noted the validator; a complete file stays, and one that has changed starts over. What a failed or
    /// killed run has received stays in hidden files for the next run with -C -. Names must not depend
    /// on the response. With a number, the rest is appended to that many bytes of the file, if there is
    /// one. With -T, the rest of the file is sent, with Content-Range.
    #[arg(short = 'C', long, value_name = "-|OFFSET", value_parser = values::continue_at)]
    #[arg(allow_hyphen_values = true, conflicts_with_all = ["skip_existing", "range"])]
    pub(crate) continue_at: Option<ContinueAt>,

    /// Skip URLs whose file exists; their records have the outcome skipped
    #[arg(long)]
    pub(crate) skip_existing: bool,

    /// Do not sync files to disk: faster, but files may be lost in a power failure
    #[arg(long)]
    pub(crate) no_fsync: bool,

    /// Archive requests and responses in a WARC 1.1 file, gzipped if its name ends with .gz
    ///
    /// No compression is requested, so that bodies are archived as they were received. An existing
    /// file is not overwritten: the next is FILE-00001 and so on. With --state the archive of an earlier
    /// run is continued. Request records have the header
    /// fields that all requests share, without secrets.
    #[arg(long, value_name = "FILE", value_parser = values::path, conflicts_with = "compressed")]
    pub(crate) warc: Option<PathBuf>,

    /// Start the next WARC file after this size, such as 1G
    #[arg(long, value_name = "BYTES", value_parser = values::bytes, requires = "warc")]
    pub(crate) warc_size: Option<u64>,

    /// Save bodies of 2xx responses in tar files here, each with its record: 000000012.jpg and .json
    ///
    /// A tar file gets its name, 00000.tar and so on, when it is complete. The next run repairs the
    /// 00003.tar.part of a run that was killed: it keeps all complete entries, with --state those that
    /// have a record in its output.
    #[arg(long, value_name = "DIR", value_parser = values::path, conflicts_with = "output_dir")]
    #[arg(conflicts_with = "remote_name")]
    pub(crate) tar: Option<PathBuf>,

    /// Maximum bodies in a tar file
    #[arg(long, value_name = "N", default_value = "10000", requires = "tar")]
    #[arg(value_parser = values::positive)]
    pub(crate) tar_count: NonZeroU64,

    /// Size after which the next tar file starts
    #[arg(long, value_name = "BYTES", default_value = "1G", requires = "tar")]
    #[arg(value_parser = values::bytes)]
    pub(crate) tar_size: u64,

    /// Record this digest of each body; `sha256` is recorded whenever bodies are saved or digested
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) checksum: Option<DigestAlgorithm>,
}

impl SaveArgs {
    /// The directory of files.
    pub(crate) fn directory(&self) -> Option<&Path> {
        let here = self.remote_name.then_some(Path::new("."));
        self.output_dir.as_deref().or(here)
    }

    /// These options for the body store, and which bodies are also in records.
    pub(crate) fn options(
        &self,
        recording: Option<BodyRecording>,
        max_files: usize,
    ) -> SaveOptions {
        SaveOptions {
            algorithm: self.checksum,
            all_statuses: false,
            clobber: self.clobber,
            continues: None,
            directory: self.directory().map(Path::to_owned),
            max_files,
            name_template: self.name_template.clone(),
            recording,
            remote_name: self.remote_name,
            remote_header_name: self.remote_header_name,
            remote_time: self.remote_time,
            skip_existing: self.skip_existing,
            sync: !self.no_fsync,
            tar: self.tar.clone(),
            tar_count: self.tar_count.get(),
            tar_size: self.tar_size,
            warc: self.warc.clone(),
            warc_size: self.warc_size,
        }
    }

    /// Whether bodies are saved or digested.
    pub(crate) fn is_asked_for(&self) -> bool {
        self.directory().is_some()
            || self.tar.is_some()
            || self.warc.is_some()
            || self.checksum.is_some()
    }
}
