//! The limits that need a transport which tells when it is connected.

use std::sync::Arc;

use fetch_proto::{Policy, Timeouts};

/// The policy for a transport that does not tell: a slow server must not be taken for a slow
/// connection.
pub(crate) fn disable(policy: Policy) -> Policy {
    let timeouts = Timeouts {
        connect: None,
        ..*policy.timeouts_ref()
    };
    policy.timeouts(timeouts)
}

/// [`disable`] for a request's own policy. What it then could not obey is an error.
pub(crate) fn disable_own(policy: &mut Option<Arc<Policy>>) -> Result<(), &'static str> {
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
