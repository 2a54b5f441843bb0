//! Measures fetch-all beside other clients and beside the bound, all on one site and one machine.
//!
//! `cargo run --release -p fetch-side-by-side` runs everything; `-- --quick` less of it, and
//! `-- --case scale` the command on lists of up to ten million URLs. `--help` tells the rest.

#[cfg(target_os = "linux")]
fn main() -> anyhow::Result<()> {
    fetch_side_by_side::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("fetch-side-by-side reads /proc and pins processes to cores: it needs Linux");
    std::process::exit(2);
}
