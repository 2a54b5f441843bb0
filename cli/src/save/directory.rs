//! Bodies as files in a directory, each complete or absent, and never outside the directory.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::NamedTempFile;

use super::DiskStatus;
use super::name::{FileNaming, NameInputs};
use super::spool::{BodyBytes, FinishedBody, create_temporary, write_chunks};

/// The most files with the same name, numbered.
const MAX_NUMBER: u32 = 1000;

/// A directory of bodies.
#[derive(Debug)]
pub(super) struct BodyDirectory {
    /// Whether an existing file is replaced.
    pub(super) clobber: bool,
    pub(super) disk: Arc<DiskStatus>,
    pub(super) naming: FileNaming,
    pub(super) root: PathBuf,
    /// Whether bytes and name are made durable.
    pub(super) sync: bool,
}

impl BodyDirectory {
    /// Saves the body under its name; returns the path relative to the directory.
    ///
    /// # Errors
    ///
    /// If it cannot be written; the message has the file's name.
    pub(super) fn save(
        &self,
        body: FinishedBody,
        inputs: &NameInputs<'_>,
    ) -> Result<String, String> {
        let size = body.size;
        let file = self.temporary_file(body)?;
        if self.sync {
            let synced = file.as_file().sync_data();
            synced.map_err(|error| self.disk.record_error(file.path(), &error))?;
        }
        let relative = self.naming.path(inputs);
        let parent = self.create_parent(&relative)?;
        let path = self.root.join(&relative);
        let by_content = self.naming.is_by_content(inputs.out);
        if by_content && fs::symlink_metadata(&path).is_ok_and(|m| m.is_file() && m.len() == size) {
            return Ok(relative);
        }
        let name = match self.clobber || by_content {
            true => self.persist_replacing(file, &path).map(|()| relative)?,
            false => self.persist_numbered(file, relative)?,
        };
        if self.sync {
            // Directories cannot be opened on Windows.
            if let Ok(parent) = File::open(&parent) {
                let _ = parent.sync_all();
            }
        }
        Ok(name)
    }

    /// The body as a temporary file.
    fn temporary_file(&self, body: FinishedBody) -> Result<NamedTempFile, String> {
        match body.bytes {
            BodyBytes::Dropped => Err("the body was dropped".into()),
            BodyBytes::File(file) => Ok(file),
            BodyBytes::Memory(chunks) => {
                let mut file = create_temporary(&self.root)
                    .map_err(|error| self.disk.record_error(&self.root, &error))?;
                write_chunks(&mut file, &chunks)
                    .map_err(|error| self.disk.record_error(file.path(), &error))?;
                Ok(file)
            }
        }
    }

    /// Creates the parent directories of a path. None of them may be a link.
    fn create_parent(&self, relative: &str) -> Result<PathBuf, String> {
        let mut path = self.root.clone();
        let directories = relative
            .rsplit_once('/')
            .map_or("", |(directories, _)| directories);
        for part in directories.split('/').filter(|part| !part.is_empty()) {
            path.push(part);
            match fs::symlink_metadata(&path) {
                Ok(metadata) if metadata.is_dir() => continue,
                Ok(_) => {
                    let why = "is not a directory, or a link, which is not followed";
                    return Err(format!("{}: {why}", path.display()));
                }
                Err(_) => {}
            }
            match fs::create_dir(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(self.disk.record_error(&path, &error));
                }
                _ => {}
            }
        }
        Ok(path)
    }

    fn persist_replacing(&self, file: NamedTempFile, path: &Path) -> Result<(), String> {
        let persisted = file.persist(path);
        persisted
            .map(drop)
            .map_err(|error| self.disk.record_error(path, &error.error))
    }

    /// Uses the name, or the first free one with `.1`, `.2` … after it.
    fn persist_numbered(
        &self,
        mut file: NamedTempFile,
        relative: String,
    ) -> Result<String, String> {
        for n in 0..MAX_NUMBER {
            let name = match n {
                0 => relative.clone(),
                n => format!("{relative}.{n}"),
            };
            let path = self.root.join(&name);
            match file.persist_noclobber(&path) {
                Ok(_) => return Ok(name),
                Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => {
                    file = failed.file;
                }
                Err(failed) => return Err(self.disk.record_error(&path, &failed.error)),
            }
        }
        Err(format!(
            "{relative}: {MAX_NUMBER} files with this name exist: use another --name-template"
        ))
    }

    /// The path of the name, if such a file exists.
    pub(super) fn existing_file(&self, inputs: &NameInputs<'_>) -> Option<String> {
        let relative = self.naming.path(inputs);
        let metadata = fs::symlink_metadata(self.root.join(&relative));
        let is_file = metadata.is_ok_and(|metadata| metadata.is_file());
        is_file.then_some(relative)
    }
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
            disk: Arc::default(),
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
            disk: Arc::default(),
        };
        let body = spool.spooled(None, text.into()).take().unwrap().unwrap();
        let (url, hash) = (Url::parse("http://a.test/x").unwrap(), body.digests.sha256);
        directory.save(
            body,
            &NameInputs {
                ext: "txt",
                hash: &hash,
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
