//! Timeouts that need a transport which reports when it has connected.

use std::sync::Arc;

use fetch_proto::{EngineConfig, FetchRequest, PolicyPatch, TimeoutsPatch};

/// No connect timeout, for a transport that does not report when it has connected: a slow server
/// would look like a slow connection.
fn no_connect_timeout() -> PolicyPatch {
    PolicyPatch::default().timeouts(TimeoutsPatch::default().connect(None))
}

/// Disables the connect timeouts of all rules.
pub(crate) fn disable_in_rules(config: EngineConfig) -> EngineConfig {
    let patch = no_connect_timeout();
    let rules = config.rules.map(|policy| patch.apply(&policy));
    config.rules(rules)
}

/// Disables the connect timeout that a request sets. A `first_byte` timeout, which starts when the
/// connection is established, is an error.
pub(crate) fn disable_in_request(request: &mut FetchRequest) -> Result<(), &'static str> {
    if request.policy.is_none() && request.patch.is_none() {
        return Ok(());
    }
    let own = request.policy.as_deref().cloned().unwrap_or_default();
    let patch = request.patch.as_deref().cloned().unwrap_or_default();
    if patch.apply(&own).timeouts.first_byte.is_some() {
        return Err(
            "this client does not tell when it is connected, from where the request's \
                    `first_byte` limit runs: limit the `attempt` instead",
        );
    }
    request.patch = Some(Arc::new(no_connect_timeout().on_top_of(patch)));
    Ok(())
}
