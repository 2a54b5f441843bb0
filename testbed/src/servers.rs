//! Real servers and proxies for tests: nginx, Apache httpd, HAProxy, Redis, Squid, Tinyproxy, httpbin, moto and
//! oidc-provider, as processes with configurations of their own in temporary directories, on free loopback ports.
//!
//! [`run_tests`] is the main function of a test binary whose tests need such servers. It reports by name the
//! tests that cannot run because a program is not installed.

mod configuration;
mod process;
mod program;
mod test_run;

pub use configuration::ServerPlace;
pub use process::{RealServer, Signal};
pub use program::Program;
pub use test_run::{ServerTest, is_nightly, run_tests};
