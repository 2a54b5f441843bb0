//! What must hold for arbitrary bytes from outside. Each check panics if its parser breaks a promise; none
//! only waits for a panic of the parser.
//!
//! The fuzz targets in `fuzz` run the checks on inputs that libFuzzer invents. `tests/short_run.rs` runs them
//! in every test run on the seeds in `fuzz/corpus` and on random changes of these.

mod cache;
mod codings;
mod fields;
mod files;
mod http1;
mod http2;
mod lists;
mod names;
mod peer;
mod proxies;
mod state;
mod trace;

pub use cache::{check_cache_control, check_http_date, check_stored_head, check_vary};
pub use codings::check_content_coding;
pub use fields::{
    check_cookie_file, check_location, check_netrc, check_retry_after, check_set_cookie,
};
pub use files::{check_config_file, check_curl_config, check_hsts_file, check_policy_file};
pub use http1::check_http1;
pub use http2::check_http2;
pub use lists::{check_csv_rows, check_json_rows, check_lines, check_parquet_rows};
pub use names::{check_body_path, check_glob, check_robots, check_write_out};
pub use proxies::{check_connect_answer, check_socks_answer};
pub use state::{check_state, check_state_manifest};
pub use trace::{check_trace, check_trace_frames};

/// A check of one input.
pub type Check = fn(&[u8]);

/// All checks, by the name of their fuzz target and of the folder with its seeds.
pub const CHECKS: &[(&str, Check)] = &[
    ("body_path", check_body_path),
    ("cache_control", check_cache_control),
    ("config_file", check_config_file),
    ("connect_answer", check_connect_answer),
    ("content_coding", check_content_coding),
    ("cookie_file", check_cookie_file),
    ("csv_rows", check_csv_rows),
    ("curl_config", check_curl_config),
    ("glob", check_glob),
    ("hsts_file", check_hsts_file),
    ("http1", check_http1),
    ("http2", check_http2),
    ("http_date", check_http_date),
    ("json_rows", check_json_rows),
    ("lines", check_lines),
    ("location", check_location),
    ("netrc", check_netrc),
    ("parquet_rows", check_parquet_rows),
    ("policy_file", check_policy_file),
    ("retry_after", check_retry_after),
    ("robots", check_robots),
    ("set_cookie", check_set_cookie),
    ("socks_answer", check_socks_answer),
    ("state", check_state),
    ("state_manifest", check_state_manifest),
    ("stored_head", check_stored_head),
    ("trace", check_trace),
    ("trace_frames", check_trace_frames),
    ("vary", check_vary),
    ("write_out", check_write_out),
];
