//! Serves the test site until Ctrl-C or end of input: `cargo run -p fetch-testbed --example serve [PORT]`.

use std::io;

use fetch_testbed::{ENDPOINTS, Site};

fn main() -> io::Result<()> {
    let port = match std::env::args().nth(1) {
        None => 0,
        Some(text) => text
            .parse()
            .map_err(|_| io::Error::other("usage: serve [PORT]"))?,
    };
    let site = Site::builder().port(port).start()?;
    for endpoint in ENDPOINTS {
        println!("{:70} {}", site.url(endpoint.example), endpoint.about);
    }
    println!(
        "\nserving {} until Ctrl-C or the end of input",
        site.url("/")
    );
    io::copy(&mut io::stdin(), &mut io::sink())?;
    println!("{:#?}", site.observed());
    Ok(())
}
