//! For tests, users' own too: a fake clock, a scripted server, a simulator in virtual time.
//!
//! Only with the feature `testing`. Nothing here sleeps, reads a clock or opens a socket.

mod clock;
mod script;
mod simulation;

pub use clock::FakeClock;
pub use script::{Answer, Run, Script, failure, hang, status};
pub use simulation::{
    Down, Fate, HostSummary, Latency, Outage, Point, Series, Server, Simulation, Summary,
};
