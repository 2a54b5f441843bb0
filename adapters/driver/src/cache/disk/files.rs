//! The files of a store: a folder for each URL, a file for each variant.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::cache::format::{DecodedFile, decode, encode};
use crate::cache::key::CacheKey;
use crate::cache::memory::MAX_VARIANTS;
use crate::cache::store::CacheUsage;
use crate::cache::stored::StoredResponse;

/// The name of the file with the key of the hashes.
const SECRET: &str = "secret";
/// The folder of the responses, by the version of their format.
pub(super) const RESPONSES: &str = "v1";
/// What is being written. A file of this kind that is older than an hour was left by a killed process.
pub(super) const UNFINISHED: &str = "unfinished";
/// When there is no room, this share of it is made free, so that it does not happen with each response.
const FREED_PERCENT: u64 = 10;

/// The files of a store.
pub(super) struct CacheFiles {
    bytes: AtomicU64,
    directory: PathBuf,
    evicted: AtomicU64,
    /// One thread at a time makes room.
    evicting: Mutex<()>,
    limit: u64,
    responses: AtomicU64,
    secret: hmac::Key,
}

/// A file with a response.
struct FoundFile {
    len: u64,
    path: PathBuf,
    used: SystemTime,
}

impl CacheFiles {
    pub(super) fn open(directory: PathBuf, limit: u64) -> io::Result<Self> {
        fs::create_dir_all(directory.join(RESPONSES))?;
        fs::create_dir_all(directory.join(UNFINISHED))?;
        let secret = read_secret(&directory)?;
        let files = Self {
            bytes: AtomicU64::new(0),
            directory,
            evicted: AtomicU64::new(0),
            evicting: Mutex::new(()),
            limit,
            responses: AtomicU64::new(0),
            secret: hmac::Key::new(hmac::HMAC_SHA256, &secret),
        };
        files.count();
        Ok(files)
    }

    /// The files of a store that exists. Nothing is created, counted or cleaned up.
    pub(super) fn open_existing(directory: PathBuf) -> io::Result<Self> {
        let path = directory.join(SECRET);
        let secret = match fs::read(&path) {
            Ok(secret) => secret,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let text = format!("no cache is here: there is no file {SECRET} in it");
                return Err(io::Error::new(ErrorKind::NotFound, text));
            }
            Err(error) => return Err(error),
        };
        if secret.len() != 32 {
            return Err(damaged_secret(&path));
        }
        Ok(Self {
            bytes: AtomicU64::new(0),
            directory,
            evicted: AtomicU64::new(0),
            evicting: Mutex::new(()),
            limit: u64::MAX,
            responses: AtomicU64::new(0),
            secret: hmac::Key::new(hmac::HMAC_SHA256, &secret),
        })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn usage(&self) -> CacheUsage {
        CacheUsage {
            bytes: self.bytes.load(Ordering::Relaxed),
            evicted: self.evicted.load(Ordering::Relaxed),
            responses: self.responses.load(Ordering::Relaxed),
            ..CacheUsage::default()
        }
    }

    /// A keyed hash, in hexadecimal digits.
    pub(super) fn hash(&self, kind: &str, value: &[u8]) -> String {
        let mut context = hmac::Context::with_key(&self.secret);
        context.update(kind.as_bytes());
        context.update(value);
        let tag = context.sign();
        tag.as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    pub(super) fn folder(&self, url: &str) -> PathBuf {
        let hash = self.hash("url", url.as_bytes());
        self.directory
            .join(RESPONSES)
            .join(&hash[..2])
            .join(&hash[2..])
    }

    /// The responses of a key. Damaged files are removed.
    pub(super) fn read(&self, key: &CacheKey) -> io::Result<Vec<Arc<StoredResponse>>> {
        let identity = self.hash("identity", key.identity());
        let found = self.of_key(key, &identity)?;
        let now = SystemTime::now();
        let read = found.into_iter().filter_map(|(path, response)| {
            // By this time it is decided what makes room. Failure means that it goes earlier.
            let _ = File::options()
                .append(true)
                .open(path)
                .and_then(|file| file.set_modified(now));
            Some(Arc::new(response?))
        });
        Ok(read.collect())
    }

    /// The files of a key, with what is in them.
    fn of_key(
        &self,
        key: &CacheKey,
        identity: &str,
    ) -> io::Result<Vec<(PathBuf, Option<StoredResponse>)>> {
        let mut found = Vec::new();
        for path in entries(&self.folder(key.url()))? {
            let name = path.file_name().and_then(|name| name.to_str());
            if !name.is_some_and(|name| name.starts_with(&identity[..16])) {
                continue;
            }
            let mut content = Vec::new();
            match File::open(&path).and_then(|mut file| file.read_to_end(&mut content)) {
                Ok(_) => {}
                // Another process has removed it.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            }
            let len = content.len() as u64;
            let is_of_key =
                |file: &DecodedFile| file.url == key.url() && file.identity == identity.as_bytes();
            match decode(content).ok().filter(is_of_key) {
                Some(file) => found.push((path, Some(file.response))),
                None => self.remove_file(&path, len),
            }
        }
        Ok(found)
    }

    /// Writes a response in place of the same variant.
    pub(super) fn write(&self, key: &CacheKey, response: &StoredResponse) -> io::Result<()> {
        let identity = self.hash("identity", key.identity());
        let Some(content) = encode(key.url(), identity.as_bytes(), response) else {
            return Ok(());
        };
        let len = content.len() as u64;
        let folder = self.folder(key.url());
        let others = self.of_key(key, &identity)?;
        let is_same = |other: &Option<StoredResponse>| {
            other
                .as_ref()
                .is_some_and(|other| other.head.is_same_variant(&response.head))
        };
        let replaced = others.iter().find(|(_, other)| is_same(other));
        let replaced = replaced.or_else(|| others.first().filter(|_| others.len() >= MAX_VARIANTS));
        if let Some((path, _)) = replaced {
            let len = fs::metadata(path).map_or(0, |metadata| metadata.len());
            self.remove_file(path, len);
        }
        if len > self.limit {
            return Ok(());
        }
        fs::create_dir_all(&folder)?;
        let name = format!("{}-{:016x}", &identity[..16], fastrand::u64(..));
        let unfinished = self.directory.join(UNFINISHED).join(&name);
        let written = private_file(&unfinished).and_then(|mut file| file.write_all(&content));
        if let Err(error) = written.and_then(|()| fs::rename(&unfinished, folder.join(&name))) {
            let _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        self.responses.fetch_add(1, Ordering::Relaxed);
        if self.bytes.fetch_add(len, Ordering::Relaxed) + len > self.limit {
            self.make_room();
        }
        Ok(())
    }

    /// Removes all responses of a URL.
    pub(super) fn remove(&self, url: &str) -> io::Result<()> {
        for path in entries(&self.folder(url))? {
            let len = fs::metadata(&path).map_or(0, |metadata| metadata.len());
            self.remove_file(&path, len);
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path, len: u64) {
        if fs::remove_file(path).is_ok() {
            let less = |by: u64| move |n: u64| Some(n.saturating_sub(by));
            let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
            let _ = self.bytes.fetch_update(set, get, less(len));
            let _ = self.responses.fetch_update(set, get, less(1));
        }
    }

    /// Removes what was used least recently.
    fn make_room(&self) {
        let Ok(_evicting) = self.evicting.try_lock() else {
            return;
        };
        let mut found = self.count();
        found.sort_by_key(|file| file.used);
        let goal = self.limit - self.limit / 100 * FREED_PERCENT;
        for file in found {
            if self.bytes.load(Ordering::Relaxed) <= goal {
                break;
            }
            self.remove_file(&file.path, file.len);
            self.evicted.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Finds all files, and notes how much they are, as other processes write and remove them, too.
    fn count(&self) -> Vec<FoundFile> {
        let mut found = Vec::new();
        let list = |path: &Path| entries(path).unwrap_or_default();
        for group in list(&self.directory.join(RESPONSES)) {
            for folder in list(&group) {
                let files = list(&folder);
                if files.is_empty() {
                    let _ = fs::remove_dir(&folder);
                }
                for path in files {
                    if let Ok(metadata) = fs::metadata(&path) {
                        let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                        let len = metadata.len();
                        found.push(FoundFile { len, path, used });
                    }
                }
            }
        }
        for path in list(&self.directory.join(UNFINISHED)) {
            let age = fs::metadata(&path).and_then(|metadata| metadata.modified());
            let age = age.ok().and_then(|written| written.elapsed().ok());
            if age.is_some_and(|age| age.as_secs() > 3600) {
                let _ = fs::remove_file(&path);
            }
        }
        let bytes = found.iter().map(|file| file.len).sum();
        self.bytes.store(bytes, Ordering::Relaxed);
        self.responses.store(found.len() as u64, Ordering::Relaxed);
        found
    }
}

/// What is in a folder; nothing if it does not exist.
pub(super) fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(list) => list.map(|entry| entry.map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// A new file that only its owner can read.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn damaged_secret(path: &Path) -> io::Error {
    io::Error::other(format!("{} is damaged: remove it", path.display()))
}

/// The key of the hashes, which is made with the store.
fn read_secret(directory: &Path) -> io::Result<[u8; 32]> {
    let path = directory.join(SECRET);
    let read = |path: &Path| {
        let content = fs::read(path)?;
        <[u8; 32]>::try_from(content).map_err(|_| damaged_secret(path))
    };
    match read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read,
    }
    let mut secret = [0; 32];
    SystemRandom::new()
        .fill(&mut secret)
        .map_err(|_| io::Error::other("no random numbers"))?;
    let aside = directory
        .join(UNFINISHED)
        .join(format!("secret-{:016x}", fastrand::u64(..)));
    private_file(&aside)?.write_all(&secret)?;
    // Of several processes that create the store at once, the first one's key counts.
    let linked = fs::hard_link(&aside, &path);
    fs::remove_file(&aside)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => read(&path),
    }
}
