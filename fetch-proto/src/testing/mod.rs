//! For tests: a virtual clock, a scripted server and a simulator. Requires the feature `testing`.
//!
//! Nothing in this module sleeps, reads a clock or opens a socket.

mod clock;
mod script;
mod simulation;

pub use clock::FakeClock;
pub use script::{FetchScript, ScriptRun, ScriptedAnswer, failure, hang, status};
pub use simulation::{
    HostSummary, LatencyModel, LoadSeries, Outage, OutageKind, RequestResult, SeriesPoint,
    ServerModel, Simulation, SimulationSummary,
};
