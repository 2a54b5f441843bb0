//! Microsoft's client, with its default retries, timeouts and telemetry.

use anyhow::Result;
use fetch_by_microsoft::HttpClient;
use fetch_by_microsoft::tokio::TokioDeps;

use super::unordered;
use crate::cases::case::BenchmarkCase;
use crate::environment::ports::SitePorts;

pub(super) fn run(case: &BenchmarkCase, ports: &SitePorts) -> Result<()> {
    unordered::run(
        case,
        ports,
        || {
            let builder = HttpClient::builder_tokio(TokioDeps::default());
            Ok(builder.insecure_allow_http().build())
        },
        |client, url| {
            let client = client.clone();
            async move {
                let (head, body) = client.get(url).fetch_bytes().await?.into_parts();
                Ok((head.status.as_u16(), body.len()))
            }
        },
    )
}
