//! reqwest; it decodes the same codings.

use anyhow::Result;

use super::unordered;
use crate::case::Case;

pub(super) fn run(case: &Case, base: &str) -> Result<()> {
    let client = reqwest::Client::builder().build()?;
    unordered::run(case, base, client, |client, url| {
        let request = client.get(&url);
        async move {
            let response = request.send().await?;
            let status = response.status().as_u16();
            Ok((status, response.bytes().await?))
        }
    })
}
