//! reqwest; it decodes the same codings.

use anyhow::Result;

use super::{unordered, verify_version};
use crate::case::{Case, Way};
use crate::ports::Ports;

pub(super) fn run(case: &Case, base: &Ports) -> Result<()> {
    // The site's certificate is signed by nobody.
    let any = matches!(case.way, Way::Http2 | Way::Https);
    let client = || {
        let builder = reqwest::Client::builder().tls_danger_accept_invalid_certs(any);
        Ok(builder.build()?)
    };
    unordered::run(case, base, client, |client, url| {
        let request = client.get(&url);
        async move {
            let response = request.send().await?;
            verify_version(case, response.version())?;
            let status = response.status().as_u16();
            Ok((status, response.bytes().await?.len()))
        }
    })
}
