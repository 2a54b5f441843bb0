//! Over a Unix socket.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use fetch_driver::{FailureKind, Transport};
use fetch_http::{AsyncIoSocket, HttpConfig, HttpRuntime, HttpTransport};
use smol::block_on;

use crate::client::{client_with, failure, get, progress, read_body};

/// Smol with Unix sockets.
#[derive(Clone)]
struct SmolUnix;

impl HttpRuntime for SmolUnix {
    type Stream = AsyncIoSocket;

    async fn connect(&self, addr: SocketAddr) -> io::Result<AsyncIoSocket> {
        AsyncIoSocket::connect(addr).await
    }

    async fn connect_unix(&self, path: &Path) -> io::Result<AsyncIoSocket> {
        AsyncIoSocket::connect_unix(path).await
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(task).detach();
    }

    async fn sleep(&self, duration: Duration) {
        smol::Timer::after(duration).await;
    }
}

/// Answers each request with its head, and counts connections.
fn echo(listener: UnixListener) -> Arc<AtomicUsize> {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            count.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || answer(stream));
        }
    });
    connections
}

fn answer(mut stream: UnixStream) {
    while let Some(head) = crate::raw::read_head(&mut stream) {
        let length = head.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{head}");
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

#[test]
fn requests_over_a_unix_socket_carry_the_urls_host() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let connections = echo(UnixListener::bind(&path).unwrap());
    let client = HttpTransport::new(SmolUnix, HttpConfig::new().unix_socket(&path));
    for _ in 0..3 {
        let (progress, request) = (progress(), get("http://daemon.test/images?all=1"));
        let body = block_on(async {
            let response = client.send(request, progress.clone()).await.unwrap();
            read_body(response.body).await.unwrap()
        });
        let head = String::from_utf8(body).unwrap().to_lowercase();
        assert!(head.starts_with("get /images?all=1 http/1.1\r\n"), "{head}");
        assert!(head.contains("host: daemon.test\r\n"), "{head}");
        assert_eq!(progress.connection().unwrap().remote, None);
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[test]
fn a_missing_unix_socket_is_named() {
    let client = HttpTransport::new(SmolUnix, HttpConfig::new().unix_socket("/no/such/socket"));
    let sent = client.send(get("http://daemon.test/"), progress());
    let error = block_on(sent).unwrap_err();
    assert_eq!(error.kind(), FailureKind::Connect);
    let text = error.to_string();
    assert!(text.contains("Unix socket /no/such/socket"), "{text}");
}

#[test]
fn a_runtime_without_unix_sockets_is_unsupported() {
    let client = client_with(HttpConfig::new().unix_socket("/no/such/socket"));
    let kind = block_on(failure(&client, "http://daemon.test/"));
    assert_eq!(kind, FailureKind::Unsupported);
}
