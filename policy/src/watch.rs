//! Detects changes of a policy file.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::{PolicyError, PolicyErrorKind, PolicyFile};

/// Detects changes of a policy file. It has no thread and no timer: call [`poll`](Self::poll)
/// periodically.
///
/// An invalid file is reported once and watching continues, so the caller can keep the previous
/// policy until the file is fixed.
///
/// ```
/// let mut watcher = fetch_policy::PolicyWatcher::new("policy.toml");
/// if let Some(changed) = watcher.poll() {
///     match changed {
///         Ok(file) => println!("{} rules", file.config().unwrap().rules.iter().count()),
///         Err(error) => eprintln!("{error}: the old policy stays in force"),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct PolicyWatcher {
    path: PathBuf,
    seen: Option<FileStamp>,
    content: Option<Vec<u8>>,
}

type FileStamp = (Option<SystemTime>, u64);

impl PolicyWatcher {
    /// Watches this file for changes from its present content.
    ///
    /// ```
    /// let watcher = fetch_policy::PolicyWatcher::new("policy.toml");
    /// ```
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let mut watcher = Self {
            seen: None,
            content: None,
            path,
        };
        watcher.seen = watcher.stamp();
        watcher.content = fs::read(&watcher.path).ok();
        watcher
    }

    /// The new policy if the file's content has changed since the last call, or the error in it.
    /// `None` if it has not changed or cannot be read, for example while it is being replaced.
    ///
    /// ```
    /// let mut watcher = fetch_policy::PolicyWatcher::new("/no/such/file");
    /// assert!(watcher.poll().is_none());
    /// ```
    pub fn poll(&mut self) -> Option<Result<PolicyFile, PolicyError>> {
        let now = self.stamp()?;
        if self.seen == Some(now) {
            return None;
        }
        // An unreadable file is read again at the next call.
        let bytes = fs::read(&self.path).ok()?;
        self.seen = Some(now);
        if self.content.as_ref() == Some(&bytes) {
            return None; // only the modification time changed
        }
        let name = self.path.display().to_string();
        let file = match str::from_utf8(&bytes) {
            Ok(text) => PolicyFile::parse(&name, text),
            Err(error) => Err(PolicyError {
                name,
                position: None,
                text: String::new(),
                message: format!("cannot be read: {error}: save the file as UTF-8"),
                kind: PolicyErrorKind::Unreadable,
            }),
        };
        self.content = Some(bytes);
        Some(file)
    }

    fn stamp(&self) -> Option<FileStamp> {
        let data = fs::metadata(&self.path).ok()?;
        Some((data.modified().ok(), data.len()))
    }
}
