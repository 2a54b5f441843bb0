//! Layers of settings over rules.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::matcher::RuleMatcher;
use super::{PolicyRules, Rule, RuleError, RulePattern};
use crate::policy::{Policy, PolicyPatch};

/// The settings of one source, such as a policy file or the options of a command: a patch for every
/// URL, and patches for the URLs that match a pattern. [`PolicyRules::with_layer`] applies it over
/// the rules of the sources below. The order of the sources is described at [`PolicyPatch`].
///
/// ```
/// use fetch_proto::{PolicyLayer, PolicyPatch, PolicyRules};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = PolicyLayer::new(PolicyPatch::default().attempts(5))
///     .rule("/slow/".parse()?, PolicyPatch::default().max_body(1 << 30));
/// let options = PolicyLayer::new(PolicyPatch::default().attempts(1));
///
/// let rules = PolicyRules::default().with_layer(&file)?.with_layer(&options)?;
/// let patterns: Vec<_> = rules.iter().map(|(pattern, _)| pattern.to_string()).collect();
/// assert_eq!(patterns, ["/slow/", "/delay/", "/status/"]);
/// assert!(rules.iter().all(|(_, policy)| policy.attempts_limit() == 1));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PolicyLayer {
    pub(super) base: PolicyPatch,
    pub(super) replaces_rules: bool,
    pub(super) rules: Vec<(RulePattern, PolicyPatch)>,
}

impl PolicyLayer {
    /// A layer that applies `base` to the default policy and to each rule below, without rules.
    ///
    /// ```
    /// use fetch_proto::{PolicyLayer, PolicyPatch};
    /// let no_retry = PolicyLayer::new(PolicyPatch::default().attempts(1));
    /// ```
    #[must_use]
    pub fn new(base: PolicyPatch) -> Self {
        Self {
            base,
            ..Self::default()
        }
    }

    /// Sets whether this layer replaces the rules below. Default: no, they follow the rules of this
    /// layer.
    ///
    /// ```
    /// use fetch_proto::{PolicyLayer, PolicyPatch, PolicyRules};
    /// let base = PolicyPatch::attempt_timeout(None);
    /// let rules = PolicyRules::default().with_layer(&PolicyLayer::new(base).replace_rules(true))?;
    /// assert_eq!(rules.iter().len(), 0);
    /// # Ok::<(), fetch_proto::RuleError>(())
    /// ```
    #[must_use]
    pub const fn replace_rules(mut self, replace: bool) -> Self {
        self.replaces_rules = replace;
        self
    }

    /// Appends a rule: for these URLs, the patch changes the default policy of this layer.
    ///
    /// ```
    /// use fetch_proto::{PolicyLayer, PolicyPatch};
    /// let once = PolicyPatch::default().attempts(1);
    /// let layer = PolicyLayer::default().rule("method:POST".parse()?, once);
    /// # Ok::<(), fetch_proto::RuleError>(())
    /// ```
    #[must_use]
    pub fn rule(mut self, pattern: RulePattern, patch: PolicyPatch) -> Self {
        self.rules.push((pattern, patch));
        self
    }

    /// Changes the patch of the default policy and of the rules below.
    ///
    /// ```
    /// use fetch_proto::{PolicyLayer, PolicyPatch};
    /// let patch = PolicyPatch::default().attempts(1);
    /// let layer = PolicyLayer::default().update_base(|base| patch.on_top_of(base));
    /// ```
    #[must_use]
    pub fn update_base(mut self, change: impl FnOnce(PolicyPatch) -> PolicyPatch) -> Self {
        self.base = change(self.base);
        self
    }
}

impl PolicyRules {
    /// The rules with a layer over them. First come the rules of the layer, over its default
    /// policy; then these rules, with the layer's base patch applied.
    ///
    /// # Errors
    ///
    /// The rules together exceed 1 MiB when compiled. The error names the first rule concerned.
    ///
    /// ```
    /// use fetch_proto::{Method, PolicyLayer, PolicyPatch, PolicyRules};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let once = PolicyPatch::default().attempts(1);
    /// let rules = PolicyRules::default()
    ///     .with_layer(&PolicyLayer::default().rule("/once/".parse()?, once))?;
    /// let policy = rules.policy(&Method::Get, &"http://a.test/once/".parse()?);
    /// assert_eq!(policy.attempts_limit(), 1);
    /// # Ok(()) }
    /// ```
    pub fn with_layer(&self, layer: &PolicyLayer) -> Result<Self, RuleError> {
        let patched = |patch: &PolicyPatch, policy: &Arc<Policy>| match patch.is_empty() {
            true => Arc::clone(policy),
            false => Arc::new(patch.apply(policy)),
        };
        let default = patched(&layer.base, &self.default);
        let own = layer.rules.iter().map(|(pattern, patch)| Rule {
            pattern: pattern.clone(),
            policy: patched(patch, &default),
        });
        let below = match layer.replaces_rules {
            true => &[],
            false => &*self.rules,
        };
        let below = below.iter().map(|rule| Rule {
            pattern: rule.pattern.clone(),
            policy: patched(&layer.base, &rule.policy),
        });
        let rules: Arc<[Rule]> = own.chain(below).collect();
        let matcher = if layer.rules.is_empty() && rules.len() == self.rules.len() {
            Arc::clone(&self.matcher)
        } else {
            let patterns: Vec<_> = rules.iter().map(|rule| &rule.pattern).collect();
            Arc::new(RuleMatcher::new(&patterns)?)
        };
        Ok(Self {
            rules,
            default,
            matcher,
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::*;
    use crate::model::method::Method;

    fn attempts(n: u16) -> PolicyPatch {
        PolicyPatch::default().attempts(n)
    }

    fn drain(n: u64) -> PolicyPatch {
        PolicyPatch::default().drain(n)
    }

    fn pattern(text: &str) -> RulePattern {
        text.parse().unwrap()
    }

    /// The rules as text: pattern, attempts and bytes to drain; the last is the default policy.
    fn describe(rules: &PolicyRules) -> Vec<(String, u16, u64)> {
        let default = ("default".to_string(), rules.default_policy());
        let all = rules
            .iter()
            .map(|(pattern, policy)| (pattern.to_string(), policy));
        all.chain([default])
            .map(|(pattern, policy)| (pattern, policy.attempts.get(), policy.drain))
            .collect()
    }

    #[test]
    fn rules_of_higher_layers_come_first_and_their_base_changes_all_below() {
        let base = Policy::default().drain(0);
        let rules = PolicyRules::builder().rule("/0", base.clone().attempts(9));
        let rules = rules.default(base).build().unwrap();
        let low = PolicyLayer::new(drain(1)).rule(pattern("/1"), attempts(1));
        let high = PolicyLayer::new(attempts(2))
            .rule(pattern("/2"), drain(2))
            .rule(pattern("/3"), attempts(3));
        let rules = rules.with_layer(&low).unwrap();
        let expected = [("/1", 1, 1), ("/0", 9, 1), ("default", 3, 1)];
        assert_eq!(
            describe(&rules),
            expected.map(|(p, a, d)| (p.to_string(), a, d))
        );
        let rules = rules.with_layer(&high).unwrap();
        let expected = [
            ("/2", 2, 2),
            ("/3", 3, 1),
            ("/1", 2, 1),
            ("/0", 2, 1),
            ("default", 2, 1),
        ];
        assert_eq!(
            describe(&rules),
            expected.map(|(p, a, d)| (p.to_string(), a, d))
        );
        let chosen = rules.matching_rule(&Method::Get, &"http://a.test/1/3".parse().unwrap());
        assert_eq!(chosen, Some(1));
    }

    #[test]
    fn a_layer_can_replace_the_rules_below() {
        let layer = PolicyLayer::new(attempts(2)).replace_rules(true);
        let replaced = PolicyRules::default().with_layer(&layer).unwrap();
        let default = Policy::default().attempts(2);
        assert_eq!(replaced, PolicyRules::from_policy(default));
        let url = "http://a.test/delay/1".parse().unwrap();
        assert_eq!(replaced.matching_rule(&Method::Get, &url), None);
    }

    #[test]
    fn an_empty_layer_changes_nothing_and_shares_all_policies() {
        let rules = PolicyRules::default();
        let same = rules.with_layer(&PolicyLayer::default()).unwrap();
        assert_eq!(same, rules);
        assert!(Arc::ptr_eq(&same.default, &rules.default));
        assert!(Arc::ptr_eq(&same.matcher, &rules.matcher));
    }
}
