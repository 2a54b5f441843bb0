//! `--demo`: a thousand URLs of a site that this process starts on loopback.

use std::fmt::Write;
use std::time::Duration;

use fetch_proto::Pattern;
use fetch_testbed::Site;

use crate::args::CliArgs;
use crate::exit::CliError;
use crate::input::UrlSource;

/// How many lines the demo has; one of them is no URL.
pub(crate) const COUNT: u64 = 1000;

/// The site's addresses, which are as many hosts to the fetcher.
const HOSTS: u8 = 8;

/// What is tried next.
pub(crate) const HINT: &str = "\
That was a site on loopback; what failed was meant to. Try next:
  fetch-all --demo -o records.jsonl     and look at a record
  fetch-all --demo -vv                  and see why each decision was taken
  fetch-all -i urls.txt -o records.jsonl     with a list of your own";

/// Starts the site, lists its URLs, and sets what the options leave open.
pub(crate) fn start(args: &mut CliArgs) -> Result<(Site, UrlSource), CliError> {
    // Systems other than Linux may have 127.0.0.1 alone.
    let site = Site::builder()
        .addresses(HOSTS)
        .start()
        .or_else(|_| Site::start());
    let site = site.map_err(|error| CliError::internal(format!("--demo: no site: {error}")))?;
    set_defaults(args)?;
    let source = UrlSource::text("demo", list(&site));
    Ok((site, source))
}

/// Short waits, so that the tour is over soon.
fn set_defaults(args: &mut CliArgs) -> Result<(), CliError> {
    args.request.location = true;
    args.request.max_filesize.get_or_insert(8 << 20);
    args.retry
        .retry_delay
        .get_or_insert(Duration::from_millis(500));
    for (pattern, seconds) in [("/stall", 1), ("/delay/", 2)] {
        let pattern = Pattern::parse(pattern).map_err(CliError::internal)?;
        args.time
            .timeout
            .push((pattern, Duration::from_secs(seconds)));
    }
    Ok(())
}

/// Paths and how many there are of each; the rest is `/bytes/`. `#` stands for a number.
const MENU: &[(&str, u64)] = &[
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
    for (path, count) in MENU {
        paths.extend((0..*count).map(|n| path.replace('#', &n.to_string())));
    }
    let rest = COUNT - 1 - paths.len() as u64;
    paths.extend((0..rest).map(|n| format!("/bytes/{}", 200 + 37 * n % 20_000)));
    let mut lines = String::from("# Lines like this one are ignored.\n");
    // 389 shares no factor with the count, so each path comes once, well mixed.
    for (host, n) in (0..paths.len()).enumerate() {
        let path = &paths[n * 389 % paths.len()];
        writeln!(lines, "{}", site.url_at(host, path)).expect("memory takes everything");
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
    fn the_demo_has_as_many_lines_as_it_says_and_each_path_of_the_menu() {
        let site = Site::start().unwrap();
        let list = list(&site);
        let lines: Vec<_> = list.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len() as u64, COUNT);
        for (path, count) in MENU.iter().filter(|(path, _)| !path.contains('#')) {
            let found = lines.iter().filter(|line| line.ends_with(path)).count();
            assert_eq!(found as u64, *count, "{path}");
        }
    }
}
