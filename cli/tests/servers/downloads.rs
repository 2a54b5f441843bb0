//! Large and slow bodies, and connections that break in the middle of them.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fetch_testbed::servers::{Program, RealServer, ServerTest, is_nightly};
use serde_json::Value;

use crate::support::{command, parse_records};

pub(crate) const TESTS: &[ServerTest] = &[
    ServerTest::new(
        "a_download_over_a_breaking_connection_arrives_whole_and_once",
        &[Program::Nginx],
        a_download_over_a_breaking_connection_arrives_whole_and_once,
    ),
    ServerTest::new(
        "a_download_that_changes_meanwhile_starts_over",
        &[Program::Nginx],
        a_download_that_changes_meanwhile_starts_over,
    ),
    ServerTest::new(
        "a_body_that_takes_longer_than_the_attempt_limit_is_saved",
        &[Program::Nginx],
        a_body_that_takes_longer_than_the_attempt_limit_is_saved,
    ),
    ServerTest::new(
        "a_body_over_64_mib_is_saved",
        &[Program::Nginx],
        a_body_over_64_mib_is_saved,
    ),
    ServerTest::new(
        "a_body_below_the_minimum_speed_is_given_up",
        &[Program::Nginx],
        a_body_below_the_minimum_speed_is_given_up,
    ),
];

const MB: usize = 1_000_000;

/// Relays connections to a server, and closes each after a number of bytes from the server.
struct BreakingRelay {
    port: u16,
    /// The bytes that all clients got.
    sent: Arc<AtomicU64>,
}

impl BreakingRelay {
    /// `on_break` is called after the n-th connection was broken, before the next is accepted.
    fn start(server: u16, breaks_after: usize, on_break: impl Fn(u64) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let sent = Arc::new(AtomicU64::new(0));
        let counter = sent.clone();
        thread::spawn(move || {
            for (n, client) in (1..).zip(listener.incoming()) {
                relay(client.unwrap(), server, breaks_after, &counter);
                on_break(n);
            }
        });
        Self { port, sent }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

fn relay(mut client: TcpStream, server: u16, breaks_after: usize, sent: &AtomicU64) {
    let mut server = TcpStream::connect(("127.0.0.1", server)).unwrap();
    let (mut requests, mut upstream) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut requests, &mut upstream);
        // The client is done, so the server has nothing more to send.
        let _ = upstream.shutdown(Shutdown::Both);
    });
    let mut left = breaks_after;
    let mut buffer = vec![0; 64 << 10];
    while left > 0 {
        let room = buffer.len().min(left);
        let Ok(n @ 1..) = server.read(&mut buffer[..room]) else {
            break;
        };
        if client.write_all(&buffer[..n]).is_err() {
            break;
        }
        sent.fetch_add(n as u64, Ordering::SeqCst);
        left -= n;
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

/// Bytes that differ everywhere.
fn content(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn start_nginx(settings: &str) -> RealServer {
    RealServer::start(Program::Nginx, 1, |place| {
        let port = place.ports[0];
        format!("server {{ listen 127.0.0.1:{port}; {settings} }}")
    })
    .unwrap()
}

/// Fetches a URL into a directory, with the defaults. Returns the record, the file and the output.
fn download(nginx: &RealServer, url: &str, more: &[&str]) -> (Value, PathBuf, Output) {
    let directory = nginx.place().file("bodies");
    let arguments = [&["--output-dir", &directory, "-O", url], more].concat();
    let output = command(&arguments).output().unwrap();
    let records = parse_records(&output.stdout);
    assert_eq!(records.len(), 1, "{output:?}");
    let file = PathBuf::from(directory).join("file.bin");
    (records[0].clone(), file, output)
}

fn a_download_over_a_breaking_connection_arrives_whole_and_once() {
    let (size, part, rate) = match is_nightly() {
        true => (300 * MB, 20 * MB, "2m"),
        false => (12 * MB, 2 * MB, "20m"),
    };
    let nginx = start_nginx(&format!("limit_rate {rate};"));
    let original = content(size, 1);
    nginx.write_page("file.bin", &original).unwrap();
    let relay = BreakingRelay::start(nginx.port(), part, |_| ());
    let started = Instant::now();
    let (record, file, output) = download(&nginx, &relay.url("/file.bin"), &[]);
    assert_eq!(record["outcome"], "ok", "{output:?}");
    assert!(fs::read(file).unwrap() == original, "the file differs");
    let sent = relay.sent.load(Ordering::SeqCst);
    println!(
        "{size} bytes in {:.1?}: {} attempts, {sent} bytes sent, resumed from {}",
        started.elapsed(),
        record["attempts"].as_array().unwrap().len(),
        record["resumed_from"],
    );
    // What exceeds the body is heads.
    assert!(sent < size as u64 + (20 << 10), "{sent}");
    assert!(record["resumed_from"].as_u64().unwrap() > (size - part) as u64 / 2);
    assert_eq!(record["size_delivered"], size);
    assert_eq!(record["response_code"], 206);
}

fn a_download_that_changes_meanwhile_starts_over() {
    let nginx = start_nginx("");
    let (first, second) = (content(4 * MB, 1), content(3 * MB, 2));
    nginx.write_page("file.bin", &first).unwrap();
    let (page, changed) = (nginx.place().file("www/file.bin"), second.clone());
    let relay = BreakingRelay::start(nginx.port(), 3_500_000, move |n| {
        if n == 1 {
            fs::write(&page, &changed).unwrap();
        }
    });
    let (record, file, output) = download(&nginx, &relay.url("/file.bin"), &[]);
    assert_eq!(record["outcome"], "ok", "{output:?}");
    assert!(fs::read(file).unwrap() == second, "the file differs");
    assert_eq!(record["resumed_from"], Value::Null);
}

fn a_body_that_takes_longer_than_the_attempt_limit_is_saved() {
    let nginx = start_nginx("limit_rate 500k;");
    let original = content(4 * MB, 1);
    nginx.write_page("file.bin", &original).unwrap();
    let (record, file, output) = download(&nginx, &nginx.url("/file.bin"), &[]);
    assert_eq!(record["outcome"], "ok", "{output:?}");
    assert!(record["time_total"].as_f64().unwrap() > 6.0);
    assert_eq!(record["attempts"].as_array().unwrap().len(), 1);
    assert!(fs::read(&file).unwrap() == original, "the file differs");
    // A limit that is given covers the body.
    fs::remove_file(&file).unwrap();
    let given = ["-m", "1", "--retry", "0"];
    let (record, file, _) = download(&nginx, &nginx.url("/file.bin"), &given);
    assert_eq!(record["outcome"], "timeout");
    assert!(!file.exists());
}

fn a_body_over_64_mib_is_saved() {
    let nginx = start_nginx("");
    let original = content(70 << 20, 1);
    nginx.write_page("file.bin", &original).unwrap();
    let (record, file, output) = download(&nginx, &nginx.url("/file.bin"), &[]);
    assert_eq!(record["outcome"], "ok", "{output:?}");
    assert!(fs::read(&file).unwrap() == original, "the file differs");
    fs::remove_file(&file).unwrap();
    let given = ["--max-filesize", "1000000"];
    let (record, _, _) = download(&nginx, &nginx.url("/file.bin"), &given);
    assert_eq!(record["outcome"], "too_large");
}

fn a_body_below_the_minimum_speed_is_given_up() {
    if !is_nightly() {
        return; // It takes half a minute.
    }
    let nginx = start_nginx("limit_rate 100;");
    nginx.write_page("file.bin", content(MB, 1)).unwrap();
    let started = Instant::now();
    let (record, _, _) = download(&nginx, &nginx.url("/file.bin"), &["--retry", "0"]);
    assert_eq!(record["outcome"], "timeout");
    assert!(started.elapsed() >= Duration::from_secs(30));
}
