//! The library against real servers: nginx, Apache httpd, HAProxy, Redis, Squid, Tinyproxy, httpbin, moto.
//!
//! `.ci/setup` installs them on Debian, and those that are Python packages in a virtual environment. A test whose server is not installed is reported as not run.

mod downloads;
#[cfg(feature = "digest")]
mod logins;
mod statuses;

use std::process::ExitCode;

use fetch_testbed::servers::run_tests;

fn main() -> ExitCode {
    let tests = [
        downloads::TESTS,
        #[cfg(feature = "digest")]
        logins::TESTS,
        statuses::TESTS,
    ];
    run_tests(&tests.concat())
}
