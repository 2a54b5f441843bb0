//! The site of `--demo`, and the list of its URLs.

use std::fmt::Write;
use std::time::Duration;

use fetch_proto::RulePattern;
use fetch_testbed::Site;

use crate::args::CliArgs;
use crate::exit::CliError;
use crate::input::{UrlList, UrlSource};

/// The number of lines in the list. One of them is not a URL.
const COUNT: u64 = 1000;

/// The number of addresses of the site. Each is a separate host to the fetcher.
const HOSTS: u8 = 8;

/// The running site, which stops when this is dropped.
pub(crate) struct DemoSite(Site);

impl DemoSite {
    /// Starts the site, and sets the options that the user left open.
    ///
    /// # Errors
    ///
    /// If the site cannot listen on any loopback address.
    pub(crate) fn start(args: &mut CliArgs) -> Result<Self, CliError> {
        // Systems other than Linux may have 127.0.0.1 alone.
        let site = Site::builder()
            .addresses(HOSTS)
            .start()
            .or_else(|_| Site::start());
        let site = site.map_err(|error| CliError::internal(format!("--demo: no site: {error}")))?;
        set_defaults(args)?;
        Ok(Self(site))
    }

    /// The URLs of the site.
    pub(crate) fn list(&self) -> UrlList {
        UrlList {
            sources: vec![UrlSource::text("demo", list(&self.0))],
            total: Some(COUNT),
        }
    }
}

/// Sets the demo's defaults: a limit on bodies, and short waits, so that it ends soon.
fn set_defaults(args: &mut CliArgs) -> Result<(), CliError> {
    args.request.max_filesize.get_or_insert(8 << 20);
    args.retry
        .retry_delay
        .get_or_insert(Duration::from_millis(500));
    for (pattern, seconds) in [("/stall", 1), ("/delay/", 2)] {
        let pattern = RulePattern::parse(pattern).map_err(CliError::internal)?;
        args.timeouts
            .timeout
            .push((pattern, Duration::from_secs(seconds)));
    }
    Ok(())
}

/// Paths, and the number of URLs of each. `#` is replaced by a number. The other URLs are
/// `/bytes/…`.
const PATHS: &[(&str, u64)] = &[
    ("/delay/0.3", 40),
    ("/delay/5", 1),
    ("/flaky/1?key=#", 20),
    ("/flaky/2?key=#", 5),
    ("/flaky/9?key=#", 1),
    ("/retry-after/1?key=#", 2),
    ("/status/404", 4),
    ("/status/403", 1),
    ("/redirect/2", 20),
    ("/redirect-loop", 1),
    ("/gzip", 20),
    ("/brotli", 20),
    ("/zstd", 20),
    ("/bytes/4000000", 4),
    ("/bytes/9000000", 1),
    ("/gzip-bomb/100", 1),
    ("/reset", 2),
    ("/truncate", 1),
    ("/stall", 2),
    ("/stall-body", 1),
    ("/empty-reply", 1),
    ("/garbage", 1),
];

fn list(site: &Site) -> String {
    let mut paths = Vec::new();
    for (path, count) in PATHS {
        paths.extend((0..*count).map(|n| path.replace('#', &n.to_string())));
    }
    let rest = COUNT - 1 - paths.len() as u64;
    paths.extend((0..rest).map(|n| format!("/bytes/{}", 200 + 37 * n % 20_000)));
    let mut lines = String::from("# Lines like this one are ignored.\n");
    // 389 and the count are coprime, so each path occurs once, in mixed order.
    for (host, n) in (0..paths.len()).enumerate() {
        let path = &paths[n * 389 % paths.len()];
        writeln!(lines, "{}", site.url_at(host, path)).expect("a String accepts all text");
        if n == 100 {
            lines.push_str("htp//this.is.no.url\n");
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_the_stated_number_of_lines_and_every_path() {
        let site = Site::start().unwrap();
        let list = list(&site);
        let lines: Vec<_> = list.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len() as u64, COUNT);
        for (path, count) in PATHS.iter().filter(|(path, _)| !path.contains('#')) {
            let found = lines.iter().filter(|line| line.ends_with(path)).count();
            assert_eq!(found as u64, *count, "{path}");
        }
    }
}
