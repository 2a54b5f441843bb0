//! Timeouts that need a transport which reports when it has connected.

use std::sync::Arc;

use fetch_proto::{EngineConfig, Policy};

/// The policy without its connect timeout, for a transport that does not report when it has
/// connected: a slow server would look like a slow connection.
fn disable(policy: Policy) -> Policy {
    let timeouts = policy.timeouts_ref().connect(None);
    policy.timeouts(timeouts)
}

/// Disables the connect timeouts of all rules.
pub(crate) fn disable_in_rules(config: EngineConfig) -> EngineConfig {
    let rules = config.rules_ref().map(disable);
    config.rules(rules)
}

/// Disables the connect timeout of a request's own policy. A `first_byte` timeout, which starts once
/// the connection is there, is an error.
pub(crate) fn disable_in_request(policy: &mut Option<Arc<Policy>>) -> Result<(), &'static str> {
    let Some(own) = policy else { return Ok(()) };
    if own.timeouts_ref().first_byte.is_some() {
        return Err(
            "this client does not tell when it is connected, from where the request's \
                    `first_byte` limit runs: limit the `attempt` instead",
        );
    }
    *own = Arc::new(disable(Policy::clone(own)));
    Ok(())
}
