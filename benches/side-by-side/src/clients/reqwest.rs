//! reqwest, which decodes the same content codings.

use anyhow::Result;

use super::{unordered, verify_version};
use crate::cases::case::BenchmarkCase;
use crate::cases::load_kind::LoadKind;
use crate::environment::ports::SitePorts;

pub(super) fn run(case: &BenchmarkCase, ports: &SitePorts) -> Result<()> {
    // The server has a self-signed certificate.
    let is_insecure = matches!(case.kind, LoadKind::Http2 | LoadKind::Https);
    let client = || {
        let builder = reqwest::Client::builder().tls_danger_accept_invalid_certs(is_insecure);
        Ok(builder.build()?)
    };
    unordered::run(case, ports, client, |client, url| {
        let request = client.get(&url);
        async move {
            let response = request.send().await?;
            verify_version(case, response.version())?;
            let status = response.status().as_u16();
            Ok((status, response.bytes().await?.len()))
        }
    })
}
