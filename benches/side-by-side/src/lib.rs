//! Measures fetch-all beside other clients and beside the bound, all on one site and one machine.
//!
//! The site runs in a process of its own on core 0, each client in a fresh process on core 1. The
//! clients take turns, so that what disturbs the machine disturbs them all alike.

// It reads /proc and pins processes to cores.
#![cfg(target_os = "linux")]

mod allocations;
mod calls;
mod case;
mod client;
mod command;
mod compare;
mod core;
mod cores;
mod curve;
mod docs;
mod figures;
mod machine;
mod options;
mod ports;
mod scale;
mod site;
mod usage;

/// Does what the command line asks for.
///
/// # Errors
///
/// Something cannot be measured, or a client did not do what it should.
pub fn run() -> anyhow::Result<()> {
    options::run()
}
