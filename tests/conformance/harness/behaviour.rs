//! Behaviours, and how an adapter is checked for one.

use futures::future::LocalBoxFuture;

use crate::harness::adapter::AdapterRef;
use crate::harness::context::{Mismatch, TestContext};

/// The result of a check: nothing, or what differs from the expectation.
pub(crate) type CheckResult = Result<(), Mismatch>;

/// Behaviours that form one section of the results table.
pub(crate) struct BehaviourGroup {
    pub(crate) name: &'static str,
    pub(crate) behaviours: &'static [Behaviour],
}

/// Something that every adapter is expected to do in the same way.
pub(crate) struct Behaviour {
    pub(crate) name: &'static str,
    pub(crate) run: for<'a> fn(&'a TestContext) -> LocalBoxFuture<'a, CheckResult>,
}

/// A behaviour that an adapter does not have.
#[derive(Debug)]
pub(crate) struct UnsupportedBehaviour {
    /// The behaviour's name.
    pub(crate) behaviour: &'static str,
    /// The reason, for the notes below the results table.
    pub(crate) reason: &'static str,
    /// The text that the mismatch must contain when the behaviour is checked anyway.
    pub(crate) mismatch: &'static str,
}

/// Whether an adapter has a behaviour.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SupportStatus {
    Supported,
    /// It fails in the stated way, for this reason.
    Unsupported(&'static str),
}

/// Pairs names of behaviours with the functions that check them.
macro_rules! behaviours {
    ($($name:literal => $run:path,)*) => {
        &[$($crate::harness::behaviour::Behaviour {
            name: $name,
            run: |context| Box::pin($run(context)),
        }),*]
    };
}
pub(crate) use behaviours;

impl Behaviour {
    /// Checks the behaviour on an adapter. A behaviour listed as unsupported must fail in the stated way.
    pub(crate) fn evaluate(&self, adapter: AdapterRef) -> Result<SupportStatus, String> {
        let context = TestContext::new(adapter);
        let result = (adapter.block_on)(context.run_with_timeout(self.run));
        let known = adapter
            .unsupported
            .iter()
            .find(|unsupported| unsupported.behaviour == self.name);
        let (name, behaviour) = (adapter.name, self.name);
        match (result, known) {
            (Ok(()), None) => Ok(SupportStatus::Supported),
            (Err(mismatch), None) => Err(format!("{name}: {behaviour}: {mismatch}")),
            (Ok(()), Some(unsupported)) => Err(format!(
                "{name}: {behaviour}: it succeeds, but is listed as unsupported: {}",
                unsupported.reason
            )),
            (Err(mismatch), Some(unsupported)) if mismatch.0.contains(unsupported.mismatch) => {
                Ok(SupportStatus::Unsupported(unsupported.reason))
            }
            (Err(mismatch), Some(unsupported)) => Err(format!(
                "{name}: {behaviour}: expected to fail with {:?}, but: {mismatch}",
                unsupported.mismatch
            )),
        }
    }
}
