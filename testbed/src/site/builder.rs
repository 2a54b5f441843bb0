//! Settings of a site.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use super::Site;
use super::certificate::{Certificate, ServerIdentity};
use crate::server;
use crate::server::worker::WorkerThread;
use crate::state::observer::SiteObserver;
use crate::state::request_counts::RequestCounts;
use crate::state::{SiteState, SiteTls};

const BACKLOG: i32 = 4_096;
/// Attempts to find a port that is free on all addresses.
const PORT_ATTEMPTS: usize = 32;

/// The settings of a [`Site`].
#[derive(Clone, Debug)]
pub struct SiteBuilder {
    address: IpAddr,
    addresses: u8,
    port: u16,
    threads: usize,
    keep_alive_requests: Option<u64>,
    record: bool,
    robots: Option<(u16, String)>,
    tls: Option<Certificate>,
    client_certificates: bool,
    tls12_only: bool,
    http2: bool,
    max_streams: u32,
    unix_socket: Option<PathBuf>,
}

impl Site {
    /// Starts a site with the default settings: HTTP/1.1, a free port of 127.0.0.1, one thread.
    ///
    /// # Errors
    /// Any error of the system when a port is bound or a thread is started.
    ///
    /// ```
    /// let site = fetch_testbed::Site::start()?;
    /// assert!(site.address().ip().is_loopback());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start() -> io::Result<Self> {
        Self::builder().start()
    }

    /// Returns the default settings.
    ///
    /// ```
    /// let site = fetch_testbed::Site::builder().threads(2).start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> SiteBuilder {
        SiteBuilder::new()
    }
}

impl SiteBuilder {
    pub(crate) fn new() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            addresses: 1,
            port: 0,
            threads: 1,
            keep_alive_requests: None,
            record: false,
            robots: None,
            tls: None,
            client_certificates: false,
            tls12_only: false,
            http2: false,
            max_streams: 1_000,
            unix_socket: None,
        }
    }

    /// Sets the loopback address to listen on; 127.0.0.1 by default.
    ///
    /// ```
    /// let site = fetch_testbed::Site::builder().address([127, 0, 0, 9].into()).start()?;
    /// assert!(site.url("/get").starts_with("http://127.0.0.9:"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = address;
        self
    }

    /// Listens on `count` consecutive IPv4 addresses with the same port; 1 by default.
    ///
    /// For a client, each address is a host. Systems other than Linux may have only 127.0.0.1.
    ///
    /// ```
    /// let site = fetch_testbed::Site::builder().addresses(3).start()?;
    /// assert!(site.url_at(2, "/get").starts_with("http://127.0.0.3:"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn addresses(mut self, count: u8) -> Self {
        self.addresses = count;
        self
    }

    /// Sets the port; 0, the default, selects a free one.
    ///
    /// ```
    /// let site = fetch_testbed::Site::builder().port(0).start()?;
    /// assert_ne!(site.address().port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the number of threads; 1 by default. Connections are distributed in turn.
    ///
    /// ```
    /// let site = fetch_testbed::Site::builder().threads(2).start()?;
    /// assert_eq!(site.observed().connections, 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn threads(mut self, count: usize) -> Self {
        self.threads = count;
        self
    }

    /// Closes an HTTP/1.1 connection after `count` responses, without `Connection: close`; never by default.
    ///
    /// ```
    /// use std::io::{Read, Write};
    ///
    /// let site = fetch_testbed::Site::builder().keep_alive_requests(1).start()?;
    /// let mut client = std::net::TcpStream::connect(site.address())?;
    /// client.write_all(b"GET /status/200 HTTP/1.1\r\nHost: demo\r\n\r\n")?;
    /// let mut answer = String::new();
    /// client.read_to_string(&mut answer)?;
    /// assert!(answer.ends_with("200\n") && !answer.contains("connection:"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn keep_alive_requests(mut self, count: u64) -> Self {
        self.keep_alive_requests = Some(count);
        self
    }

    /// Sets status and content of `/robots.txt`; it allows everything by default.
    ///
    /// ```
    /// let site = fetch_testbed::Site::builder().robots(200, "User-agent: *\nDisallow: /\n").start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn robots(mut self, status: u16, text: &str) -> Self {
        self.robots = Some((status, text.to_owned()));
        self
    }

    /// Records requests by path and query, for [`Site::hits`] and [`Site::last_request`]; off by default.
    ///
    /// The 16,384 most recently used targets are recorded.
    ///
    /// ```
    /// let site = fetch_testbed::Site::builder().record(true).start()?;
    /// assert_eq!(site.hits("/get"), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn record(mut self, record: bool) -> Self {
        self.record = record;
        self
    }

    /// Serves https with a certificate of the given kind; http by default.
    ///
    /// ```
    /// use fetch_testbed::{Certificate, Site};
    ///
    /// let site = Site::builder().tls(Certificate::Good).start()?;
    /// assert!(site.url("/get").starts_with("https://"));
    /// assert!(site.ca_pem().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn tls(mut self, certificate: Certificate) -> Self {
        self.tls = Some(certificate);
        self
    }

    /// Enables HTTP/2: with TLS in addition to HTTP/1.1, without TLS instead of it; off by default.
    ///
    /// An endpoint that breaks its connection breaks all streams of it.
    ///
    /// ```
    /// use fetch_testbed::{Certificate, Site};
    ///
    /// let site = Site::builder().tls(Certificate::Good).http2(true).start()?;
    /// assert!(site.url("/").starts_with("https://"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn http2(mut self, http2: bool) -> Self {
        self.http2 = http2;
        self
    }

    /// Requires a client certificate of the site's authority, see [`Site::client_pem`]; off by default.
    ///
    /// Has no effect without TLS.
    ///
    /// ```
    /// use fetch_testbed::{Certificate, Site};
    ///
    /// let site = Site::builder().tls(Certificate::Good).client_certificates(true).start()?;
    /// assert!(site.client_pem().is_some());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn client_certificates(mut self, wanted: bool) -> Self {
        self.client_certificates = wanted;
        self
    }

    /// Speaks TLS 1.2 only; off by default, 1.2 and 1.3.
    ///
    /// Has no effect without TLS.
    ///
    /// ```
    /// use fetch_testbed::{Certificate, Site};
    ///
    /// let site = Site::builder().tls(Certificate::Good).tls12_only(true).start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn tls12_only(mut self, only: bool) -> Self {
        self.tls12_only = only;
        self
    }

    /// Sets the maximum of concurrent requests per HTTP/2 connection; 1,000 by default.
    ///
    /// ```
    /// let site = fetch_testbed::Site::builder().http2(true).max_streams(3).start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn max_streams(mut self, count: u32) -> Self {
        self.max_streams = count;
        self
    }

    /// Also listens on a Unix socket, without TLS; off by default. Unix only.
    ///
    /// ```no_run
    /// let site = fetch_testbed::Site::builder().unix_socket("/run/site.sock").start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.unix_socket = Some(path.into());
        self
    }

    /// Starts the site.
    ///
    /// # Errors
    /// `InvalidInput` if an address is not a loopback address, if several IPv6 addresses are requested, or if
    /// `addresses`, `threads` or `keep_alive_requests` is 0; else any error of the system when an address is
    /// bound or a thread is started.
    ///
    /// ```
    /// let builder = fetch_testbed::Site::builder().address([192, 0, 2, 1].into());
    /// assert_eq!(builder.start().unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
    /// ```
    pub fn start(self) -> io::Result<Site> {
        let ips = self.checked_addresses()?;
        let listeners = bind_all(&ips, self.port)?;
        let addresses: Vec<SocketAddr> = listeners
            .iter()
            .map(TcpListener::local_addr)
            .collect::<io::Result<_>>()?;
        let identity = self
            .tls
            .map(|kind| {
                ServerIdentity::new(
                    kind,
                    &ips,
                    self.http2,
                    self.client_certificates,
                    self.tls12_only,
                )
            })
            .transpose()?;
        let (pem, tls) = identity.map(|own| (own.pem, SiteTls(own.acceptor))).unzip();
        let state = Arc::new(SiteState {
            observer: SiteObserver::new(self.record),
            request_counts: RequestCounts::new(),
            keep_alive_requests: self.keep_alive_requests,
            tls,
            http2: self.http2,
            max_streams: self.max_streams,
            robots: self.robots.clone(),
        });
        let workers: Vec<WorkerThread> = (0..self.threads)
            .map(|_| WorkerThread::start())
            .collect::<io::Result<_>>()?;
        for listener in listeners {
            server::listen_tcp(listener, &state, &workers)?;
        }
        if let Some(path) = &self.unix_socket {
            #[cfg(unix)]
            server::listen_unix(path, addresses[0], &state, &workers[0])?;
            #[cfg(not(unix))]
            return Err(invalid_input(&format!(
                "this system has no Unix sockets: {}",
                path.display()
            )));
        }
        Ok(Site {
            state,
            workers,
            addresses,
            pem,
        })
    }

    /// Checks the settings and returns the addresses to listen on.
    fn checked_addresses(&self) -> io::Result<Vec<IpAddr>> {
        if self.addresses == 0 || self.threads == 0 || self.keep_alive_requests == Some(0) {
            return Err(invalid_input(
                "addresses, threads and keep_alive_requests must be at least 1",
            ));
        }
        let ips: Vec<IpAddr> = match self.address {
            IpAddr::V4(first) => (0..u32::from(self.addresses))
                .map(|step| Ipv4Addr::from_bits(first.to_bits().wrapping_add(step)).into())
                .collect(),
            IpAddr::V6(_) if self.addresses > 1 => {
                return Err(invalid_input(
                    "several addresses are possible with IPv4 only",
                ));
            }
            first => vec![first],
        };
        if ips.iter().all(IpAddr::is_loopback) {
            Ok(ips)
        } else {
            Err(invalid_input(
                "the address must be a loopback address, such as 127.0.0.1",
            ))
        }
    }
}

fn invalid_input(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// Binds the same port on all addresses.
fn bind_all(ips: &[IpAddr], port: u16) -> io::Result<Vec<TcpListener>> {
    let mut attempt = 1;
    loop {
        match bind_same_port(ips, port) {
            Err(error)
                if port == 0
                    && error.kind() == io::ErrorKind::AddrInUse
                    && attempt < PORT_ATTEMPTS =>
            {
                attempt += 1;
            }
            result => return result,
        }
    }
}

fn bind_same_port(ips: &[IpAddr], port: u16) -> io::Result<Vec<TcpListener>> {
    let first = bind_one(SocketAddr::new(ips[0], port))?;
    let port = first.local_addr()?.port();
    let rest = ips[1..]
        .iter()
        .map(|ip| bind_one(SocketAddr::new(*ip, port)));
    std::iter::once(Ok(first)).chain(rest).collect()
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    #[cfg(unix)]
    if address.port() != 0 {
        // A fixed port may have connections of a previous run in TIME-WAIT.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
