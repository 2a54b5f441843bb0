//! A running test site.

mod builder;
mod certificate;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::certificate::CertificatePem;
use crate::server::worker::WorkerThread;
use crate::state::SiteState;
use crate::state::observer::{Observed, RecordedRequest};

pub use self::builder::SiteBuilder;
pub use self::certificate::Certificate;

/// A running test site. Dropping it closes its listeners and connections and joins its threads.
#[derive(Debug)]
pub struct Site {
    pub(crate) state: Arc<SiteState>,
    pub(crate) workers: Vec<WorkerThread>,
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) pem: Option<CertificatePem>,
}

impl Site {
    /// Returns the first address.
    ///
    /// ```
    /// let site = fetch_testbed::Site::start()?;
    /// assert_ne!(site.address().port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Returns all addresses.
    ///
    /// ```
    /// let site = fetch_testbed::Site::builder().addresses(2).start()?;
    /// assert_eq!(site.addresses().len(), 2);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the URL of a path, with its query, on the first address.
    ///
    /// ```
    /// let site = fetch_testbed::Site::start()?;
    /// assert_eq!(site.url("/get?a=b"), format!("http://{}/get?a=b", site.address()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn url(&self, path: &str) -> String {
        self.url_at(0, path)
    }

    /// Returns the URL of a path on the address with index `host`, modulo the number of addresses.
    ///
    /// ```
    /// let site = fetch_testbed::Site::builder().addresses(2).start()?;
    /// assert_eq!(site.url_at(3, "/get"), site.url_at(1, "/get"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn url_at(&self, host: usize, path: &str) -> String {
        let scheme = if self.pem.is_some() { "https" } else { "http" };
        format!(
            "{scheme}://{}{path}",
            self.addresses[host % self.addresses.len()]
        )
    }

    /// Returns the certificate, in PEM, of the authority that signed the site's certificate; `None` without TLS.
    ///
    /// ```
    /// assert_eq!(fetch_testbed::Site::start()?.ca_pem(), None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn ca_pem(&self) -> Option<&str> {
        Some(&self.pem.as_ref()?.ca)
    }

    /// Returns the public key, in PEM, of the site's certificate; `None` without TLS.
    ///
    /// ```
    /// assert_eq!(fetch_testbed::Site::start()?.public_key_pem(), None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn public_key_pem(&self) -> Option<&str> {
        Some(&self.pem.as_ref()?.public_key)
    }

    /// Returns a client certificate and its key, in PEM, signed by the site's authority; `None` without TLS.
    ///
    /// ```
    /// assert_eq!(fetch_testbed::Site::start()?.client_pem(), None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn client_pem(&self) -> Option<(&str, &str)> {
        let pem = self.pem.as_ref()?;
        Some((&pem.client, &pem.client_key))
    }

    /// Returns the traffic counts so far.
    ///
    /// Each count is exact. Counts are read one after the other, so they may differ slightly while requests run.
    ///
    /// ```
    /// let site = fetch_testbed::Site::start()?;
    /// assert_eq!(site.observed().requests, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn observed(&self) -> Observed {
        self.state.observer.snapshot()
    }

    /// Returns how many requests named this path and query; 0 unless the site [records](crate::SiteBuilder::record).
    ///
    /// ```
    /// let site = fetch_testbed::Site::builder().record(true).start()?;
    /// assert_eq!(site.hits("/flaky/2?key=a"), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn hits(&self, target: &str) -> u64 {
        self.state.observer.hits(target)
    }

    /// Returns the last request that named this path and query; `None` unless the site [records](crate::SiteBuilder::record).
    ///
    /// ```
    /// let site = fetch_testbed::Site::builder().record(true).start()?;
    /// assert_eq!(site.last_request("/get"), None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn last_request(&self, target: &str) -> Option<RecordedRequest> {
        self.state.observer.last_request(target)
    }

    /// Blocks until the traffic counts satisfy `condition`.
    ///
    /// # Errors
    /// The last counts, if the condition does not hold within `timeout`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let site = fetch_testbed::Site::start()?;
    /// let client = std::net::TcpStream::connect(site.address())?;
    /// site.wait_for(Duration::from_secs(10), |seen| seen.open == 1).unwrap();
    /// drop(client);
    /// site.wait_for(Duration::from_secs(10), |seen| seen.open == 0).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait_for(
        &self,
        timeout: Duration,
        condition: impl Fn(&Observed) -> bool,
    ) -> Result<Observed, Box<Observed>> {
        let start = Instant::now();
        loop {
            let observed = self.observed();
            if condition(&observed) {
                return Ok(observed);
            }
            if start.elapsed() >= timeout {
                return Err(Box::new(observed));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        // Stop all threads before the first one is joined.
        for worker in &mut self.workers {
            worker.stop();
        }
    }
}
