//! Threads share one fetcher, without async: its limits hold for all of them together.
//!
//! `cargo run --example threads --features blocking`

use std::thread;

use fetch_all::blocking::Fetcher;
use fetch_all::smol;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = fetch_testbed::Site::start()?;
    let fetcher = Fetcher::from_builder(smol::Fetcher::builder().concurrency(20).per_host(8))?;
    thread::scope(|scope| {
        for number in 0..4 {
            let (fetcher, site) = (&fetcher, &site);
            scope.spawn(move || {
                let urls = (0..250).map(|n| site.url(&format!("/flaky/1?key={number}-{n}")));
                let mut outcomes = fetcher.fetch_all(urls);
                for outcome in &mut outcomes {
                    if !outcome.is_success() {
                        eprintln!("{outcome}");
                    }
                }
                println!("thread {number}: {}", outcomes.stats());
            });
        }
    });
    Ok(())
}
