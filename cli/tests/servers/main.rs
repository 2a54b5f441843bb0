//! The built command against real servers: nginx, Apache httpd, HAProxy, Redis, Squid, Tinyproxy.
//!
//! `.ci/setup` installs them on Debian. A test whose server is not installed is reported as not run. With
//! `TEST_NIGHTLY=1` the long tests run too.

#[cfg(feature = "redis")]
mod cache;
mod connections;
mod downloads;
mod logins;
mod outages;
mod reload;
#[cfg(feature = "scale")]
mod scale;
mod support;
mod throttles;

use std::process::ExitCode;

use fetch_testbed::servers::run_tests;

fn main() -> ExitCode {
    let tests = [
        #[cfg(feature = "redis")]
        cache::TESTS,
        connections::TESTS,
        downloads::TESTS,
        logins::TESTS,
        outages::TESTS,
        reload::TESTS,
        #[cfg(feature = "scale")]
        scale::TESTS,
        throttles::TESTS,
    ];
    run_tests(&tests.concat())
}
