//! A site that counts the requests of each host.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[derive(Default)]
struct Counts {
    at_a_time: HashMap<String, usize>,
    crashes: usize,
    most: usize,
    requests: usize,
}

/// Answers every request after `delay`. A request for `/crash` is counted and not answered.
pub(super) struct CountingSite {
    address: SocketAddr,
    counts: Arc<Mutex<Counts>>,
}

impl CountingSite {
    pub(super) fn start(delay: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Arc::new(Mutex::new(Counts::default()));
        let of_thread = counts.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counts = of_thread.clone();
                thread::spawn(move || serve(&stream, delay, &counts));
            }
        });
        Self { address, counts }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The most requests at a time that a host had.
    pub(super) fn most_at_a_host(&self) -> usize {
        self.counts.lock().unwrap().most
    }

    pub(super) fn requests(&self) -> usize {
        self.counts.lock().unwrap().requests
    }

    pub(super) fn crashes(&self) -> usize {
        self.counts.lock().unwrap().crashes
    }
}

fn serve(stream: &TcpStream, delay: Duration, counts: &Mutex<Counts>) {
    let mut reader = BufReader::new(stream);
    let mut out = stream;
    while let Some((path, host)) = read_head(&mut reader) {
        {
            let mut counts = counts.lock().unwrap();
            counts.requests += 1;
            if path == "/crash" {
                counts.crashes += 1;
                drop(counts);
                let _ = read_head(&mut reader); // until the connection is closed
                return;
            }
            let now = counts.at_a_time.entry(host.clone()).or_default();
            *now += 1;
            let now = *now;
            counts.most = counts.most.max(now);
        }
        thread::sleep(delay);
        *counts.lock().unwrap().at_a_time.get_mut(&host).unwrap() -= 1;
        if out
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            .is_err()
        {
            return;
        }
    }
}

/// The path and the host of a request without a body; `None` at the end of the connection.
fn read_head(reader: &mut BufReader<&TcpStream>) -> Option<(String, String)> {
    let mut lines = reader.lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut host = String::new();
    for line in lines {
        let line = line.ok()?;
        if line.is_empty() {
            return Some((path, host));
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("host")
        {
            host = value.to_owned();
        }
    }
    None
}
