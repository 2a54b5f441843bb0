//! The places where bodies go, as the options name them.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use fetch_proto::Method;
use http::HeaderMap;

use super::directory::Directory;
use super::name::{Naming, Template};
use super::spool::Spool;
use super::{Disk, Store, tar, warc};
use crate::args::output::SaveOptions;
use crate::exit::CliError;

impl Store {
    /// Opens what the options name. `headers` are the fields that every request has.
    ///
    /// # Errors
    ///
    /// If a directory or a file cannot be made.
    pub(crate) fn open(
        save: &SaveOptions,
        method: &Method,
        headers: &HeaderMap,
    ) -> Result<Self, CliError> {
        let disk = Arc::new(Disk::default());
        let naming = match (&save.name_template, save.remote_name) {
            (Some(template), _) => Naming::Template(template.clone()),
            (None, true) => Naming::Template(Template::remote_name()),
            (None, false) => Naming::Content,
        };
        let known = matches!(&naming, Naming::Template(template) if template.is_known_beforehand());
        if save.skip_existing && !known {
            return Err(CliError::usage(
                "--skip-existing: these names are known only after the fetch: \
                 write -O, or --name-template without {hash} and {ext}",
            ));
        }
        let directory = match save.directory() {
            Some(root) => Some(Directory {
                clobber: save.clobber,
                disk: disk.clone(),
                naming,
                root: make("--output-dir", root)?.to_owned(),
                sync: !save.no_fsync,
            }),
            None => None,
        };
        let shards = match &save.tar {
            Some(path) => {
                let path = make("--tar", path)?;
                let shards = tar::Shards::open(path, save.tar_count, save.tar_size, disk.clone());
                Some(shards.map_err(|error| CliError::file(format!("--tar {error}")))?)
            }
            None => None,
        };
        let archive = match &save.warc {
            Some(path) => {
                let warc = warc::Warc::open(path, save.warc_size, headers, disk.clone());
                Some(warc.map_err(|error| CliError::file(format!("--warc {error}")))?)
            }
            None => None,
        };
        let beside = save.warc.as_deref().map(|path| match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        });
        // Temporary files are where they can be renamed to their names.
        let temporary = save.directory().or(save.tar.as_deref()).or(beside);
        Ok(Self {
            algorithm: save.checksum,
            directory,
            disk: disk.clone(),
            method: method.clone(),
            skip_existing: save.skip_existing,
            spool: Arc::new(Spool {
                algorithm: save.checksum,
                all: archive.is_some(),
                directory: temporary.map(Path::to_owned),
                disk,
            }),
            tar: shards.map(Mutex::new),
            warc: archive.map(Mutex::new),
        })
    }
}

/// Makes a directory, unless it is there.
fn make<'a>(option: &str, path: &'a Path) -> Result<&'a Path, CliError> {
    let made = fs::create_dir_all(path).and_then(|()| {
        // That it is there does not say that it can be written to.
        tempfile::tempfile_in(path).map(drop)
    });
    made.map(|()| path).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
                ": it is a file: write another name"
            }
            _ => "",
        };
        CliError::file(format!(
            "{option} {}: cannot be written: {error}{hint}",
            path.display()
        ))
    })
}
