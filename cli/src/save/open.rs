//! Opens the destinations of bodies from the options.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use fetch_proto::Method;
use fetch_state::{BodyLog, CompletionKind, StateLedger};
use http::HeaderMap;

use super::archives::Archives;
use super::directory::{BodyDirectory, FileLog};
use super::disk::DiskStatus;
use super::name::{FileNaming, NameTemplate};
use super::partial::PartialStore;
use super::resume::{ArchiveResume, DirectoryUse, remove_temporary};
use super::spool::BodySpool;
use super::warc::WarcWriter;
use super::{BodyStore, tar};
use crate::exit::CliError;
use crate::outcome::checksum::DigestAlgorithm;
use crate::outcome::recorded_body::BodyRecording;

/// The value of `-C`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ContinueAt {
    /// The run finds the offset of each file.
    Length,
    /// The bytes before this offset are there already.
    Offset(u64),
}

/// Where and how bodies are saved.
pub(crate) struct SaveOptions {
    pub(crate) algorithm: Option<DigestAlgorithm>,
    /// Whether existing files are overwritten.
    pub(crate) clobber: bool,
    /// `-C`: whether files that exist are continued.
    pub(crate) continues: Option<ContinueAt>,
    pub(crate) directory: Option<PathBuf>,
    /// How many files bodies may have open at once.
    pub(crate) max_files: usize,
    pub(crate) name_template: Option<NameTemplate>,
    /// The bodies that are also in the records.
    pub(crate) recording: Option<BodyRecording>,
    pub(crate) remote_name: bool,
    /// Whether names come from `Content-Disposition`.
    pub(crate) remote_header_name: bool,
    /// Whether files get the date of `Last-Modified`.
    pub(crate) remote_time: bool,
    /// Whether bodies of all statuses are saved.
    pub(crate) all_statuses: bool,
    pub(crate) skip_existing: bool,
    /// Whether files are synced to disk before they get their names.
    pub(crate) sync: bool,
    pub(crate) tar: Option<PathBuf>,
    pub(crate) tar_count: u64,
    pub(crate) tar_size: u64,
    pub(crate) warc: Option<PathBuf>,
    pub(crate) warc_size: Option<u64>,
}

/// What `--state` knows about the bodies of earlier runs.
#[derive(Clone, Debug)]
pub(crate) struct SaveResume {
    pub(crate) bodies: Arc<BodyLog>,
    pub(crate) tar: Option<ArchiveResume>,
    pub(crate) warc: Option<ArchiveResume>,
    pub(crate) ledger: Arc<StateLedger>,
    /// Whether failed requests are fetched again.
    pub(crate) retry_failed: bool,
}

impl SaveResume {
    /// Whether a request is not fetched again; `None` if the state cannot be read.
    fn is_completed(&self, digest: [u8; 16]) -> Option<bool> {
        let result = self.ledger.find_result(digest).ok()?;
        let again = self.retry_failed && result == Some(CompletionKind::Failed);
        Some(result.is_some() && !again)
    }
}

impl BodyStore {
    /// Saves nothing: verifies the checksums of rows while their bodies pass, and records bodies.
    pub(crate) fn checks_only(method: &Method, recording: Option<BodyRecording>) -> Self {
        // Without a directory there are no files.
        let disk = DiskStatus::new(1);
        Self {
            algorithm: None,
            archives: None,
            all_statuses: false,
            checks_only: true,
            directory: None,
            disk: disk.clone(),
            keeps_redirects: false,
            method: method.clone(),
            partial: None,
            recording,
            remote_time: false,
            skip_existing: false,
            spool: Arc::new(BodySpool {
                algorithm: None,
                all: false,
                directory: None,
                disk,
            }),
            _temporary: None,
        }
    }

    /// `headers` are the fields of every request, `resume` is what `--state` knows about bodies. Messages
    /// about what was repaired are added to `notes`.
    ///
    /// # Errors
    ///
    /// If a directory or a file cannot be created.
    pub(crate) fn open(
        save: &SaveOptions,
        method: &Method,
        headers: &HeaderMap,
        resume: Option<&SaveResume>,
        notes: &mut Vec<String>,
    ) -> Result<Self, CliError> {
        let disk = DiskStatus::new(save.max_files);
        let naming = match (&save.name_template, save.remote_name) {
            (Some(template), _) => FileNaming::Template(template.clone()),
            (None, true) if save.remote_header_name => FileNaming::Header,
            (None, true) => FileNaming::Template(NameTemplate::remote_name()),
            (None, false) => FileNaming::Content,
        };
        let is_known =
            matches!(&naming, FileNaming::Template(template) if template.is_known_before_fetch());
        if save.skip_existing && !is_known {
            return Err(CliError::usage(
                "--skip-existing: file names depend on the response: \
                 use -O, or --name-template without {hash} and {ext}",
            ));
        }
        if save.continues.is_some() && (save.directory.is_none() || !is_known) {
            return Err(CliError::usage(
                "-C -: only files whose names do not depend on the response can be continued: use -O, \
                 or --output-dir and --name-template without {hash} and {ext}",
            ));
        }
        let directory = match save.directory.as_deref() {
            Some(root) => {
                let root = create_directory("--output-dir", root)?.to_owned();
                let log = resume.map(|resume| FileLog::new(&resume.bodies, &root));
                let log = log.transpose().map_err(|error| {
                    let root = root.display();
                    CliError::file(format!("--output-dir {root}: cannot be used: {error}"))
                })?;
                Some(BodyDirectory {
                    clobber: save.clobber,
                    disk: disk.clone(),
                    log,
                    naming,
                    root,
                    sync: save.sync,
                })
            }
            None => None,
        };
        let shards = match &save.tar {
            Some(path) => {
                let path = create_directory("--tar", path)?;
                let (limits, resume) = ((save.tar_count, save.tar_size), resume);
                let resume = resume.and_then(|resume| resume.tar.clone());
                let shards = tar::TarShards::open(path, limits, disk.clone(), resume, notes);
                Some(shards.map_err(|error| CliError::file(format!("--tar {error}")))?)
            }
            None => None,
        };
        let archive = match &save.warc {
            Some(path) => {
                let resume = resume.and_then(|resume| resume.warc.clone());
                let opened =
                    WarcWriter::open(path, save.warc_size, headers, disk.clone(), resume, notes);
                Some(opened.map_err(|error| CliError::file(format!("--warc {error}")))?)
            }
            None => None,
        };
        let beside = save.warc.as_deref().map(|path| match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        });
        // Temporary files are in the same file system, so that they can be renamed.
        let temporary = save.directory.as_deref().or(save.tar.as_deref()).or(beside);
        let is_partial = save.continues.is_some() && save.directory.is_some() || resume.is_some();
        let used = temporary.map(|directory| {
            DirectoryUse::start(directory, |is_alone| {
                if !is_partial {
                    if is_alone {
                        remove_temporary(directory);
                    }
                    return None;
                }
                let is_completed = |digest| {
                    let found = resume.and_then(|resume| resume.is_completed(digest));
                    found.unwrap_or(false)
                };
                let store = PartialStore::open(
                    directory,
                    save.continues,
                    save.sync,
                    is_alone,
                    is_completed,
                );
                Some(Arc::new(store))
            })
        });
        let (used, partial) = used.unzip();
        Ok(Self {
            algorithm: save.algorithm,
            all_statuses: save.all_statuses,
            checks_only: false,
            directory,
            disk: disk.clone(),
            keeps_redirects: archive.is_some(),
            method: method.clone(),
            recording: save.recording,
            remote_time: save.remote_time,
            skip_existing: save.skip_existing,
            spool: Arc::new(BodySpool {
                algorithm: save.algorithm,
                all: archive.is_some() || save.recording.is_some() || save.all_statuses,
                directory: temporary.map(Path::to_owned),
                disk,
            }),
            _temporary: used,
            // A range that the user asks for cannot be continued.
            partial: partial
                .flatten()
                .filter(|_| !headers.contains_key(http::header::RANGE)),
            archives: (archive.is_some() || shards.is_some()).then(|| {
                Mutex::new(Archives {
                    tar: shards,
                    warc: archive,
                })
            }),
        })
    }
}

/// Creates a directory, unless it exists, and checks that it is writable.
fn create_directory<'a>(option: &str, path: &'a Path) -> Result<&'a Path, CliError> {
    let created = fs::create_dir_all(path).and_then(|()| tempfile::tempfile_in(path).map(drop));
    created.map(|()| path).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                ": it is a file: choose another name"
            }
            _ => "",
        };
        CliError::file(format!(
            "{option} {}: cannot be written: {error}{hint}",
            path.display()
        ))
    })
}
