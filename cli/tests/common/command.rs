//! The built command, for all test binaries.

use std::process::{Command, Stdio};

/// The command, without environment variables that affect it.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fetch-all"));
    command
        .args(arguments)
        .env_remove("RUST_LOG")
        .env_remove("NETRC")
        .env("XDG_CONFIG_HOME", "/none")
        .stdin(Stdio::null());
    for name in ["all_proxy", "http_proxy", "https_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
