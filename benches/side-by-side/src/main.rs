//! Measures fetch-all beside other clients and beside the bound, all on one site and one machine.
//!
//! `cargo run --profile dist -p fetch-side-by-side` runs everything; `-- --quick` less of it, and
//! `-- --case scale` the command on lists of up to ten million URLs. `--help` tells the rest.

use std::process::Termination;

fn main() -> impl Termination {
    fetch_side_by_side::run()
}
