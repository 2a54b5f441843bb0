//! Fetching without async: iterators and functions that wait.
//!
//! The fetches run on a thread in the background, which is started when it is needed. A [`Fetcher`] is
//! shared by threads: its limits hold for all of them together. Do not use it in async code, whose thread
//! it would block: take the module of its runtime instead.
//!
//! ```
//! # let site = fetch_testbed::Site::start()?;
//! # let urls = [site.url("/get"), site.url("/status/404")];
//! for outcome in fetch_all::blocking::fetch_all(urls) {
//!     println!("{outcome}");
//! }
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io::{self, Read};
use std::sync::Arc;

use fetch_driver::bytes::{Buf, Bytes};
use fetch_driver::http::{StatusCode, Version};
use fetch_driver::url::Url;
use fetch_smol::stream::{self, StreamExt};
use futures_lite::future::block_on;

use crate::{
    BatchStats, BuildError, Error, FetchAll, IntoRequest, Outcome, Response, ResponseHeaders,
    StreamedBody, smol,
};

/// Fetches all `urls` with the default settings: 100 attempts at once, three attempts each, and attempt
/// timeouts by URL pattern (10 s for `/delay/`, 8 s for `/status/`, else 6 s).
///
/// The iterator yields one outcome for each URL, in the order in which the fetches end. URLs are read only
/// when there is room for them. Dropping the iterator cancels the rest.
///
/// ```
/// # let site = fetch_testbed::Site::start()?;
/// # let urls = [site.url("/get"), site.url("/status/404")];
/// let successful = fetch_all::blocking::fetch_all(urls).filter(|outcome| outcome.is_success());
/// assert_eq!(successful.count(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn fetch_all<I>(urls: I) -> Outcomes<I::IntoIter>
where
    I: IntoIterator<Item: IntoRequest>,
{
    Outcomes(smol::fetch_all(urls))
}

/// Like [`fetch_all`], with at most `concurrency` attempts at once. It must be at least 1: with 0, every
/// outcome is an error that says so.
///
/// ```
/// # let site = fetch_testbed::Site::start()?;
/// # let urls = [site.url("/get"), site.url("/status/404")];
/// assert_eq!(fetch_all::blocking::fetch_all_with_concurrency(urls, 20).count(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn fetch_all_with_concurrency<I>(urls: I, concurrency: usize) -> Outcomes<I::IntoIter>
where
    I: IntoIterator<Item: IntoRequest>,
{
    Outcomes(smol::fetch_all_with_concurrency(urls, concurrency))
}

/// Fetches URLs, and waits for their outcomes. Threads share it, and its clones share its limits and
/// connections.
///
/// ```
/// use fetch_all::blocking::Fetcher;
/// # let site = fetch_testbed::Site::start()?;
/// # let url = site.url("/get");
///
/// let fetcher = Fetcher::from_builder(fetch_all::smol::Fetcher::builder().per_host(4))?;
/// assert_eq!(fetcher.get(&url)?.status, 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Fetcher(smol::Fetcher);

impl Fetcher {
    /// A fetcher with the default settings.
    ///
    /// ```
    /// let fetcher = fetch_all::blocking::Fetcher::new()?;
    /// # Ok::<(), fetch_all::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the operating system's resources do not suffice.
    pub fn new() -> Result<Self, BuildError> {
        Self::from_builder(smol::Fetcher::builder())
    }

    /// A fetcher with the settings of `builder`.
    ///
    /// ```
    /// use fetch_all::{blocking, smol};
    /// let fetcher = blocking::Fetcher::from_builder(smol::Fetcher::builder().concurrency(10))?;
    /// # Ok::<(), fetch_all::BuildError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a setting is not valid.
    pub fn from_builder(builder: smol::Builder) -> Result<Self, BuildError> {
        builder.build().map(Self)
    }

    /// Fetches all `urls`. The iterator yields one outcome for each, in the order in which the fetches end.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::start()?;
    /// # let urls = [site.url("/get"), site.url("/status/404")];
    /// let fetcher = fetch_all::blocking::Fetcher::new()?;
    /// assert_eq!(fetcher.fetch_all(urls).count(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fetch_all<I>(&self, urls: I) -> Outcomes<I::IntoIter>
    where
        I: IntoIterator<Item: IntoRequest>,
    {
        Outcomes(self.0.fetch_all(urls))
    }

    /// Fetches one URL, and returns how that ended.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::start()?;
    /// # let url = site.url("/status/404");
    /// let fetcher = fetch_all::blocking::Fetcher::new()?;
    /// assert_eq!(fetcher.fetch(url).status().map(|status| status.as_u16()), Some(404));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fetch(&self, request: impl IntoRequest) -> Outcome {
        block_on(self.0.fetch(request))
    }

    /// Fetches one URL, and returns its response of any status.
    ///
    /// ```
    /// # let site = fetch_testbed::Site::start()?;
    /// # let url = site.url("/get");
    /// let fetcher = fetch_all::blocking::Fetcher::new()?;
    /// println!("{}", fetcher.get(url)?.text());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no response.
    pub fn get(&self, request: impl IntoRequest) -> Result<Response, Error> {
        block_on(self.0.get(request))
    }

    /// Sends a request and returns as soon as the response's head is there. The body is read from it.
    ///
    /// ```
    /// use std::io::Read;
    /// # let site = fetch_testbed::Site::start()?;
    /// # let url = site.url("/bytes/100000");
    ///
    /// let fetcher = fetch_all::blocking::Fetcher::new()?;
    /// let mut body = Vec::new();
    /// fetcher.open(url)?.read_to_end(&mut body)?;
    /// assert_eq!(body.len(), 100_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no response.
    pub fn open(&self, request: impl IntoRequest) -> Result<OpenResponse, Error> {
        let response = block_on(self.0.open(request))?;
        Ok(OpenResponse {
            body: response.body,
            headers: response.headers,
            rest: Bytes::new(),
            status: response.status,
            url: response.url,
            version: response.version,
        })
    }
}

/// The outcomes of a batch, in the order in which its fetches end. Dropping it cancels the rest.
#[derive(Debug)]
#[must_use = "iterators do nothing unless used"]
pub struct Outcomes<I>(FetchAll<stream::Iter<I>>);

impl<I> Outcomes<I> {
    /// The statistics of the outcomes so far.
    ///
    /// ```
    /// assert_eq!(fetch_all::blocking::fetch_all(["http://a.test/"]).stats().count(), 0);
    /// ```
    pub fn stats(&self) -> &BatchStats {
        self.0.stats()
    }
}

impl<I: Iterator<Item: IntoRequest>> Iterator for Outcomes<I> {
    type Item = Outcome;

    fn next(&mut self) -> Option<Outcome> {
        block_on(self.0.next())
    }
}

/// A response whose body is read while it arrives. Dropping it closes the connection if the body is not
/// complete.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenResponse {
    body: StreamedBody,
    /// The header fields.
    pub headers: ResponseHeaders,
    /// What was received and not read.
    rest: Bytes,
    /// The status.
    pub status: StatusCode,
    /// The URL of the response, after redirects.
    pub url: Arc<Url>,
    /// The protocol version.
    pub version: Version,
}

/// An error of the fetch is the inner error of the `io::Error`, whose kind is `TimedOut` after a time limit.
impl Read for OpenResponse {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() && !buffer.is_empty() {
            match block_on(self.body.next()) {
                None => return Ok(0),
                Some(Ok(chunk)) => self.rest = chunk,
                Some(Err(error)) => {
                    let kind = match error.is_timeout() {
                        true => io::ErrorKind::TimedOut,
                        false => io::ErrorKind::Other,
                    };
                    return Err(io::Error::new(kind, error));
                }
            }
        }
        let size = buffer.len().min(self.rest.len());
        self.rest.copy_to_slice(&mut buffer[..size]);
        Ok(size)
    }
}
