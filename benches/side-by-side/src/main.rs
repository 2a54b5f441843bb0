//! Measures fetch-all beside other clients and beside the lower bound, on one server and machine.
//!
//! `cargo run --release -p fetch-side-by-side` runs everything, `-- --quick` runs less of it, and
//! `-- --case scale` runs the command on lists of up to ten million URLs. `--help` lists the options.

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    fetch_side_by_side::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!(
        "error: fetch-side-by-side needs Linux, because it reads /proc and pins processes to cores"
    );
    std::process::exit(2);
}
