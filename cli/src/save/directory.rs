//! Bodies as files in a directory, each complete or absent, and never outside the directory.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use fetch_state::{BodyLog, relative_path};
use tempfile::NamedTempFile;

use super::disk::DiskStatus;
use super::name::{FileNaming, NameInputs};
use super::spool::{BodyBytes, FinishedBody, write_chunks};
use super::temporary::create_temporary;
use crate::mutex::lock;
use crate::outcome::checksum::hex;

/// The most files with the same name, numbered.
const MAX_NUMBER: u32 = 1000;

/// A directory of bodies.
#[derive(Debug)]
pub(super) struct BodyDirectory {
    /// Whether an existing file is replaced.
    pub(super) clobber: bool,
    pub(super) disk: Arc<DiskStatus>,
    /// With `--state`, files are logged before they get their names.
    pub(super) log: Option<FileLog>,
    pub(super) naming: FileNaming,
    pub(super) root: PathBuf,
    /// Whether bytes and name are made durable.
    pub(super) sync: bool,
}

impl BodyDirectory {
    /// Saves the body under its name; returns the path relative to the directory. The body can still be
    /// read.
    ///
    /// # Errors
    ///
    /// If it cannot be written; the message has the file's name.
    pub(super) fn save(
        &self,
        body: &mut FinishedBody,
        inputs: &NameInputs<'_>,
    ) -> Result<String, String> {
        if matches!(body.bytes, BodyBytes::Named(_)) {
            return Ok(self.existing_file(inputs).unwrap_or_default());
        }
        let file = self.temporary_file(body)?;
        if self.sync {
            let synced = file.as_file().sync_data();
            synced.map_err(|error| self.disk.record_error(file.path(), &error))?;
        }
        let relative = self.create_parent(&self.naming.path(inputs))?;
        let by_content = self.naming.is_by_content(inputs.out);
        let entry = LogEntry {
            digest: hex(inputs.hash),
            seq: inputs.seq,
            size: body.size,
        };
        let is_equal =
            |meta: fs::Metadata| by_content && meta.is_file() && meta.len() == entry.size;
        if fs::symlink_metadata(self.root.join(&relative)).is_ok_and(is_equal) {
            self.log(&relative, &entry)?;
            body.bytes = BodyBytes::File(file);
            return Ok(relative);
        }
        let replace = self.clobber || by_content || body.replaces;
        let (name, file) = self.persist(file, relative, replace, &entry)?;
        body.bytes = BodyBytes::Saved(file);
        if self.sync {
            let path = self.root.join(&name);
            // Directories cannot be opened on Windows.
            if let Some(Ok(parent)) = path.parent().map(File::open) {
                let _ = parent.sync_all();
            }
        }
        Ok(name)
    }

    /// The body as a temporary file.
    fn temporary_file(&self, body: &mut FinishedBody) -> Result<NamedTempFile, String> {
        match std::mem::replace(&mut body.bytes, BodyBytes::Dropped) {
            BodyBytes::Dropped | BodyBytes::Named(_) | BodyBytes::Saved(_) => {
                Err("the body was dropped".into())
            }
            BodyBytes::File(file) => Ok(file),
            BodyBytes::Memory(chunks) => {
                let permit = &mut body.permit;
                permit.get_or_insert_with(|| self.disk.files.acquire(true));
                let mut file = create_temporary(&self.root)
                    .map_err(|error| self.disk.record_error(&self.root, &error))?;
                write_chunks(&mut file, &chunks)
                    .map_err(|error| self.disk.record_error(file.path(), &error))?;
                Ok(file)
            }
        }
    }

    /// Creates the parent directories of a path, and returns the path with their names: where a file has
    /// the name of a directory, the directory gets the first free one with `.1`, `.2` … after it. None of
    /// them may be a link.
    fn create_parent(&self, relative: &str) -> Result<String, String> {
        let mut parts: Vec<_> = relative.split('/').collect();
        let name = parts.pop().unwrap_or_default();
        let mut created = String::new();
        for part in parts {
            let directory = (0..MAX_NUMBER)
                .map(|n| numbered(&format!("{created}{part}"), n))
                .find_map(|directory| match self.create_directory(&directory) {
                    Ok(true) => Some(Ok(directory)),
                    Ok(false) => None,
                    Err(error) => Some(Err(error)),
                });
            created = directory.unwrap_or_else(|| Err(too_many(relative)))? + "/";
        }
        Ok(created + name)
    }

    /// Creates a directory, unless it exists. False if a file has this name.
    fn create_directory(&self, relative: &str) -> Result<bool, String> {
        let path = self.root.join(relative);
        match fs::create_dir(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(self.disk.record_error(&path, &error)),
            Ok(()) => return Ok(true),
        }
        let metadata = fs::symlink_metadata(&path);
        let metadata = metadata.map_err(|error| self.disk.record_error(&path, &error))?;
        if metadata.is_symlink() {
            return Err(format!(
                "{}: is a link, which is not followed",
                path.display()
            ));
        }
        Ok(metadata.is_dir())
    }

    /// Uses the name, or the first free one with `.1`, `.2` … after it. With `replace`, only a directory
    /// of this name is not free.
    fn persist(
        &self,
        mut file: NamedTempFile,
        relative: String,
        replace: bool,
        entry: &LogEntry,
    ) -> Result<(String, File), String> {
        for n in 0..MAX_NUMBER {
            let name = numbered(&relative, n);
            let path = self.root.join(&name);
            // Otherwise two requests could log one name, and only one of them gets it.
            let log = self.log.as_ref().filter(|_| !replace);
            let reserved = log.map(|log| log.reserve(&name));
            if matches!(reserved, Some(None)) {
                continue;
            }
            let is_taken = |meta: fs::Metadata| !replace || meta.is_dir();
            if fs::symlink_metadata(&path).is_ok_and(is_taken) {
                continue;
            }
            self.log(&name, entry)?;
            let persisted = match replace {
                true => file.persist(&path),
                false => file.persist_noclobber(&path),
            };
            match persisted {
                Ok(file) => return Ok((name, file)),
                Err(failed)
                    if matches!(
                        failed.error.kind(),
                        io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory
                    ) =>
                {
                    file = failed.file;
                }
                Err(failed) => return Err(self.disk.record_error(&path, &failed.error)),
            }
        }
        Err(too_many(&relative))
    }

    fn log(&self, relative: &str, entry: &LogEntry) -> Result<(), String> {
        let Some(log) = &self.log else {
            return Ok(());
        };
        let path = log.root.join(relative);
        let added = log.bodies.add_file(
            entry.seq,
            &path,
            entry.size,
            entry.digest.clone(),
            self.sync,
        );
        added.map_err(|error| self.disk.record_error(log.bodies.directory(), &error))
    }

    /// The path of the file of a name, whether it exists or not.
    pub(super) fn expected_path(&self, inputs: &NameInputs<'_>) -> PathBuf {
        let existing = self.existing_file(inputs);
        self.root
            .join(existing.unwrap_or_else(|| self.naming.path(inputs)))
    }

    /// The path of the name, if such a file exists.
    pub(super) fn existing_file(&self, inputs: &NameInputs<'_>) -> Option<String> {
        let relative = self.naming.path(inputs);
        let mut parts: Vec<_> = relative.split('/').collect();
        let name = parts.pop().unwrap_or_default();
        let mut found = String::new();
        for part in parts {
            let names = (0..MAX_NUMBER).map(|n| numbered(&format!("{found}{part}"), n));
            let metadata = |name: &str| fs::symlink_metadata(self.root.join(name)).ok();
            let mut existing = names.map_while(|name| Some((metadata(&name)?, name)));
            found = existing.find(|(metadata, _)| metadata.is_dir())?.1 + "/";
        }
        let relative = found + name;
        let metadata = fs::symlink_metadata(self.root.join(&relative));
        let is_file = metadata.is_ok_and(|metadata| metadata.is_file());
        is_file.then_some(relative)
    }
}

/// The name itself, or with a number after it.
fn numbered(name: &str, n: u32) -> String {
    match n {
        0 => name.to_owned(),
        n => format!("{name}.{n}"),
    }
}

fn too_many(name: &str) -> String {
    format!("{name}: {MAX_NUMBER} files with this name exist: use another --name-template")
}

/// The log of files of `--state`.
#[derive(Debug)]
pub(super) struct FileLog {
    bodies: Arc<BodyLog>,
    /// The names of files that are being created.
    reserved: Mutex<HashSet<String>>,
    /// The directory of bodies, relative to that of the state.
    root: PathBuf,
}

impl FileLog {
    pub(super) fn new(bodies: &Arc<BodyLog>, root: &Path) -> io::Result<Self> {
        Ok(Self {
            bodies: bodies.clone(),
            reserved: Mutex::default(),
            root: relative_path(bodies.directory(), root)?,
        })
    }
}

impl FileLog {
    /// Reserves a name until the result is dropped; `None` if it is reserved already.
    fn reserve(&self, name: &str) -> Option<ReservedName<'_>> {
        lock(&self.reserved)
            .insert(name.to_owned())
            .then(|| ReservedName {
                log: self,
                name: name.to_owned(),
            })
    }
}

/// A name that no other request gets.
struct ReservedName<'a> {
    log: &'a FileLog,
    name: String,
}

impl Drop for ReservedName<'_> {
    fn drop(&mut self) {
        lock(&self.log.reserved).remove(&self.name);
    }
}

/// What the log has about a file.
struct LogEntry {
    digest: String,
    seq: u64,
    size: u64,
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::super::name::NameTemplate;
    use super::super::spool::BodySpool;
    use super::*;

    fn directory(root: &Path, template: Option<&str>) -> BodyDirectory {
        let naming =
            template.map(|template| FileNaming::Template(NameTemplate::parse(template).unwrap()));
        BodyDirectory {
            clobber: false,
            disk: DiskStatus::new(9),
            log: None,
            naming: naming.unwrap_or(FileNaming::Content),
            root: root.to_owned(),
            sync: true,
        }
    }

    fn save(directory: &BodyDirectory, text: &'static str) -> Result<String, String> {
        let spool = BodySpool {
            algorithm: None,
            all: true,
            directory: Some(directory.root.clone()),
            disk: DiskStatus::new(9),
        };
        let mut body = spool.spooled(None, text.into()).take().unwrap().unwrap();
        let (url, hash) = (Url::parse("http://a.test/x").unwrap(), body.digests.sha256);
        directory.save(
            &mut body,
            &NameInputs {
                ext: "txt",
                hash: &hash,
                header: None,
                id: "",
                out: None,
                seq: 0,
                url: &url,
            },
        )
    }

    #[test]
    fn an_existing_name_gets_a_number_or_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let mut directory = directory(dir.path(), Some("d/{name}"));
        assert_eq!(save(&directory, "one").unwrap(), "d/x");
        assert_eq!(save(&directory, "two").unwrap(), "d/x.1");
        directory.clobber = true;
        assert_eq!(save(&directory, "three").unwrap(), "d/x");
        let read = |name| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!((read("d/x"), read("d/x.1")), ("three".into(), "two".into()));
    }

    #[test]
    fn equal_bodies_share_a_file_and_a_damaged_file_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let directory = directory(dir.path(), None);
        let name = save(&directory, "same").unwrap();
        assert_eq!(save(&directory, "same").unwrap(), name);
        fs::write(dir.path().join(&name), "s").unwrap();
        assert_eq!(save(&directory, "same").unwrap(), name);
        assert_eq!(fs::read_to_string(dir.path().join(&name)).unwrap(), "same");
        // Only the file's directory: no temporary file is left.
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_and_a_directory_of_one_name_stay_apart() {
        let dir = tempfile::tempdir().unwrap();
        let [file, below] = ["d", "d/{name}"].map(|name| directory(dir.path(), Some(name)));
        assert_eq!(save(&file, "one").unwrap(), "d");
        assert_eq!(save(&below, "two").unwrap(), "d.1/x");
        assert_eq!(save(&below, "three").unwrap(), "d.1/x.1");
        assert_eq!(save(&file, "four").unwrap(), "d.2");
        let other = tempfile::tempdir().unwrap();
        let [mut file, below] = ["d", "d/{name}"].map(|name| directory(other.path(), Some(name)));
        file.clobber = true;
        assert_eq!(save(&below, "one").unwrap(), "d/x");
        assert_eq!(save(&file, "two").unwrap(), "d.1");
        assert_eq!(save(&file, "three").unwrap(), "d.1");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_directory_is_not_followed() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("d")).unwrap();
        let error = save(&directory(dir.path(), Some("d/{name}")), "x").unwrap_err();
        assert!(error.contains("link"), "{error}");
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
