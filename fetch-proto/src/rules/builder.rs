//! The builder of rules.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::matcher::RuleMatcher;
use super::{PolicyRules, Rule, RuleError, RulePattern};
use crate::policy::Policy;

/// Builder of [`PolicyRules`]: see [`PolicyRules::builder`].
#[derive(Clone, Debug)]
pub struct PolicyRulesBuilder {
    pub(super) rules: Vec<Rule>,
    pub(super) default: Option<Arc<Policy>>,
    pub(super) error: Option<RuleError>,
}

impl PolicyRulesBuilder {
    /// Appends a rule: a [`RulePattern`] or its text form, and the policy it selects.
    ///
    /// [`build`](Self::build) reports an invalid text.
    ///
    /// ```
    /// use fetch_proto::{Method, RulePattern, Policy, PolicyRules};
    ///
    /// let upload = RulePattern::glob("/upload/**")?.methods([Method::Put]);
    /// let rules = PolicyRules::builder()
    ///     .rule(upload, Policy::default().attempts(1))
    ///     .rule("regex:[.](zip|tar)$", Policy::default().max_body(1 << 30))
    ///     .build()?;
    /// # Ok::<(), fetch_proto::RuleError>(())
    /// ```
    #[must_use]
    pub fn rule<P>(mut self, pattern: P, policy: impl Into<Arc<Policy>>) -> Self
    where
        P: TryInto<RulePattern>,
        P::Error: Into<RuleError>,
    {
        match pattern.try_into() {
            Ok(pattern) => self.rules.push(Rule {
                pattern,
                policy: policy.into(),
            }),
            Err(error) => {
                let error = error.into().in_rule(self.rules.len());
                self.error.get_or_insert(error);
            }
        }
        self
    }

    /// Sets the policy of requests without a matching rule. Default [`Policy::default`].
    ///
    /// ```
    /// use fetch_proto::{Policy, PolicyRules};
    /// let rules = PolicyRules::builder().default(Policy::default().attempts(1)).build()?;
    /// # Ok::<(), fetch_proto::RuleError>(())
    /// ```
    #[must_use]
    pub fn default(mut self, policy: impl Into<Arc<Policy>>) -> Self {
        self.default = Some(policy.into());
        self
    }

    /// Compiles the rules.
    ///
    /// # Errors
    ///
    /// A rule's text is invalid, or the rules together exceed 1 MiB when compiled. The error names
    /// the first rule concerned.
    ///
    /// ```
    /// use fetch_proto::{Policy, PolicyRules};
    /// let error = PolicyRules::builder().rule("regex:(a", Policy::default()).build().unwrap_err();
    /// assert_eq!(error.to_string(), r#"rule 1: "regex:(a": at 7: unclosed group"#);
    /// ```
    pub fn build(self) -> Result<PolicyRules, RuleError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let patterns: Vec<_> = self.rules.iter().map(|rule| &rule.pattern).collect();
        Ok(PolicyRules {
            matcher: Arc::new(RuleMatcher::new(&patterns)?),
            default: self.default.unwrap_or_else(|| Arc::new(Policy::default())),
            rules: self.rules.into(),
        })
    }
}
