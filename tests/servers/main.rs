//! The library against real servers: nginx, Apache httpd, HAProxy, Redis, Squid, Tinyproxy, httpbin, moto,
//! oidc-provider.
//!
//! `.ci/setup` installs them on Debian, and packages of Python and npm in directories of their own. A test
//! whose server is not installed is reported as not run.

mod downloads;
#[cfg(feature = "digest")]
mod logins;
mod statuses;
#[cfg(feature = "oauth")]
mod tokens;

use std::process::ExitCode;

use fetch_testbed::servers::run_tests;

fn main() -> ExitCode {
    let tests = [
        downloads::TESTS,
        #[cfg(feature = "digest")]
        logins::TESTS,
        statuses::TESTS,
        #[cfg(feature = "oauth")]
        tokens::TESTS,
    ];
    run_tests(&tests.concat())
}
