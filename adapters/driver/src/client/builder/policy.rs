//! Settings of the builder: retries, timeouts and fallbacks.

use std::time::Duration;

use fetch_proto::{Backoff, Policy, PolicyRules, RulePattern};

use super::Builder;
use crate::model::fallback_value::FallbackValue;
use crate::model::outcome::{Outcome, Response};
use crate::settings::adapter::Adapter;
use crate::settings::build_error::BuildError;

impl<A: Adapter> Builder<A> {
    /// Sets the default policy, and applies it to the rules except for their attempt timeouts. Default
    /// [`Policy::default`]. If you set [`rules`](Self::rules), set the policy in them.
    ///
    /// ```
    /// use fetch_driver::Policy;
    /// let builder = fetch_smol::Fetcher::builder().policy(Policy::default().attempts(5));
    /// ```
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Sets the wait before retries: see [`Policy::backoff`].
    ///
    /// ```
    /// use fetch_driver::Backoff;
    /// let builder = fetch_smol::Fetcher::builder().backoff(Backoff::default().jitter(None));
    /// ```
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.policy = Some(self.policy.unwrap_or_default().backoff(backoff));
        self
    }

    /// Sets the rules that choose each request's policy. Default [`PolicyRules::default`].
    ///
    /// ```
    /// use fetch_driver::{Policy, PolicyRules};
    /// let builder = fetch_smol::Fetcher::builder().rules(PolicyRules::from_policy(Policy::default()));
    /// ```
    pub fn rules(self, rules: PolicyRules) -> Self {
        self.update_config(|config| config.rules(rules))
    }

    /// Sets the attempt timeout of URLs that match `pattern`. The first pattern that matches is used;
    /// these patterns are checked before those of the rules.
    ///
    /// The pattern is a substring, or `glob:…`, `regex:…` or `host:…`: see [`RulePattern::parse`].
    ///
    /// ```
    /// use std::time::Duration;
    /// let builder = fetch_smol::Fetcher::builder()
    ///     .timeout("/reports/", Duration::from_secs(30))
    ///     .timeout("host:slow.test", Duration::from_secs(60));
    /// ```
    pub fn timeout(mut self, pattern: &str, limit: Duration) -> Self {
        match RulePattern::parse(pattern) {
            Ok(pattern) => self.timeouts.push((pattern, limit)),
            Err(error) => self
                .errors
                .push(BuildError::new("timeout", error.to_string())),
        }
        self
    }

    /// Sets the function that computes a response where a policy's
    /// [`Fallback`](fetch_proto::Fallback) asks for a value and no earlier response is stored
    /// ([`stale`](Self::stale)).
    ///
    /// ```
    /// use fetch_driver::Response;
    /// use http::StatusCode;
    ///
    /// let builder = fetch_smol::Fetcher::builder()
    ///     .fallback_value(|outcome| Some(Response::new(StatusCode::OK, "[]")));
    /// ```
    pub fn fallback_value(
        mut self,
        compute: impl Fn(&Outcome) -> Option<Response> + Send + Sync + 'static,
    ) -> Self {
        self.settings.fallback.value = Some(FallbackValue::new(compute));
        self
    }

    /// Stores this many successful responses to GET, the most recently used ones, for a policy's
    /// [`Fallback`](fetch_proto::Fallback) that asks for a value. Default 0. See
    /// [`FallbackSettings::stale`](crate::FallbackSettings::stale) for the requests that they are used for.
    ///
    /// ```
    /// let builder = fetch_smol::Fetcher::builder().stale(1000);
    /// ```
    pub fn stale(mut self, responses: usize) -> Self {
        self.settings.fallback.stale = responses;
        self
    }

    /// The rules, with the policy and the timeouts of this builder.
    pub(super) fn merged_rules(&mut self) -> Result<PolicyRules, BuildError> {
        let mut rules = self.settings.config.rules_ref().clone();
        if let Some(policy) = &self.policy {
            // Each rule keeps its attempt timeout, which is what rules are made for.
            rules = rules.map(|old| {
                let timeouts = policy.timeouts_ref().attempt(old.timeouts_ref().attempt);
                policy.clone().timeouts(timeouts)
            });
            rules = rules.with_default(policy.clone());
        }
        if self.timeouts.is_empty() {
            return Ok(rules);
        }
        let base = rules.default_policy().clone();
        let mut builder = PolicyRules::builder();
        for (pattern, limit) in self.timeouts.drain(..) {
            builder = builder.rule(pattern, (*base).clone().attempt_timeout(limit));
        }
        for (pattern, policy) in rules.iter() {
            builder = builder.rule(pattern.clone(), policy.clone());
        }
        let built = builder.default(base).build();
        built.map_err(|error| BuildError::new("timeout", error.to_string()))
    }
}
