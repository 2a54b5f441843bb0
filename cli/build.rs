//! Passes the version to the program, with the commit if there is a repository.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let number = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = match commit() {
        Some(commit) => format!("{number} ({commit})"),
        None => number,
    };
    println!("cargo::rustc-env=COMMAND_VERSION={version}");
}

fn commit() -> Option<String> {
    // The package may be a dependency inside another repository.
    Path::new("../fetch-proto").exists().then_some(())?;
    let branch = git(&["symbolic-ref", "-q", "HEAD"]);
    // HEAD names a branch, whose file changes with each commit.
    for name in ["HEAD".to_owned()].into_iter().chain(branch) {
        let file = git(&["rev-parse", "--git-path", &name])?;
        if Path::new(&file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    git(&["rev-parse", "--short=10", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
