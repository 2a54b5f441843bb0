//! Settings of the builder: retries, timeouts and fallbacks.

use std::mem;
use std::time::Duration;

use fetch_proto::{Backoff, Policy, PolicyLayer, PolicyPatch, PolicyRules, RulePattern};

use super::Builder;
use crate::model::fallback_value::FallbackValue;
use crate::model::outcome::Outcome;
use crate::model::response::Response;
use crate::settings::adapter::Adapter;
use crate::settings::build_error::BuildError;

impl<A: Adapter> Builder<A> {
    /// Sets the default policy, and applies it to the rules except for their attempt timeouts. Default
    /// [`Policy::default`]. If you set [`rules`](Self::rules), set the policy in them. Replaces what
    /// [`backoff`](Self::backoff) and [`patch`](Self::patch) have set before.
    ///
    /// ```
    /// use fetch_driver::Policy;
    /// let builder = fetch_smol::Fetcher::builder().policy(Policy::default().attempts(5));
    /// ```
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policies.set_policy(policy);
        self
    }

    /// Changes single settings of all policies: of the default and of every rule. Later patches win
    /// over earlier ones: see [`PolicyPatch`].
    ///
    /// ```
    /// use fetch_driver::PolicyPatch;
    /// let builder = fetch_smol::Fetcher::builder().patch(PolicyPatch::default().attempts(5));
    /// ```
    pub fn patch(mut self, patch: PolicyPatch) -> Self {
        self.policies.add_patch(patch);
        self
    }

    /// Sets the wait before retries: see [`Policy::backoff`].
    ///
    /// ```
    /// use fetch_driver::Backoff;
    /// let builder = fetch_smol::Fetcher::builder().backoff(Backoff::default().jitter(None));
    /// ```
    pub fn backoff(self, backoff: Backoff) -> Self {
        self.patch(PolicyPatch::default().backoff(backoff))
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
            Ok(pattern) => self.policies.add_timeout(pattern, limit),
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
}

/// What a builder sets over the rules.
#[derive(Clone, Debug, Default)]
pub(super) struct PolicySettings {
    layer: PolicyLayer,
    /// The base of the layer, instead of the policies of the rules.
    policy: Option<Policy>,
}

impl PolicySettings {
    fn set_policy(&mut self, policy: Policy) {
        self.policy = Some(policy);
        self.update_layer(|layer| layer.update_base(|_| PolicyPatch::default()));
    }

    fn add_patch(&mut self, patch: PolicyPatch) {
        self.update_layer(|layer| layer.update_base(|base| patch.on_top_of(base)));
    }

    fn add_timeout(&mut self, pattern: RulePattern, limit: Duration) {
        self.update_layer(|layer| layer.rule(pattern, PolicyPatch::attempt_timeout(limit)));
    }

    fn update_layer(&mut self, change: impl FnOnce(PolicyLayer) -> PolicyLayer) {
        self.layer = change(mem::take(&mut self.layer));
    }

    /// The rules with these settings.
    pub(super) fn apply(&self, rules: &PolicyRules) -> Result<PolicyRules, BuildError> {
        let base = match &self.policy {
            Some(policy) => with_base(rules, policy),
            None => rules.clone(),
        };
        let rules = base.with_layer(&self.layer);
        rules.map_err(|error| BuildError::new("timeout", error.to_string()))
    }
}

/// The rules over another policy. Each keeps its attempt timeout, which is what rules are made for.
fn with_base(rules: &PolicyRules, policy: &Policy) -> PolicyRules {
    let rules = rules.map(|rule| {
        let mut policy = policy.clone();
        policy.timeouts.attempt = rule.timeouts.attempt;
        policy.timeouts.attempt_covers_body = rule.timeouts.attempt_covers_body;
        policy
    });
    rules.with_default(policy.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pattern, attempts and attempt timeout of each rule; the default policy is last.
    fn describe(rules: &PolicyRules) -> Vec<(String, u16, u64)> {
        let rule = |(pattern, policy): (String, &Policy)| {
            let limit = policy.timeouts.attempt.unwrap();
            (pattern, policy.attempts_limit(), limit.as_secs())
        };
        let all = rules
            .iter()
            .map(|(pattern, policy)| (pattern.to_string(), &**policy));
        let default = ("default".to_owned(), &**rules.default_policy());
        all.chain([default]).map(rule).collect()
    }

    fn merged(rules: &PolicyRules, set: impl FnOnce(&mut PolicySettings)) -> PolicyRules {
        let mut settings = PolicySettings::default();
        set(&mut settings);
        settings.apply(rules).unwrap()
    }

    #[test]
    fn patterns_precede_the_rules_which_keep_their_attempt_timeouts() {
        let rules = merged(&PolicyRules::default(), |settings| {
            settings.add_timeout("/a".parse().unwrap(), Duration::from_secs(1));
            settings.set_policy(
                Policy::default()
                    .attempts(5)
                    .attempt_timeout(Duration::from_secs(2)),
            );
        });
        let expected = [
            ("/a", 5, 1),
            ("/delay/", 5, 10),
            ("/status/", 5, 8),
            ("default", 5, 2),
        ];
        assert_eq!(
            describe(&rules),
            expected.map(|(p, n, t)| (p.to_owned(), n, t))
        );
    }

    #[test]
    fn a_patch_changes_only_its_settings_and_the_last_one_wins() {
        let attempts = |n| PolicyPatch::default().attempts(n);
        let own = Policy::default().attempts(9).drain(9);
        let rules = PolicyRules::builder()
            .rule("/a", own.clone())
            .build()
            .unwrap();
        let patched = merged(&rules, |settings| {
            settings.add_patch(attempts(4));
            settings.add_patch(attempts(5));
        });
        let expected = PolicyRules::builder().rule("/a", own.attempts(5));
        let expected = expected
            .default(Policy::default().attempts(5))
            .build()
            .unwrap();
        assert_eq!(patched, expected);
        let over_policy = merged(&rules, |settings| {
            settings.add_patch(attempts(4));
            settings.set_policy(Policy::default().drain(7));
            settings.add_patch(PolicyPatch::default().max_body(1));
        });
        let expected = Policy::default().drain(7).max_body(1);
        assert_eq!(**over_policy.default_policy(), expected);
        assert_eq!(merged(&rules, |_| ()), rules);
    }
}
