//! A fetcher that many tasks of tokio share: its limits hold over all of them.
//!
//! `cargo run --example join_set --features tokio`

use fetch_all::tokio::Fetcher;
use fetch_testbed::Site;
use tokio::task::JoinSet;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = Site::start()?;
    let fetcher = Fetcher::builder().per_host(4).build()?;
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let (fetcher, url) = (fetcher.clone(), site.url(&format!("/bytes/{n}")));
        tasks.spawn(async move { fetcher.get(url).await?.error_for_status() });
    }
    let mut bytes = 0;
    while let Some(response) = tasks.join_next().await {
        bytes += response??.body.len();
    }
    println!("{bytes} bytes from 20 tasks");
    Ok(())
}
