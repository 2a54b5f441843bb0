//! Passes the version to the program, with the commit if there is a repository, and compiles what must run
//! before Rust does.

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
    detect_closed_stdout();
}

/// Adds `closed_stdout.c`. As an object file, because the linker drops an archive that nothing refers to.
fn detect_closed_stdout() {
    let source = "closed_stdout.c";
    println!("cargo::rerun-if-changed={source}");
    if env::var_os("CARGO_CFG_UNIX").is_none() {
        return;
    }
    for object in cc::Build::new().file(source).compile_intermediates() {
        println!("cargo::rustc-link-arg-bins={}", object.display());
    }
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
