//! Serves a good site on 100 addresses, and eight hosts of each kind of flood, until the end of stdin.
//!
//! Prints the URLs, one a line, each with its kind before it: `good`, or the kind of flood.
//! `cargo run -p fetch-testbed --example floods -- [http2]`; with `http2`, all speak HTTP/2 without TLS.

use std::io::{self, Read, Write};

use fetch_testbed::{Flood, FloodServer, Site};

fn main() -> io::Result<()> {
    let http2 = std::env::args().nth(1).is_some_and(|arg| arg == "http2");
    let site = Site::builder().addresses(100).http2(http2).start()?;
    let mut out = io::stdout().lock();
    for n in 0..1_000 {
        writeln!(
            out,
            "good {}",
            site.url_at(n % 100, &format!("/bytes/1024?n={n}"))
        )?;
    }
    let kinds = Flood::ALL.iter().filter(|flood| flood.is_http2() == http2);
    let servers: Vec<_> = kinds
        .flat_map(|flood| (0..8).map(|_| (*flood, FloodServer::start(*flood))))
        .collect();
    let mut running = Vec::new();
    for (flood, server) in servers {
        let server = server?;
        writeln!(out, "{flood:?} {}", server.url("/"))?;
        running.push(server);
    }
    out.flush()?;
    drop(out);
    io::stdin().read_to_end(&mut Vec::new())?;
    let sent: u64 = running.iter().map(FloodServer::sent_bytes).sum();
    eprintln!("{sent} bytes sent by {} servers", running.len());
    Ok(())
}
