//! Measures fetch-all beside other clients and beside the lower bound, on one server and machine.
//!
//! The server runs in a separate process on core 0, each client in a fresh process on core 1. The
//! clients take turns, so that a disturbance of the machine affects all of them.

// The measurements read /proc and pin processes to cores.
#![cfg(target_os = "linux")]

mod cases;
mod clients;
mod environment;
mod measure;
mod options;
mod report;

/// Runs the measurements that the command line selects.
///
/// # Errors
///
/// Returns an error if something cannot be measured or a client returns a wrong result.
pub fn run() -> anyhow::Result<()> {
    options::run()
}
