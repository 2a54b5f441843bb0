//! Measures fetch-all beside other clients and beside the bound, all on one site and one machine.
//!
//! The site runs in a process of its own on core 0, each client in a fresh process on core 1. The
//! clients take turns, so that what disturbs the machine disturbs them all alike.

#[cfg(target_os = "linux")]
mod allocations;
#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod case;
#[cfg(target_os = "linux")]
mod client;
#[cfg(target_os = "linux")]
mod command;
#[cfg(target_os = "linux")]
mod compare;
#[cfg(target_os = "linux")]
mod core;
#[cfg(target_os = "linux")]
mod cores;
#[cfg(target_os = "linux")]
mod curve;
#[cfg(target_os = "linux")]
mod docs;
#[cfg(target_os = "linux")]
mod figures;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod ports;
#[cfg(target_os = "linux")]
mod scale;
#[cfg(target_os = "linux")]
mod site;
#[cfg(target_os = "linux")]
mod usage;

/// Does what the command line asks for.
///
/// # Errors
///
/// Something cannot be measured, or a client did not do what it should.
#[cfg(target_os = "linux")]
pub fn run() -> anyhow::Result<()> {
    options::run()
}

/// Says that it cannot.
///
/// # Errors
///
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn run() -> std::io::Result<()> {
    let text = "fetch-side-by-side reads /proc and pins processes to cores: it needs Linux";
    Err(std::io::Error::new(std::io::ErrorKind::Unsupported, text))
}
