//! Detects changes of a policy file.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::{PolicyError, PolicyFile};

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
    text: Option<String>,
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
            text: None,
            path,
        };
        watcher.seen = watcher.stamp();
        watcher.text = fs::read_to_string(&watcher.path).ok();
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
        // An unreadable file is read again at the next call. Bytes that are not UTF-8 become
        // replacement characters, which `parse` rejects outside comments and strings.
        let bytes = fs::read(&self.path).ok()?;
        self.seen = Some(now);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if self.text.as_ref() == Some(&text) {
            return None; // only the modification time changed
        }
        let file = PolicyFile::parse(&self.path.display().to_string(), &text);
        self.text = Some(text);
        Some(file)
    }

    fn stamp(&self) -> Option<FileStamp> {
        let data = fs::metadata(&self.path).ok()?;
        Some((data.modified().ok(), data.len()))
    }
}
