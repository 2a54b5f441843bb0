//! URL patterns.

use fetch_proto::{Method, Policy, PolicyRules, RulePattern};
use libtest_mimic::Failed;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::table;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PatternCase {
    /// The pattern in our syntax.
    ours: String,
    url: String,
}

pub(crate) fn wpt(set: &str) -> Result<(), Failed> {
    table::run(set, include_str!("data/url_pattern_wpt.json"), matches)
}

/// Whether the pattern matches the URL, or "error" if it is invalid.
fn matches(given: &PatternCase) -> Value {
    let url = given.url.parse().expect("a URL");
    let Ok(pattern) = given.ours.parse::<RulePattern>() else {
        return json!("error");
    };
    let rules = PolicyRules::builder()
        .rule(pattern, Policy::default())
        .build()
        .expect("valid rules");
    json!(rules.matching_rule(&Method::Get, &url).is_some())
}
