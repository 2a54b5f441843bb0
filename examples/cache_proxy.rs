//! A reverse proxy with a cache, around one `Fetcher`: for the suite http-tests/cache-tests, and to look at
//! what the cache does. It prints its address as the first line. Options:
//!
//! - `--origin URL`: where requests are sent. Required.
//! - `--listen ADDRESS`: default `127.0.0.1:0`, a free port.
//! - `--shared`: the cache is shared (RFC 9111), and obeys `CDN-Cache-Control` (RFC 9213).
//! - `--stale-if-error SECONDS`: how long a stale response may replace an error. Default 86400.
//! - `--store memory[:BYTES]`, a directory or `redis://HOST[:PORT]` (with the feature `cache-redis`): where
//!   responses are stored. Default `memory`, 256 MiB; a directory holds 1 GiB.

use std::io;
use std::time::Duration;

use fetch_all::driver::cache::{CacheRules, CacheScope};
use fetch_all::driver::{Cache, DiskStore};
use fetch_all::proto::cache::is_stored_field;
use fetch_all::smol::http::{HeaderMap, HeaderName, HeaderValue};
use fetch_all::smol::{Fetcher, StreamedResponse};
use fetch_all::{Method, Policy, RedirectPolicy, Request, Timeouts};
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use smol::net::{TcpListener, TcpStream};

/// The largest head and the largest body of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;
const MAX_BODY: usize = 16 * 1024 * 1024;

type AnyError = Box<dyn std::error::Error + Send + Sync>;

struct Options {
    cache: Cache,
    listen: String,
    origin: String,
}

fn main() -> Result<(), AnyError> {
    let options = options(std::env::args().skip(1))?;
    let policy = Policy::default()
        .attempts(1)
        .redirects(RedirectPolicy::default().follow(false))
        .timeouts(Timeouts::default().attempt(Duration::from_secs(60)));
    let fetcher = Fetcher::builder()
        .cache(options.cache)
        .concurrency(10_000)
        .decode(false)
        .policy(policy)
        .build()?;
    smol::block_on(async {
        let listener = TcpListener::bind(&options.listen).await?;
        println!("http://{}", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            let (fetcher, origin) = (fetcher.clone(), options.origin.clone());
            smol::spawn(async move {
                // A client that breaks off is no error of the proxy.
                let _ = serve(stream, &fetcher, &origin).await;
            })
            .detach();
        }
    })
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, AnyError> {
    let (mut listen, mut origin) = ("127.0.0.1:0".to_owned(), None);
    let (mut rules, mut store) = (CacheRules::default(), "memory".to_owned());
    let mut stale = Duration::from_secs(86_400);
    while let Some(option) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{option} needs a value"));
        match option.as_str() {
            "--listen" => listen = value()?,
            "--origin" => origin = Some(value()?.trim_end_matches('/').to_owned()),
            "--shared" => {
                rules = rules
                    .scope(CacheScope::Shared)
                    .targeted(["CDN-Cache-Control"]);
            }
            "--stale-if-error" => stale = Duration::from_secs(value()?.parse()?),
            "--store" => store = value()?,
            _ => return Err(format!("unknown option {option}").into()),
        }
    }
    let cache = match store.split_once(':') {
        None if store == "memory" => Cache::memory(256 * 1024 * 1024),
        Some(("memory", size)) => Cache::memory(size.parse()?),
        #[cfg(feature = "cache-redis")]
        Some(("redis", _)) => Cache::new(fetch_all::driver::RedisStore::new(&store)?),
        #[cfg(not(feature = "cache-redis"))]
        Some(("redis", _)) => return Err("build the example with the feature cache-redis".into()),
        _ => Cache::new(DiskStore::open(&store, 1024 * 1024 * 1024)?),
    };
    Ok(Options {
        cache: cache.rules(rules.stale_if_error(stale)),
        listen,
        origin: origin.ok_or("--origin is missing, such as --origin http://127.0.0.1:8000")?,
    })
}

/// One request of a client.
struct ClientRequest {
    body: Vec<u8>,
    headers: HeaderMap,
    keeps_alive: bool,
    method: Method,
    target: String,
}

async fn serve(mut stream: TcpStream, fetcher: &Fetcher, origin: &str) -> Result<(), AnyError> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await? {
        let keeps_alive = request.keeps_alive;
        let is_head = request.method == Method::Head;
        let answer = match forward(request, origin) {
            Ok(request) => fetcher
                .open(request)
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(response) => write_response(&mut stream, response, is_head, keeps_alive).await?,
            Err(error) => {
                let head = "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/plain\r\n";
                let text = format!("{head}content-length: {}\r\n\r\n{error}", error.len());
                stream.write_all(text.as_bytes()).await?;
            }
        }
        if !keeps_alive {
            break;
        }
    }
    Ok(())
}

/// The request to the origin, without the fields of the client's connection.
fn forward(client: ClientRequest, origin: &str) -> Result<Request, AnyError> {
    let mut request = Request::new(client.method, format!("{origin}{}", client.target))?;
    let mut headers = HeaderMap::new();
    let lines = fields(&client.headers);
    for (name, value) in &client.headers {
        let is_own = matches!(name.as_str(), "host" | "content-length" | "expect");
        if !is_own && is_stored_field(name.as_str(), &lines) {
            headers.append(name, value.clone());
        }
    }
    request = request.headers(headers);
    if !client.body.is_empty() {
        request = request.body(client.body);
    }
    Ok(request)
}

fn fields(headers: &HeaderMap) -> Vec<(&str, &[u8])> {
    let lines = headers.iter();
    lines
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect()
}

/// Writes a response while it is received.
async fn write_response(
    stream: &mut TcpStream,
    mut response: StreamedResponse,
    is_head: bool,
    keeps_alive: bool,
) -> Result<(), AnyError> {
    let status = response.status;
    let has_body = !is_head && !matches!(status.as_u16(), 100..200 | 204 | 304);
    let mut head = Vec::new();
    let reason = status.canonical_reason().unwrap_or("Unknown");
    head.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", status.as_u16()).as_bytes());
    let all = fields(&response.headers);
    for (name, value) in &response.headers {
        if is_stored_field(name.as_str(), &all) {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
    }
    if let Some(cache) = response.cache_status {
        head.extend_from_slice(format!("cache-status: {cache}\r\n").as_bytes());
    }
    let is_chunked = has_body && !response.headers.contains_key("content-length");
    if is_chunked {
        head.extend_from_slice(b"transfer-encoding: chunked\r\n");
    }
    if !keeps_alive {
        head.extend_from_slice(b"connection: close\r\n");
    }
    head.extend_from_slice(b"\r\n");
    stream.write_all(&head).await?;
    while let Some(chunk) = response.body.next().await {
        // A body that breaks off is passed on as one that breaks off.
        let chunk = chunk?;
        if chunk.is_empty() || !has_body {
            continue;
        }
        if is_chunked {
            stream
                .write_all(format!("{:x}\r\n", chunk.len()).as_bytes())
                .await?;
        }
        stream.write_all(&chunk).await?;
        if is_chunked {
            stream.write_all(b"\r\n").await?;
        }
    }
    if is_chunked {
        stream.write_all(b"0\r\n\r\n").await?;
    }
    stream.flush().await?;
    Ok(())
}

/// Reads the next request, and leaves what follows it in `buffer`. `None` at the end of the connection.
async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> Result<Option<ClientRequest>, AnyError> {
    loop {
        let mut lines = [httparse::EMPTY_HEADER; 128];
        let mut head = httparse::Request::new(&mut lines);
        if let httparse::Status::Complete(length) = head.parse(buffer)? {
            let mut headers = HeaderMap::new();
            for line in head.headers.iter() {
                let name = HeaderName::from_bytes(line.name.as_bytes())?;
                headers.append(name, HeaderValue::from_bytes(line.value)?);
            }
            let has = |name: &str, token: &str| {
                let value = headers.get(name).and_then(|value| value.to_str().ok());
                value.is_some_and(|value| value.to_ascii_lowercase().contains(token))
            };
            let mut request = ClientRequest {
                body: Vec::new(),
                keeps_alive: head.version == Some(1) && !has("connection", "close"),
                method: head.method.unwrap_or("GET").parse()?,
                target: head.path.unwrap_or("/").to_owned(),
                headers: HeaderMap::new(),
            };
            let (is_chunked, waits) = (has("transfer-encoding", "chunked"), has("expect", "100"));
            request.headers = headers;
            buffer.drain(..length);
            if waits {
                stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            request.body = match is_chunked {
                true => read_chunks(stream, buffer).await?,
                false => {
                    let length = request.headers.get("content-length");
                    let length = length.map_or(Ok(0), |value| {
                        value.to_str()?.parse::<usize>().map_err(AnyError::from)
                    })?;
                    take(stream, buffer, length).await?
                }
            };
            return Ok(Some(request));
        }
        if buffer.len() > MAX_HEAD || !read_more(stream, buffer).await? {
            return Ok(None);
        }
    }
}

async fn read_more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<bool> {
    let mut part = [0; 16 * 1024];
    let n = stream.read(&mut part).await?;
    buffer.extend_from_slice(&part[..n]);
    Ok(n > 0)
}

/// Takes so many bytes.
async fn take(stream: &mut TcpStream, buffer: &mut Vec<u8>, n: usize) -> Result<Vec<u8>, AnyError> {
    if n > MAX_BODY {
        return Err("the body of the request is too large".into());
    }
    while buffer.len() < n {
        if !read_more(stream, buffer).await? {
            return Err("the request breaks off".into());
        }
    }
    Ok(buffer.drain(..n).collect())
}

async fn read_chunks(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<Vec<u8>, AnyError> {
    let mut body = Vec::new();
    loop {
        let httparse::Status::Complete((start, size)) =
            httparse::parse_chunk_size(buffer).map_err(|_| "invalid chunk")?
        else {
            if !read_more(stream, buffer).await? {
                return Err("the request breaks off".into());
            }
            continue;
        };
        take(stream, buffer, start).await?;
        let size = usize::try_from(size)?;
        body.extend(take(stream, buffer, size).await?);
        if body.len() > MAX_BODY {
            return Err("the body of the request is too large".into());
        }
        take(stream, buffer, 2).await?;
        if size == 0 {
            return Ok(body);
        }
    }
}
