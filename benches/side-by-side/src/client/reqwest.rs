//! reqwest; it decodes the same codings.

use anyhow::Result;

use super::unordered;
use crate::case::{Case, Way};
use crate::ports::Ports;

pub(super) fn run(case: &Case, base: &Ports) -> Result<()> {
    let client = || match case.way {
        // The site's certificate is signed by nobody.
        Way::Http2 | Way::Https => insecure(),
        _ => Ok(reqwest::Client::builder().build()?),
    };
    unordered::run(case, base, client, |client, url| {
        let request = client.get(&url);
        async move {
            let response = request.send().await?;
            let status = response.status().as_u16();
            Ok((status, response.bytes().await?.len()))
        }
    })
}

fn insecure() -> Result<reqwest::Client> {
    // It is an error if there is one already, which then is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().tls_danger_accept_invalid_certs(true);
    Ok(builder.build()?)
}
