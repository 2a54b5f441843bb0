//! An OAuth 2 token server on loopback.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::lock::lock;
use crate::server::worker::WorkerThread;

const MAX_REQUEST: usize = 256 * 1024;

/// A running token server. It issues the access tokens `token-1`, `token-2` … by any grant. GET requests
/// to any path but `/token` are answered by 200 if they have such a token that has not ended, and by 401 if
/// not. Dropping it closes its connections.
///
/// ```
/// use std::io::{Read, Write};
///
/// let server = fetch_testbed::TokenServer::builder().client("me", "hush").start()?;
/// let mut client = std::net::TcpStream::connect(server.address())?;
/// let form = "grant_type=client_credentials&client_id=me&client_secret=hush";
/// write!(client, "POST /token HTTP/1.1\r\nContent-Length: {}\r\n\r\n{form}", form.len())?;
/// let mut answer = String::new();
/// client.read_to_string(&mut answer)?;
/// assert!(answer.contains(r#""access_token":"token-1""#));
/// assert_eq!(server.requests()[0].form["grant_type"], "client_credentials");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TokenServer {
    address: SocketAddr,
    state: Arc<Mutex<TokenServerState>>,
    _worker: WorkerThread,
}

/// The settings of a [`TokenServer`].
#[derive(Clone, Debug, Default)]
pub struct TokenServerBuilder {
    client: Option<(String, String)>,
    lifetime: Option<u64>,
    refresh_token: Option<String>,
    replies: VecDeque<TokenReply>,
}

/// An answer that is sent as it is.
///
/// ```
/// let html = fetch_testbed::TokenReply::new(502, "text/html", "<h1>Bad gateway</h1>");
/// ```
#[derive(Clone, Debug)]
pub struct TokenReply {
    body: String,
    fields: String,
    status: u16,
}

/// A token request, as it was received.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceivedTokenRequest {
    /// The error that it was answered with, if any.
    pub error: Option<&'static str>,
    /// The fields of its form.
    pub form: BTreeMap<String, String>,
    /// Its head, from the request line on.
    pub head: String,
}

#[derive(Debug, Default)]
struct TokenServerState {
    /// The access tokens, and their ends.
    alive: HashMap<String, Option<Instant>>,
    issued: u64,
    refused: u64,
    /// The refresh tokens that were replaced.
    replaced: HashSet<String>,
    requests: Vec<ReceivedTokenRequest>,
    settings: TokenServerBuilder,
}

impl TokenReply {
    /// A reply with this status, media type and body.
    ///
    /// ```
    /// let empty = fetch_testbed::TokenReply::new(200, "application/json", "");
    /// ```
    pub fn new(status: u16, media_type: &str, body: &str) -> Self {
        Self {
            body: body.to_owned(),
            fields: format!("Content-Type: {media_type}\r\n"),
            status,
        }
    }

    /// Adds a header field.
    ///
    /// ```
    /// let reply = fetch_testbed::TokenReply::new(307, "text/plain", "").field("Location", "http://a.test/");
    /// ```
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields += &format!("{name}: {value}\r\n");
        self
    }
}

impl TokenServerBuilder {
    /// Refuses other clients than this one by `invalid_client`; any by default. Clients with an assertion
    /// are accepted: its signature is not checked.
    ///
    /// ```
    /// let server = fetch_testbed::TokenServer::builder().client("me", "hush").start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn client(mut self, id: &str, secret: &str) -> Self {
        self.client = Some((id.into(), secret.into()));
        self
    }

    /// States that tokens end after these seconds; without `expires_in` by default.
    ///
    /// ```
    /// let server = fetch_testbed::TokenServer::builder().lifetime(5).start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn lifetime(mut self, seconds: u64) -> Self {
        self.lifetime = Some(seconds);
        self
    }

    /// Accepts this refresh token, and replaces it by each answer. If a replaced one is used, all are
    /// revoked: each further request is refused by `invalid_grant`.
    ///
    /// ```
    /// let server = fetch_testbed::TokenServer::builder().rotating("first").start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn rotating(mut self, first: &str) -> Self {
        self.refresh_token = Some(first.into());
        self
    }

    /// Answers the first requests with these replies in turn.
    ///
    /// ```
    /// use fetch_testbed::{TokenReply, TokenServer};
    /// let slow = TokenReply::new(503, "text/plain", "").field("Retry-After", "1");
    /// let server = TokenServer::builder().reply(slow).start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn reply(mut self, reply: TokenReply) -> Self {
        self.replies.push_back(reply);
        self
    }

    /// Starts the server on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// Any error of the system when a port is bound or a thread is started.
    ///
    /// ```
    /// let server = fetch_testbed::TokenServer::builder().start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start(self) -> io::Result<TokenServer> {
        let worker = WorkerThread::start()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state = Arc::new(Mutex::new(TokenServerState {
            settings: self,
            ..TokenServerState::default()
        }));
        let context = worker.handle().enter();
        let listener = TcpListener::from_std(listener)?;
        worker.handle().spawn(accept_all(listener, state.clone()));
        drop(context);
        Ok(TokenServer {
            address,
            state,
            _worker: worker,
        })
    }
}

impl TokenServer {
    /// Returns the default settings.
    ///
    /// ```
    /// let server = fetch_testbed::TokenServer::builder().start()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn builder() -> TokenServerBuilder {
        TokenServerBuilder::default()
    }

    /// Returns the address to connect to.
    ///
    /// ```
    /// let server = fetch_testbed::TokenServer::builder().start()?;
    /// assert!(server.address().ip().is_loopback());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of token requests.
    ///
    /// ```
    /// let server = fetch_testbed::TokenServer::builder().start()?;
    /// assert!(server.url().ends_with("/token"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// Returns the URL of a resource that needs a token of this server.
    ///
    /// ```
    /// let server = fetch_testbed::TokenServer::builder().start()?;
    /// assert!(server.resource_url().starts_with("http://127.0.0.1:"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn resource_url(&self) -> String {
        format!("http://{}/resource", self.address)
    }

    /// Returns how many requests for a resource were answered by 401.
    ///
    /// ```
    /// let server = fetch_testbed::TokenServer::builder().start()?;
    /// assert_eq!(server.refused(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn refused(&self) -> u64 {
        lock(&self.state).refused
    }

    /// Returns the token requests so far.
    ///
    /// ```
    /// let server = fetch_testbed::TokenServer::builder().start()?;
    /// assert!(server.requests().is_empty());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn requests(&self) -> Vec<ReceivedTokenRequest> {
        lock(&self.state).requests.clone()
    }
}

async fn accept_all(listener: TcpListener, state: Arc<Mutex<TokenServerState>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, state.clone()));
    }
}

/// Answers requests for resources, and one token request, after which the connection is closed.
async fn serve(mut stream: TcpStream, state: Arc<Mutex<TokenServerState>>) {
    while let Some((head, body)) = read_request(&mut stream).await {
        if !head.starts_with("GET ") || head.starts_with("GET /token") {
            return answer_token_request(stream, &state, head, &body).await;
        }
        let answer = lock(&state).answer_resource(&head);
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn answer_token_request(
    mut stream: TcpStream,
    state: &Mutex<TokenServerState>,
    head: String,
    body: &[u8],
) {
    let reply = lock(state).answer(head, body);
    let TokenReply {
        body,
        fields,
        status,
    } = reply;
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} -\r\n{fields}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    // The client may have gone.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// The head and the body, whose length the head has.
async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = field(&head, "content-length").map_or(Ok(0), str::parse);
            let body = &bytes[end + 4..];
            if body.len() >= length.ok()? {
                return Some((head, body.to_vec()));
            }
        }
        if bytes.len() > MAX_REQUEST || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = head.lines().filter_map(|line| line.split_once(':'));
    let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.trim())
}

impl TokenServerState {
    fn answer_resource(&mut self, head: &str) -> &'static str {
        let token = field(head, "authorization").and_then(|value| value.strip_prefix("Bearer "));
        let end = token.and_then(|token| self.alive.get(token));
        if end.is_some_and(|end| end.is_none_or(|end| Instant::now() < end)) {
            return "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
        }
        self.refused += 1;
        "HTTP/1.1 401 -\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\nContent-Length: 0\r\n\r\n"
    }

    fn answer(&mut self, head: String, body: &[u8]) -> TokenReply {
        let form: BTreeMap<String, String> = form_urlencoded::parse(body).into_owned().collect();
        let (error, reply) = match self.settings.replies.pop_front() {
            Some(reply) => (None, reply),
            None => self.issue(&head, &form),
        };
        self.requests
            .push(ReceivedTokenRequest { error, form, head });
        reply
    }

    fn issue(
        &mut self,
        head: &str,
        form: &BTreeMap<String, String>,
    ) -> (Option<&'static str>, TokenReply) {
        let refused = |status, error: &'static str| {
            let body = json!({ "error": error }).to_string();
            let reply = TokenReply::new(status, "application/json", &body);
            (Some(error), reply)
        };
        if !self.is_client(head, form) {
            return refused(401, "invalid_client");
        }
        let mut body = json!({"token_type": "Bearer"});
        if form
            .get("grant_type")
            .is_some_and(|grant| grant == "refresh_token")
        {
            let sent = form.get("refresh_token").cloned().unwrap_or_default();
            if self.replaced.contains(&sent) {
                self.settings.refresh_token = None;
            }
            if self.settings.refresh_token.as_ref() != Some(&sent) {
                return refused(400, "invalid_grant");
            }
            let next = format!("refresh-{}", self.issued + 1);
            body["refresh_token"] = json!(next);
            self.settings.refresh_token = Some(next);
            self.replaced.insert(sent);
        }
        self.issued += 1;
        let token = format!("token-{}", self.issued);
        let life = self.settings.lifetime.map(Duration::from_secs);
        let end = life.map(|life| Instant::now() + life);
        body["access_token"] = json!(token);
        self.alive.insert(token, end);
        if let Some(seconds) = self.settings.lifetime {
            body["expires_in"] = json!(seconds);
        }
        let reply = TokenReply::new(200, "application/json", &body.to_string());
        (None, reply.field("Cache-Control", "no-store"))
    }

    fn is_client(&self, head: &str, form: &BTreeMap<String, String>) -> bool {
        let Some((id, secret)) = &self.settings.client else {
            return true;
        };
        let has = |name: &str, value: &String| form.get(name) == Some(value);
        let by_form = has("client_id", id) && has("client_secret", secret);
        by_form
            || form.contains_key("client_assertion")
            || basic(head) == Some((id.clone(), secret.clone()))
    }
}

/// The login of a client in the scheme Basic, whose parts are encoded as in forms.
fn basic(head: &str) -> Option<(String, String)> {
    let encoded = field(head, "authorization")?.strip_prefix("Basic ")?;
    let login = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = login.split_once(':')?;
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    Some((decode(id), decode(secret)))
}
