//! Fetches over a Unix socket on tokio.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;

#[tokio::test]
async fn all_urls_are_fetched_over_a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        for _ in 0..2 {
            let mut head = lines.by_ref().map_while(Result::ok);
            let host = head.find(|line| line.starts_with("host: ")).unwrap();
            let _ = head.find(String::is_empty);
            let body = "x".repeat(100_000);
            let answer = format!("HTTP/1.1 200 OK\r\nx-{host}\r\nContent-Length: 100000\r\n\r\n");
            stream.write_all((answer + &body).as_bytes()).unwrap();
        }
    });
    let fetcher = fetch_tokio::Fetcher::builder().unix_socket(&path);
    let fetcher = fetcher.build().unwrap();
    for _ in 0..2 {
        let response = fetcher.get("http://daemon.test/x").await.unwrap();
        assert_eq!(response.headers["x-host"], "daemon.test");
        assert_eq!(response.body.len(), 100_000);
    }
}
