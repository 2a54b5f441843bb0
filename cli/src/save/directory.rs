//! Bodies as files in a directory: complete or not there at all, and nowhere else.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::NamedTempFile;

use super::Disk;
use super::name::{Facts, Naming};
use super::spool::{Body, Kind, temporary, write};

/// So many names are tried, with a number after them, before it is an error.
const TRIES: u32 = 1000;

/// A directory of bodies.
#[derive(Debug)]
pub(super) struct Directory {
    /// Whether a file of that name is replaced.
    pub(super) clobber: bool,
    pub(super) disk: Arc<Disk>,
    pub(super) naming: Naming,
    pub(super) root: PathBuf,
    /// Whether bytes and name are to be on the disk before it is told.
    pub(super) sync: bool,
}

impl Directory {
    /// Gives the body a name. Tells the path below the directory.
    ///
    /// # Errors
    ///
    /// If it cannot be written, with the file's name.
    pub(super) fn keep(&self, body: Body, facts: &Facts<'_>) -> Result<String, String> {
        let size = body.size;
        let file = self.file(body)?;
        if self.sync {
            let synced = file.as_file().sync_data();
            synced.map_err(|error| self.disk.fails(file.path(), &error))?;
        }
        let relative = self.naming.path(facts);
        let parent = self.parent(&relative)?;
        let path = self.root.join(&relative);
        let by_content = self.naming.is_by_content(facts.out);
        if by_content && fs::symlink_metadata(&path).is_ok_and(|m| m.is_file() && m.len() == size) {
            return Ok(relative);
        }
        let name = match self.clobber || by_content {
            true => self.replace(file, &path).map(|()| relative)?,
            false => self.number(file, relative)?,
        };
        if self.sync {
            // Windows has no such thing; a directory that cannot be opened was just written to.
            if let Ok(parent) = File::open(&parent) {
                let _ = parent.sync_all();
            }
        }
        Ok(name)
    }

    /// The body's file; one is made for what was in memory.
    fn file(&self, body: Body) -> Result<NamedTempFile, String> {
        match body.bytes {
            Kind::Dropped => Err("the body was dropped".into()),
            Kind::File(file) => Ok(file),
            Kind::Memory(chunks) => {
                let mut file =
                    temporary(&self.root).map_err(|error| self.disk.fails(&self.root, &error))?;
                write(&mut file, &chunks).map_err(|error| self.disk.fails(file.path(), &error))?;
                Ok(file)
            }
        }
    }

    /// Makes the directories of a path, none of which may be a link to elsewhere.
    fn parent(&self, relative: &str) -> Result<PathBuf, String> {
        let mut path = self.root.clone();
        let directories = relative
            .rsplit_once('/')
            .map_or("", |(directories, _)| directories);
        for part in directories.split('/').filter(|part| !part.is_empty()) {
            path.push(part);
            match fs::symlink_metadata(&path) {
                Ok(there) if there.is_dir() => continue,
                Ok(_) => {
                    let why = "is no directory, or a link, which is not followed";
                    return Err(format!("{}: {why}", path.display()));
                }
                Err(_) => {}
            }
            match fs::create_dir(&path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(self.disk.fails(&path, &error));
                }
                _ => {}
            }
        }
        Ok(path)
    }

    fn replace(&self, file: NamedTempFile, path: &Path) -> Result<(), String> {
        let placed = file.persist(path);
        placed
            .map(drop)
            .map_err(|error| self.disk.fails(path, &error.error))
    }

    /// Takes the name, or the first with `.1`, `.2` … after it that is free.
    fn number(&self, mut file: NamedTempFile, relative: String) -> Result<String, String> {
        for n in 0..TRIES {
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
                Err(failed) => return Err(self.disk.fails(&path, &failed.error)),
            }
        }
        Err(format!(
            "{relative}: {TRIES} files have this name already: see --name-template"
        ))
    }

    /// The path of that name, if there is such a file.
    pub(super) fn existing(&self, facts: &Facts<'_>) -> Option<String> {
        let relative = self.naming.path(facts);
        let there = fs::symlink_metadata(self.root.join(&relative));
        there.is_ok_and(|there| there.is_file()).then_some(relative)
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::super::name::Template;
    use super::super::spool::Spool;
    use super::*;

    fn directory(root: &Path, template: Option<&str>) -> Directory {
        let naming = template.map(|template| Naming::Template(Template::parse(template).unwrap()));
        Directory {
            clobber: false,
            disk: Arc::default(),
            naming: naming.unwrap_or(Naming::Content),
            root: root.to_owned(),
            sync: true,
        }
    }

    fn keep(directory: &Directory, text: &'static str) -> Result<String, String> {
        let spool = Spool {
            algorithm: None,
            all: true,
            directory: Some(directory.root.clone()),
            disk: Arc::default(),
        };
        let body = spool.spooled(None, text.into()).take().unwrap().unwrap();
        let (url, hash) = (Url::parse("http://a.test/x").unwrap(), body.digests.sha256);
        directory.keep(
            body,
            &Facts {
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
    fn a_name_that_is_taken_gets_a_number_unless_it_is_to_be_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let mut directory = directory(dir.path(), Some("d/{name}"));
        assert_eq!(keep(&directory, "one").unwrap(), "d/x");
        assert_eq!(keep(&directory, "two").unwrap(), "d/x.1");
        directory.clobber = true;
        assert_eq!(keep(&directory, "three").unwrap(), "d/x");
        let read = |name| fs::read_to_string(dir.path().join(name)).unwrap();
        assert_eq!((read("d/x"), read("d/x.1")), ("three".into(), "two".into()));
    }

    #[test]
    fn the_same_bytes_are_kept_once_and_a_damaged_file_is_made_good() {
        let dir = tempfile::tempdir().unwrap();
        let directory = directory(dir.path(), None);
        let name = keep(&directory, "same").unwrap();
        assert_eq!(keep(&directory, "same").unwrap(), name);
        fs::write(dir.path().join(&name), "s").unwrap();
        assert_eq!(keep(&directory, "same").unwrap(), name);
        assert_eq!(fs::read_to_string(dir.path().join(&name)).unwrap(), "same");
        // The file and its directory; nothing temporary.
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_directory_is_not_followed() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("d")).unwrap();
        let error = keep(&directory(dir.path(), Some("d/{name}")), "x").unwrap_err();
        assert!(error.contains("link"), "{error}");
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    }
}
