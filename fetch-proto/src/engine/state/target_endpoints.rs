//! Hosts that are served by several others.

use alloc::sync::Arc;
use alloc::vec::Vec;

use url::Url;

use super::Engine;
use crate::guards::balance::{BalancedTarget, LoadBalancer};

/// A target's endpoints.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub(super) struct Group {
    pub(super) balancer: LoadBalancer,
    /// The host of each endpoint.
    pub(super) endpoints: Vec<u32>,
}

impl Group {
    /// `url` at endpoint `i`.
    pub(super) fn url(&self, i: usize, url: &Url) -> Arc<Url> {
        Arc::new(at_origin(url, &self.balancer.target().endpoints[i].url))
    }
}

/// The same path and query at another origin.
fn at_origin(url: &Url, origin: &Url) -> Url {
    let mut url = url.clone();
    // Both are http or https, and an origin has a host: none of these is refused.
    let _ = url.set_scheme(origin.scheme());
    let _ = url.set_host(origin.host_str());
    let _ = url.set_port(origin.port());
    url
}

impl Engine {
    /// Makes the configured targets, and drops those that are not configured any more.
    pub(super) fn adopt_targets(&mut self) {
        for host in self.hosts.numbers() {
            self.dissolve(host);
        }
        for (url, target) in self.config.targets.clone() {
            let host = self.intern(&url);
            self.gather(host, target);
        }
    }

    /// What was balanced goes to the host itself again. Attempts in flight still land rightly.
    fn dissolve(&mut self, host: u32) {
        if !self.hosts.exists(host) {
            return;
        }
        let unchanged = |group: &Group| {
            let mut targets = self.config.targets.iter();
            targets.any(|(url, target)| {
                self.hosts.at(url) == Some(host) && target == group.balancer.target()
            })
        };
        let state = self.hosts.get(host);
        if state.group.as_ref().is_none_or(|group| unchanged(group)) {
            return;
        }
        let Some(group) = self.hosts.get_mut(host).group.take() else {
            return;
        };
        for endpoint in group.endpoints {
            self.hosts
                .get_mut(endpoint)
                .serves
                .retain(|served| *served != host);
            self.leave(endpoint, self.now);
        }
        self.leave(host, self.now);
    }

    fn gather(&mut self, host: u32, target: BalancedTarget) {
        if self.hosts.get(host).group.is_some() {
            return;
        }
        let urls = target.endpoints.iter().map(|endpoint| endpoint.url.clone());
        let urls: Vec<_> = urls.collect();
        let Ok(balancer) = LoadBalancer::new(target) else {
            return; // not reached: the configuration was checked
        };
        let endpoints: Vec<_> = urls.iter().map(|url| self.intern(url)).collect();
        for endpoint in &endpoints {
            let state = self.hosts.get_mut(*endpoint);
            state.live += 1; // as long as it is an endpoint
            state.serves.push(host);
        }
        let state = self.hosts.get_mut(host);
        state.live += 1;
        state.group = Some(
            Group {
                balancer,
                endpoints,
            }
            .into(),
        );
    }
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
            let moved = at_origin(&url.parse().unwrap(), &origin.parse().unwrap());
            assert_eq!(moved.as_str(), expected);
        }
    }
}
