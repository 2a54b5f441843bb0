//! Targets that are served by several endpoints.

use alloc::sync::Arc;
use alloc::vec::Vec;

use url::Url;

use crate::guards::balance::LoadBalancer;

/// The balancer of a target, and the hosts of its endpoints.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(crate) struct TargetEndpoints {
    pub(crate) balancer: LoadBalancer,
    /// The host of each endpoint.
    pub(crate) endpoints: Vec<u32>,
}

impl TargetEndpoints {
    /// `url` at endpoint `i`.
    pub(crate) fn endpoint_url(&self, i: usize, url: &Url) -> Arc<Url> {
        Arc::new(with_origin(url, &self.balancer.target().endpoints[i].url))
    }
}

/// `url` with another origin.
fn with_origin(url: &Url, origin: &Url) -> Url {
    let mut url = url.clone();
    // Both URLs are http or https, and an origin has a host, so none of these calls can fail.
    let _ = url.set_scheme(origin.scheme());
    let _ = url.set_host(origin.host_str());
    let _ = url.set_port(origin.port());
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_changes_the_origin_alone() {
        let table = [
            (
                "https://s.test/a?b#c",
                "http://x.test:81",
                "http://x.test:81/a?b#c",
            ),
            ("http://s.test:8080/", "https://[::1]", "https://[::1]/"),
        ];
        for (url, origin, expected) in table {
            let moved = with_origin(&url.parse().unwrap(), &origin.parse().unwrap());
            assert_eq!(moved.as_str(), expected);
        }
    }
}
