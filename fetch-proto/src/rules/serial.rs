//! Serialized form of rules: a list of patterns with policies, and the default policy.

use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{PolicyRules, RulePattern};
use crate::policy::Policy;

#[derive(Deserialize, Serialize)]
#[serde(rename = "PolicyRules", deny_unknown_fields)]
struct RulesData {
    #[serde(default)]
    rules: Vec<RuleData>,
    #[serde(default)]
    default: Policy,
}

#[derive(Deserialize, Serialize)]
#[serde(rename = "Rule", deny_unknown_fields)]
struct RuleData {
    pattern: RulePattern,
    #[serde(default)]
    policy: Policy,
}

impl Serialize for PolicyRules {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rules = self.iter().map(|(pattern, policy)| RuleData {
            pattern: pattern.clone(),
            policy: Policy::clone(policy),
        });
        let default = Policy::clone(self.default_policy());
        RulesData {
            rules: rules.collect(),
            default,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PolicyRules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let data = RulesData::deserialize(deserializer)?;
        let builder = data
            .rules
            .into_iter()
            .fold(Self::builder(), |builder, rule| {
                builder.rule(rule.pattern, Arc::new(rule.policy))
            });
        builder
            .default(data.default)
            .build()
            .map_err(de::Error::custom)
    }
}
