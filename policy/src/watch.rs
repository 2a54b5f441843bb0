//! Seeing that the file has changed.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::{PolicyFile, Wrong};

/// Watches a policy file. It has no thread and no timer: ask it now and then.
///
/// A file that is no good is told once, and watching goes on, so a mistake leaves the old policy in
/// force until it is mended.
///
/// ```
/// let mut watcher = fetch_policy::Watcher::new("policy.toml");
/// if let Some(changed) = watcher.poll() {
///     match changed {
///         Ok(file) => println!("{} rules", file.config().unwrap().rules_ref().iter().count()),
///         Err(wrong) => eprintln!("{wrong}: the old policy stays"),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Watcher {
    path: PathBuf,
    seen: Option<Seen>,
    text: Option<String>,
}

type Seen = (Option<SystemTime>, u64);

impl Watcher {
    /// Watches this file. As it is now is what it is compared with.
    ///
    /// ```
    /// let watcher = fetch_policy::Watcher::new("policy.toml");
    /// ```
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let mut watcher = Self {
            seen: None,
            text: None,
            path,
        };
        watcher.seen = watcher.look();
        watcher.text = fs::read_to_string(&watcher.path).ok();
        watcher
    }

    /// The new policy if the file has other content than when it was last looked at, or what is
    /// wrong with it. A file that is not there, as while it is being replaced, is waited for.
    ///
    /// ```
    /// let mut watcher = fetch_policy::Watcher::new("/no/such/file");
    /// assert!(watcher.poll().is_none());
    /// ```
    pub fn poll(&mut self) -> Option<Result<PolicyFile, Wrong>> {
        let now = self.look()?;
        if self.seen == Some(now) {
            return None;
        }
        // What cannot be read is looked at again; what is no text is a mistake like any other.
        let bytes = fs::read(&self.path).ok()?;
        self.seen = Some(now);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if self.text.as_ref() == Some(&text) {
            return None; // it was only touched
        }
        let file = PolicyFile::parse(&self.path.display().to_string(), &text);
        self.text = Some(text);
        Some(file)
    }

    fn look(&self) -> Option<Seen> {
        let data = fs::metadata(&self.path).ok()?;
        Some((data.modified().ok(), data.len()))
    }
}
