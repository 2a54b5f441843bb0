//! A proxy on loopback that records its requests: HTTP and SOCKS5 on one port.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::lock::lock;
use crate::server::worker::WorkerThread;

const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";
const FORBIDDEN: &[u8] = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n";
const AUTH_REQUIRED: &[u8] = b"HTTP/1.1 407 Proxy Authentication Required\r\n\
    Proxy-Authenticate: Basic realm=\"proxy\"\r\nContent-Length: 0\r\n\r\n";

/// "Connection not allowed by ruleset" (RFC 1928, section 6).
const NOT_ALLOWED: u8 = 2;
const MAX_HEAD: usize = 64 * 1_024;

/// A running proxy. Dropping it closes its connections.
///
/// It detects the client's protocol: HTTP (`CONNECT`, and requests without body for an absolute URL) or
/// SOCKS5 with CONNECT. It connects to the requested port of 127.0.0.1 for every host: names need not exist.
///
/// ```
/// use std::io::{Read, Write};
///
/// let (site, proxy) = (fetch_testbed::Site::start()?, fetch_testbed::Proxy::builder().start()?);
/// let mut client = std::net::TcpStream::connect(proxy.address())?;
/// let port = site.address().port();
/// write!(client, "GET http://name.test:{port}/get HTTP/1.1\r\nHost: name.test:{port}\r\n\r\n")?;
/// let mut response = [0; 15];
/// client.read_exact(&mut response)?;
/// assert_eq!(&response, b"HTTP/1.1 200 OK");
/// assert!(proxy.heads()[0].starts_with("GET http://name.test:"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<ProxyState>,
    _worker: WorkerThread,
}

/// The settings of a [`Proxy`].
#[derive(Clone, Debug, Default)]
pub struct ProxyBuilder {
    login: Option<(String, String)>,
    refuses: bool,
    socks_replies: Vec<u8>,
}

#[derive(Debug, Default)]
struct ProxyState {
    connections: AtomicUsize,
    handshakes: Mutex<Vec<Vec<u8>>>,
    heads: Mutex<Vec<String>>,
    settings: ProxyBuilder,
}

impl ProxyBuilder {
    /// Requires this user name and password; none by default.
    ///
    /// ```
    /// let proxy = fetch_testbed::Proxy::builder().login("me", "hush").start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.login = Some((user.into(), password.into()));
        self
    }

    /// Refuses every request: with 403, or with "not allowed" over SOCKS5; off by default.
    ///
    /// ```
    /// let proxy = fetch_testbed::Proxy::builder().refuses(true).start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn refuses(mut self, refuses: bool) -> Self {
        self.refuses = refuses;
        self
    }

    /// Answers the first SOCKS5 connections with these codes in turn (0 is success), all others with success.
    ///
    /// ```
    /// let unreachable = fetch_testbed::Proxy::builder().socks_replies(&[4]).start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn socks_replies(mut self, codes: &[u8]) -> Self {
        self.socks_replies = codes.to_vec();
        self
    }

    /// Starts the proxy on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Any error of the system when a port is bound or a thread is started.
    ///
    /// ```
    /// let proxy = fetch_testbed::Proxy::builder().start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start(self) -> io::Result<Proxy> {
        let worker = WorkerThread::start()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state = Arc::new(ProxyState {
            settings: self,
            ..ProxyState::default()
        });
        let _context = worker.handle().enter();
        let listener = TcpListener::from_std(listener)?;
        worker.handle().spawn(accept_all(listener, state.clone()));
        drop(_context);
        Ok(Proxy {
            address,
            state,
            _worker: worker,
        })
    }
}

impl Proxy {
    /// Returns the default settings.
    ///
    /// ```
    /// let proxy = fetch_testbed::Proxy::builder().start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> ProxyBuilder {
        ProxyBuilder::default()
    }

    /// Returns the address of the proxy.
    ///
    /// ```
    /// assert!(fetch_testbed::Proxy::builder().start()?.address().ip().is_loopback());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its URL: the address after `before`, which is a scheme and, if any, user name and password.
    ///
    /// ```
    /// let proxy = fetch_testbed::Proxy::builder().start()?;
    /// assert_eq!(proxy.url("socks5h://"), format!("socks5h://{}", proxy.address()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn url(&self, before: &str) -> String {
        format!("{before}{}", self.address)
    }

    /// Returns the number of accepted connections.
    ///
    /// ```
    /// assert_eq!(fetch_testbed::Proxy::builder().start()?.connections(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connections(&self) -> usize {
        self.state.connections.load(SeqCst)
    }

    /// Returns the heads of all HTTP requests.
    ///
    /// ```
    /// assert!(fetch_testbed::Proxy::builder().start()?.heads().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn heads(&self) -> Vec<String> {
        lock(&self.state.heads).clone()
    }

    /// Returns the bytes that each client sent in its SOCKS5 handshake, if it got as far as a CONNECT request.
    ///
    /// ```
    /// assert!(fetch_testbed::Proxy::builder().start()?.handshakes().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn handshakes(&self) -> Vec<Vec<u8>> {
        lock(&self.state.handshakes).clone()
    }
}

async fn accept_all(listener: TcpListener, state: Arc<ProxyState>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            // Probably out of file descriptors: wait until some connections are closed.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let number = state.connections.fetch_add(1, SeqCst);
        let state = state.clone();
        tokio::spawn(async move {
            let _ = socket.set_nodelay(true);
            // An error here means that a peer has closed.
            let _ = serve_client(socket, number, &state).await;
        });
    }
}

async fn serve_client(client: TcpStream, number: usize, state: &ProxyState) -> io::Result<()> {
    let mut first = [0];
    client.peek(&mut first).await?;
    match first {
        [5] => serve_socks(client, number, state).await,
        _ => serve_http(client, state).await,
    }
}

/// Serves HTTP requests one after the other, until one opens a tunnel.
async fn serve_http(mut client: TcpStream, state: &ProxyState) -> io::Result<()> {
    while let Some(head) = read_head(&mut client).await? {
        lock(&state.heads).push(head.clone());
        let target = head.split(' ').nth(1).unwrap_or_default();
        if !state.settings.is_authorized(&head) {
            client.write_all(AUTH_REQUIRED).await?;
        } else if state.settings.refuses {
            client.write_all(FORBIDDEN).await?;
        } else if head.starts_with("CONNECT ") {
            let mut server = connect(parse_port(target)?).await?;
            client.write_all(ESTABLISHED).await?;
            copy_bidirectional(&mut client, &mut server).await?;
            return Ok(());
        } else {
            forward_request(&head, target, &mut client).await?;
        }
    }
    Ok(())
}

impl ProxyBuilder {
    fn is_authorized(&self, head: &str) -> bool {
        let Some((user, password)) = &self.login else {
            return true;
        };
        let wanted = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        fields.any(|(name, value)| {
            name.eq_ignore_ascii_case("proxy-authorization") && value == wanted
        })
    }
}

/// Forwards one request without a body and returns its response. The client's connection stays open.
async fn forward_request(head: &str, target: &str, client: &mut TcpStream) -> io::Result<()> {
    let rest = target.strip_prefix("http://").ok_or_else(invalid_data)?;
    let (authority, path) = rest.split_at(rest.find('/').ok_or_else(invalid_data)?);
    let mut server = connect(parse_port(authority)?).await?;
    let method = head.split(' ').next().unwrap_or_default();
    let hops = ["proxy-authorization", "proxy-connection", "connection"];
    let fields = head.lines().skip(1).filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        !line.is_empty() && !hops.contains(&name.to_ascii_lowercase().as_str())
    });
    let fields: String = fields.map(|line| format!("{line}\r\n")).collect();
    let outgoing = format!("{method} {path} HTTP/1.1\r\n{fields}Connection: close\r\n\r\n");
    server.write_all(outgoing.as_bytes()).await?;
    let response_head = read_head(&mut server).await?.ok_or_else(invalid_data)?;
    let response_head = response_head.replacen("connection: close\r\n", "", 1);
    let mut response = response_head.into_bytes();
    server.read_to_end(&mut response).await?;
    client.write_all(&response).await
}

async fn serve_socks(mut client: TcpStream, number: usize, state: &ProxyState) -> io::Result<()> {
    let mut handshake = Vec::new();
    let count = read_bytes(&mut client, &mut handshake, 2).await?[1];
    let methods = read_bytes(&mut client, &mut handshake, count.into()).await?;
    match &state.settings.login {
        None => client.write_all(&[5, 0]).await?,
        Some(login) if methods.contains(&2) => {
            client.write_all(&[5, 2]).await?;
            let is_valid = check_login(&mut client, &mut handshake, login).await?;
            client.write_all(&[1, u8::from(!is_valid)]).await?;
            if !is_valid {
                return Ok(());
            }
        }
        Some(_) => return client.write_all(&[5, 0xff]).await,
    }
    let length = match read_bytes(&mut client, &mut handshake, 4).await?[3] {
        1 => 4,
        3 => read_bytes(&mut client, &mut handshake, 1).await?[0].into(),
        _ => 16,
    };
    read_bytes(&mut client, &mut handshake, length).await?;
    let port = read_bytes(&mut client, &mut handshake, 2).await?;
    lock(&state.handshakes).push(handshake);
    let scripted = state.settings.socks_replies.get(number).copied();
    let refused = state.settings.refuses.then_some(NOT_ALLOWED);
    let code = refused.or(scripted).unwrap_or(0);
    client.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    if code == 0 {
        let mut server = connect(u16::from_be_bytes([port[0], port[1]])).await?;
        copy_bidirectional(&mut client, &mut server).await?;
    }
    Ok(())
}

/// Reads user name and password (RFC 1929). Returns whether they are right.
async fn check_login(
    client: &mut TcpStream,
    handshake: &mut Vec<u8>,
    (user, password): &(String, String),
) -> io::Result<bool> {
    let length = read_bytes(client, handshake, 2).await?[1];
    let is_valid = read_bytes(client, handshake, length.into()).await? == user.as_bytes();
    let length = read_bytes(client, handshake, 1).await?[0];
    Ok(read_bytes(client, handshake, length.into()).await? == password.as_bytes() && is_valid)
}

/// Reads `count` bytes and appends them to `handshake`.
async fn read_bytes(
    client: &mut TcpStream,
    handshake: &mut Vec<u8>,
    count: usize,
) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    client.read_exact(&mut bytes).await?;
    handshake.extend_from_slice(&bytes);
    Ok(bytes)
}

/// Reads up to and including the empty line; `None` at the end of the connection.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(invalid_data());
        }
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    String::from_utf8(head)
        .map(Some)
        .map_err(|_| invalid_data())
}

async fn connect(port: u16) -> io::Result<TcpStream> {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await
}

fn parse_port(authority: &str) -> io::Result<u16> {
    let port = authority.rsplit(':').next().unwrap_or_default();
    port.parse().map_err(|_| invalid_data())
}

fn invalid_data() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not a valid request to a proxy")
}
