//! Reads a large body in chunks. It is never in memory as a whole, and a slow reader slows the server
//! down.

use fetch_all::smol::Fetcher;
use fetch_testbed::Site;
use futures::StreamExt;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let site = Site::start()?;
    let url = std::env::args()
        .nth(1)
        .unwrap_or_else(|| site.url("/bytes/50000000"));

    let fetcher = Fetcher::builder().build()?;
    smol::block_on(async {
        let mut response = fetcher.open(url).await?;
        let (mut chunks, mut bytes) = (0, 0);
        while let Some(chunk) = response.body.next().await {
            chunks += 1;
            bytes += chunk?.len();
        }
        println!("{}: {bytes} bytes in {chunks} chunks", response.status);
        Ok(())
    })
}
