//! The command `fetch-all`.

#[allow(dead_code, reason = "installed once the options exist")]
mod logging;

fn main() {}
