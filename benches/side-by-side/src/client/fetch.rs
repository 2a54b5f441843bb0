//! Microsoft's client, with its own retries, timeouts and telemetry as they are by default.

use anyhow::Result;
use fetch_by_microsoft::HttpClient;
use fetch_by_microsoft::tokio::TokioDeps;

use super::unordered;
use crate::case::Case;
use crate::ports::Ports;

pub(super) fn run(case: &Case, base: &Ports) -> Result<()> {
    unordered::run(
        case,
        base,
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
