//! For tests, users' own too: a fake clock, a scripted server, a simulator in virtual time.
//!
//! Only with the feature `testing`. Nothing here sleeps, reads a clock or opens a socket.

mod clock;
mod script;
mod simulation;

pub use clock::FakeClock;
pub use script::{FetchScript, ScriptRun, ScriptedAnswer, failure, hang, status};
pub use simulation::{
    HostSummary, LatencyModel, LoadSeries, Outage, OutageKind, RequestResult, SeriesPoint,
    ServerModel, Simulation, SimulationSummary,
};
