//! Opens the destinations of bodies from the options.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use fetch_proto::Method;
use http::HeaderMap;

use super::directory::BodyDirectory;
use super::name::{FileNaming, NameTemplate};
use super::spool::BodySpool;
use super::{BodyStore, DiskStatus, tar, warc};
use crate::exit::CliError;
use crate::outcome::checksum::DigestAlgorithm;

/// Where and how bodies are saved.
pub(crate) struct SaveOptions {
    pub(crate) algorithm: Option<DigestAlgorithm>,
    /// Whether existing files are overwritten.
    pub(crate) clobber: bool,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) name_template: Option<NameTemplate>,
    pub(crate) remote_name: bool,
    pub(crate) skip_existing: bool,
    /// Whether files are synced to disk before they get their names.
    pub(crate) sync: bool,
    pub(crate) tar: Option<PathBuf>,
    pub(crate) tar_count: u64,
    pub(crate) tar_size: u64,
    pub(crate) warc: Option<PathBuf>,
    pub(crate) warc_size: Option<u64>,
}

impl BodyStore {
    /// `headers` are the fields of every request.
    ///
    /// # Errors
    ///
    /// If a directory or a file cannot be created.
    pub(crate) fn open(
        save: &SaveOptions,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Self, CliError> {
        let disk = Arc::new(DiskStatus::default());
        let naming = match (&save.name_template, save.remote_name) {
            (Some(template), _) => FileNaming::Template(template.clone()),
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
        let directory = match save.directory.as_deref() {
            Some(root) => Some(BodyDirectory {
                clobber: save.clobber,
                disk: disk.clone(),
                naming,
                root: create_directory("--output-dir", root)?.to_owned(),
                sync: save.sync,
            }),
            None => None,
        };
        let shards = match &save.tar {
            Some(path) => {
                let path = create_directory("--tar", path)?;
                let shards =
                    tar::TarShards::open(path, save.tar_count, save.tar_size, disk.clone());
                Some(shards.map_err(|error| CliError::file(format!("--tar {error}")))?)
            }
            None => None,
        };
        let archive = match &save.warc {
            Some(path) => {
                let warc = warc::WarcWriter::open(path, save.warc_size, headers, disk.clone());
                Some(warc.map_err(|error| CliError::file(format!("--warc {error}")))?)
            }
            None => None,
        };
        let beside = save.warc.as_deref().map(|path| match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        });
        // Temporary files are in the same file system, so that they can be renamed.
        let temporary = save.directory.as_deref().or(save.tar.as_deref()).or(beside);
        Ok(Self {
            algorithm: save.algorithm,
            directory,
            disk: disk.clone(),
            method: method.clone(),
            skip_existing: save.skip_existing,
            spool: Arc::new(BodySpool {
                algorithm: save.algorithm,
                all: archive.is_some(),
                directory: temporary.map(Path::to_owned),
                disk,
            }),
            tar: shards.map(Mutex::new),
            warc: archive.map(Mutex::new),
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
