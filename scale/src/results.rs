//! The store of lists and results.

use std::fmt;
use std::sync::Arc;

use futures_lite::{StreamExt, future};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{Error, GetOptions, GetRange, ObjectStore, PutMode, PutOptions};

use crate::error::ScaleError;

/// A store of immutable objects: a directory that all workers share, or (with the feature `s3`) a bucket.
///
/// ```
/// use fetch_scale::Results;
///
/// let directory = tempfile::tempdir()?;
/// let results = Results::open(directory.path().to_str().unwrap())?;
/// results.create("a/1", b"one".to_vec())?;
/// assert!(results.create("a/1", b"other".to_vec()).is_err(), "it exists");
/// assert_eq!(results.read("a/1")?, b"one");
/// assert_eq!(results.list("a")?, ["1"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Results {
    #[cfg(feature = "s3")]
    runtime: Option<Arc<tokio::runtime::Runtime>>,
    root: Path,
    store: Arc<dyn ObjectStore>,
}

impl Results {
    /// Opens a store by its address: a directory, which is created, or `s3://BUCKET/PREFIX`. The account of S3 is
    /// taken from the usual variables of the environment, such as `AWS_ACCESS_KEY_ID` and `AWS_ENDPOINT`.
    /// See [`Results`].
    ///
    /// # Errors
    ///
    /// If the address cannot be used.
    pub fn open(address: &str) -> Result<Self, ScaleError> {
        match address.split_once("://") {
            None | Some(("file", _)) => Self::directory(address.trim_start_matches("file://")),
            Some(("s3", _)) => Self::s3(address),
            Some((scheme, _)) => Err(ScaleError::Address(format!(
                "{scheme}:// is not supported: write a directory, or s3://BUCKET/PREFIX"
            ))),
        }
    }

    fn directory(path: &str) -> Result<Self, ScaleError> {
        let refuse = |error: &dyn fmt::Display| ScaleError::Address(format!("{path}: {error}"));
        std::fs::create_dir_all(path).map_err(|error| refuse(&error))?;
        let store = LocalFileSystem::new_with_prefix(path).map_err(|error| refuse(&error))?;
        Ok(Self {
            #[cfg(feature = "s3")]
            runtime: None,
            root: Path::default(),
            store: Arc::new(store.with_fsync(true)),
        })
    }

    #[cfg(feature = "s3")]
    fn s3(address: &str) -> Result<Self, ScaleError> {
        use object_store::aws::AmazonS3Builder;

        let refuse = |error: &dyn fmt::Display| ScaleError::Address(format!("{address}: {error}"));
        // Fails if the program has chosen another provider, which is used then.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = url::Url::parse(address).map_err(|error| refuse(&error))?;
        let store = AmazonS3Builder::from_env().with_url(address).build();
        let store = store.map_err(|error| refuse(&error))?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Ok(Self {
            runtime: Some(Arc::new(runtime.map_err(|error| refuse(&error))?)),
            root: Path::from(url.path()),
            store: Arc::new(store),
        })
    }

    #[cfg(not(feature = "s3"))]
    fn s3(address: &str) -> Result<Self, ScaleError> {
        Err(ScaleError::Address(format!(
            "{address}: this program is built without s3: build it with the feature scale-s3"
        )))
    }

    fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        #[cfg(feature = "s3")]
        if let Some(runtime) = &self.runtime {
            return runtime.block_on(future);
        }
        future::block_on(future)
    }

    fn path(&self, name: &str) -> Path {
        let parts = name.split('/').filter(|part| !part.is_empty());
        parts.fold(self.root.clone(), |path, part| path.join(part))
    }

    /// Creates an object. See [`Results`].
    ///
    /// # Errors
    ///
    /// [`ScaleError::Exists`] if it exists, and then it stays as it is.
    pub fn create(&self, name: &str, content: Vec<u8>) -> Result<(), ScaleError> {
        self.put(name, content, PutMode::Create)
    }

    /// Creates or replaces an object.
    ///
    /// # Errors
    ///
    /// If the store fails.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// let results = fetch_scale::Results::open(directory.path().to_str().unwrap())?;
    /// results.replace("a", b"one".to_vec())?;
    /// results.replace("a", b"two".to_vec())?;
    /// assert_eq!(results.read("a")?, b"two");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn replace(&self, name: &str, content: Vec<u8>) -> Result<(), ScaleError> {
        self.put(name, content, PutMode::Overwrite)
    }

    fn put(&self, name: &str, content: Vec<u8>, mode: PutMode) -> Result<(), ScaleError> {
        let path = self.path(name);
        let options = PutOptions::from(mode);
        let put = self.store.put_opts(&path, content.into(), options);
        self.wait(put)
            .map(drop)
            .map_err(|error| error_of(name, &error))
    }

    /// The whole object. See [`Results`].
    ///
    /// # Errors
    ///
    /// [`ScaleError::Missing`] if it does not exist.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, ScaleError> {
        self.get(name, GetOptions::default())
    }

    /// The first bytes of the object, at most `length`.
    ///
    /// # Errors
    ///
    /// [`ScaleError::Missing`] if it does not exist.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// let results = fetch_scale::Results::open(directory.path().to_str().unwrap())?;
    /// results.create("a", b"one".to_vec())?;
    /// assert_eq!((results.read_start("a", 2)?, results.read_start("a", 9)?), (b"on".to_vec(), b"one".to_vec()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_start(&self, name: &str, length: u64) -> Result<Vec<u8>, ScaleError> {
        let range = Some(GetRange::Bounded(0..length));
        self.get(
            name,
            GetOptions {
                range,
                ..GetOptions::default()
            },
        )
    }

    fn get(&self, name: &str, options: GetOptions) -> Result<Vec<u8>, ScaleError> {
        let path = self.path(name);
        let content = self.wait(async { self.store.get_opts(&path, options).await?.bytes().await });
        content
            .map(Into::into)
            .map_err(|error| error_of(name, &error))
    }

    /// The names of the objects directly below a prefix, in order; none if there is none. See [`Results`].
    ///
    /// # Errors
    ///
    /// If the store fails.
    pub fn list(&self, prefix: &str) -> Result<Vec<String>, ScaleError> {
        let path = self.path(prefix);
        let found = self.wait(async {
            let mut names = Vec::new();
            let mut objects = self.store.list(Some(&path));
            while let Some(object) = objects.next().await {
                let location = object?.location;
                names.extend(location.filename().map(str::to_owned));
            }
            Ok::<_, Error>(names)
        });
        let mut names = found.map_err(|error| error_of(prefix, &error))?;
        names.sort_unstable();
        Ok(names)
    }
}

impl fmt::Debug for Results {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Results({}/{})", self.store, self.root)
    }
}

fn error_of(name: &str, error: &Error) -> ScaleError {
    match error {
        Error::AlreadyExists { .. } | Error::Precondition { .. } => {
            ScaleError::Exists(name.to_owned())
        }
        Error::NotFound { .. } => ScaleError::Missing(name.to_owned()),
        error => ScaleError::Store(format!("{name}: {error}")),
    }
}
