//! The file that keeps tokens between runs and shares them between processes.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use fs4::{FileExt, TryLockError};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::secret::Secret;

/// How long the lock is waited for: longer than a token request takes.
const LOCK_LIMIT: Duration = Duration::from_secs(25);

/// How often a lock that another process holds is tried.
const LOCK_CHECK: Duration = Duration::from_millis(10);

/// A longer file is refused.
const MAX_BYTES: u64 = 1 << 20;

/// The content of the file: tokens by the key of their credential.
#[derive(Default, Deserialize, Serialize)]
struct CacheContent {
    tokens: BTreeMap<String, CachedToken>,
}

/// The latest tokens of one credential.
#[derive(Clone, Deserialize, Serialize)]
pub(super) struct CachedToken {
    access_token: String,
    /// Seconds since 1970.
    expires_at: Option<u64>,
    /// Seconds.
    lifetime: Option<u64>,
    /// The hash of the first refresh token, from which the latest one descends.
    #[serde(default)]
    pub(super) origin: Option<String>,
    #[serde(default)]
    refresh_token: Option<String>,
}

impl CachedToken {
    pub(super) fn new(access_token: &Secret, lifetime: Option<Duration>) -> Self {
        let end = lifetime.and_then(|life| SystemTime::now().checked_add(life));
        let since_epoch = end.and_then(|end| end.duration_since(SystemTime::UNIX_EPOCH).ok());
        Self {
            access_token: access_token.expose().to_owned(),
            expires_at: since_epoch.map(|time| time.as_secs()),
            lifetime: lifetime.map(|life| life.as_secs()),
            origin: None,
            refresh_token: None,
        }
    }

    pub(super) fn refreshed_by(mut self, token: &Secret, origin: &str) -> Self {
        self.refresh_token = Some(token.expose().to_owned());
        self.origin = Some(origin.to_owned());
        self
    }

    pub(super) fn access_token(&self) -> Secret {
        Secret::new(self.access_token.clone())
    }

    pub(super) fn refresh_token(&self) -> Option<Secret> {
        self.refresh_token.clone().map(Secret::new)
    }

    /// The rest of its life, if it has a known end; `Err` if it is too short to be used.
    pub(super) fn remaining(&self) -> Result<Option<Duration>, ()> {
        let Some(end) = self.expires_at else {
            return Ok(None);
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let rest = Duration::from_secs(end).saturating_sub(now.map_err(drop)?);
        let life = Duration::from_secs(self.lifetime.unwrap_or_default());
        // A longer rest than its life: the clock was set back.
        match rest > Duration::from_secs(10).min(life / 5) && rest <= life {
            true => Ok(Some(rest)),
            false => Err(()),
        }
    }
}

impl Drop for CachedToken {
    fn drop(&mut self) {
        self.access_token.zeroize();
        self.refresh_token.zeroize();
    }
}

/// The file, locked against other processes until it is dropped.
pub(super) struct LockedCache<'a> {
    _lock: File,
    path: &'a Path,
}

impl<'a> LockedCache<'a> {
    /// Waits for the lock, which is a file beside it, because the file itself is replaced.
    ///
    /// # Errors
    ///
    /// If the lock file cannot be opened, or the lock is held for too long.
    pub(super) fn lock(path: &'a Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = options.open(lock_path(path))?;
        let start = Instant::now();
        loop {
            match FileExt::try_lock(&lock) {
                Ok(()) => return Ok(Self { _lock: lock, path }),
                Err(TryLockError::WouldBlock) if start.elapsed() < LOCK_LIMIT => {
                    thread::sleep(LOCK_CHECK);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(io::Error::other("another process holds its lock"));
                }
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// The tokens with this key.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or has other content.
    pub(super) fn read(&self, key: &str) -> io::Result<Option<CachedToken>> {
        Ok(self.content()?.tokens.remove(key))
    }

    /// Replaces the tokens with this key, in a new file that takes the place of the old one.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub(super) fn write(&self, key: &str, token: CachedToken) -> io::Result<()> {
        let mut content = self.content()?;
        content.tokens.insert(key.to_owned(), token);
        let json = Zeroizing::new(serde_json::to_vec(&content)?);
        let directory = self
            .path
            .parent()
            .filter(|path| !path.as_os_str().is_empty());
        // Only its owner can read such a file.
        let mut file =
            tempfile::NamedTempFile::new_in(directory.unwrap_or_else(|| Path::new(".")))?;
        file.write_all(&json)?;
        file.as_file().sync_all()?;
        file.persist(self.path)?;
        Ok(())
    }

    fn content(&self) -> io::Result<CacheContent> {
        match fs::metadata(self.path) {
            Ok(data) if data.len() > MAX_BYTES => {
                return Err(io::Error::other("is longer than 1 MiB"));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(CacheContent::default());
            }
            _ => {}
        }
        let bytes = Zeroizing::new(fs::read(self.path)?);
        if bytes.is_empty() {
            return Ok(CacheContent::default());
        }
        // The error of serde_json could quote a token.
        serde_json::from_slice(&bytes)
            .map_err(|_| io::Error::other("is not a file of tokens: remove it"))
    }
}

fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    #[test]
    fn tokens_are_read_back_by_key_from_a_file_that_only_its_owner_reads() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens");
        let cache = LockedCache::lock(&path).unwrap();
        let token = |text| CachedToken::new(&secret(text), Some(Duration::from_secs(60)));
        assert!(cache.read("a").unwrap().is_none());
        cache
            .write("a", token("one").refreshed_by(&secret("r"), "o"))
            .unwrap();
        cache.write("b", token("two")).unwrap();
        let (one, two) = (
            cache.read("a").unwrap().unwrap(),
            cache.read("b").unwrap().unwrap(),
        );
        assert_eq!(
            (one.access_token().expose(), two.access_token().expose()),
            ("one", "two")
        );
        assert_eq!(one.refresh_token().unwrap().expose(), "r");
        assert!(one.remaining().unwrap() > Some(Duration::from_secs(30)));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            for path in [&path, &lock_path(&path)] {
                assert_eq!(
                    fs::metadata(path).unwrap().permissions().mode() & 0o777,
                    0o600
                );
            }
        }
    }

    #[test]
    fn a_token_near_its_end_is_not_used() {
        let token = |life| CachedToken::new(&secret("t"), life);
        assert_eq!(token(None).remaining(), Ok(None));
        assert_eq!(token(Some(Duration::ZERO)).remaining(), Err(()));
        let mut ending = token(Some(Duration::from_secs(9)));
        ending.lifetime = Some(3600);
        assert_eq!(ending.remaining(), Err(()));
    }

    #[test]
    fn a_file_with_other_content_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens");
        fs::write(&path, "hunter2").unwrap();
        let cache = LockedCache::lock(&path).unwrap();
        let token = CachedToken::new(&secret("t"), None);
        let error = cache.write("a", token).unwrap_err().to_string();
        assert_eq!(error, "is not a file of tokens: remove it");
        assert_eq!(fs::read_to_string(&path).unwrap(), "hunter2");
    }
}
