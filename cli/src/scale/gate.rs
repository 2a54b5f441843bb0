//! Attempts that start only while the leases of the worker are confirmed.

use std::time::Duration;

use fetch_driver::{
    Adapter, AttemptProgress, BuildError, IncomingResponse, OutgoingRequest, Settings, Transport,
    TransportError,
};
use fetch_scale::StartGate;
use fetch_smol::Smol;

/// The time between two looks at a closed gate.
const PAUSE: Duration = Duration::from_millis(20);

/// smol, with a gate before each request.
#[derive(Clone)]
pub(super) struct GatedSmol {
    pub(super) gate: StartGate,
    pub(super) smol: Smol,
}

impl Adapter for GatedSmol {
    type Transport = GatedTransport<<Smol as Adapter>::Transport>;
    type Timer = <Smol as Adapter>::Timer;

    fn transport(&self, settings: &Settings) -> Result<Self::Transport, BuildError> {
        let transport = self.smol.transport(settings)?;
        let gate = self.gate.clone();
        Ok(GatedTransport { gate, transport })
    }

    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError> {
        Adapter::spawn(&self.smol, driver)
    }

    fn spawn_thread<F>(
        &self,
        build: impl FnOnce(&Self) -> Result<F, BuildError>,
    ) -> Result<(), BuildError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.smol.spawn_thread(|smol| {
            build(&Self {
                gate: self.gate.clone(),
                smol: smol.clone(),
            })
        })
    }
}

/// A transport whose requests wait until the gate is open.
pub(super) struct GatedTransport<T> {
    gate: StartGate,
    transport: T,
}

impl<T: Transport> Transport for GatedTransport<T> {
    const SEES_CONNECTION: bool = T::SEES_CONNECTION;
    const SENDS_PATH_AS_IS: bool = T::SENDS_PATH_AS_IS;

    type Body = T::Body;

    fn send(
        &self,
        request: OutgoingRequest,
        progress: AttemptProgress,
    ) -> impl Future<Output = Result<IncomingResponse<T::Body>, TransportError>> + Send + use<T>
    {
        let gate = self.gate.clone();
        // Nothing is sent before the future is polled.
        let send = self.transport.send(request, progress);
        async move {
            while !gate.is_open() {
                smol::Timer::after(PAUSE).await;
            }
            send.await
        }
    }

    fn run_turn(&self, turn: &mut dyn FnMut()) {
        self.transport.run_turn(turn);
    }

    fn close(&self) {
        self.transport.close();
    }
}
