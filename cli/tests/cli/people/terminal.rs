//! The full-screen view and the progress bar on a real pseudo-terminal.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::*;

/// The sequence that leaves the screen of `--tui`.
const LEAVE_SCREEN: &[u8] = b"\x1b[?1049l";

/// Runs the command on a terminal of this size. Returns all that it wrote.
pub(crate) fn run_on_terminal(columns: u16, rows: u16, arguments: &[&str]) -> Vec<u8> {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let size = Winsize {
        ws_col: columns,
        ws_row: rows,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&controller, size).unwrap();
    let path = ptsname(&controller, Vec::new()).unwrap();
    let terminal = File::options()
        .read(true)
        .write(true)
        .open(path.to_str().unwrap())
        .unwrap();
    let end = || Stdio::from(OwnedFd::from(terminal.try_clone().unwrap()));
    let mut command: Command = command(arguments);
    command.stdin(end()).stdout(end()).stderr(end());
    let mut child = command.env("TERM", "xterm-256color").spawn().unwrap();
    // Only the child keeps the terminal open, so that reading ends with it.
    drop((command, terminal));
    let mut output = Vec::new();
    // It ends with an error when no process has the terminal open.
    let _ = File::from(controller).read_to_end(&mut output);
    child.wait().unwrap();
    output
}

/// The rows of a terminal after this output.
fn screen(columns: u16, rows: u16, output: &[u8]) -> Vec<String> {
    let mut parser = vt100::Parser::new(rows, columns, 1000);
    parser.process(output);
    parser.screen().rows(0, columns).collect()
}

/// A list of URLs at two hosts, one with a long name.
fn list(site: &fetch_testbed::Site, long_host: &str) -> List {
    let urls = (0..20).map(|n| {
        let path = if n % 4 == 0 { "/status/404" } else { "/get" };
        let url = site.url(&format!("{path}?{n}"));
        format!("{url}\n{}\n", url.replace("127.0.0.1", long_host))
    });
    List::new(urls.collect::<String>())
}

/// Runs the list with a rate limit on a terminal of this size, and returns the output.
fn run_slowly(columns: u16, rows: u16, list: &List, options: &[&str]) -> Vec<u8> {
    let list = list.path("list");
    let slow = ["--host-rate", "1/20ms", "-o", "/dev/null", "-i", &list];
    run_on_terminal(columns, rows, &[options, &slow].concat())
}

const LONG_HOST: &str = "a-long-host-name.with-many-labels.in-a-deep-hierarchy.example.localhost";

#[test]
fn the_screen_fits_small_and_large_terminals() {
    let site = site();
    let list = list(&site, LONG_HOST);
    let port = site.url("/").rsplit(':').next().unwrap().replace('/', "");
    for (columns, rows) in [(80, 24), (200, 50)] {
        let output = run_slowly(columns, rows, &list, &["--tui"]);
        let end = output
            .windows(LEAVE_SCREEN.len())
            .rposition(|window| window == LEAVE_SCREEN);
        let rows = screen(columns, rows, &output[..end.expect("it leaves the screen")]);
        let text = rows.join("\n");
        let host = rows
            .iter()
            .find(|row| row.contains(&format!("127.0.0.1:{port}")));
        assert!(host.is_some_and(|row| row.contains("closed")), "{text}");
        let long = rows
            .iter()
            .find(|row| row.contains("a-lo") && row.contains(&port));
        let is_short = long.is_some_and(|row| row.contains('…'));
        assert_eq!(is_short, columns == 80, "{text}");
        assert!(rows[0].contains(" of 40 URLs · "), "{text}");
        assert!(text.contains("404         check these URLs"), "{text}");
        assert!(rows.last().unwrap().starts_with("q or Ctrl-C"), "{text}");
    }
}

#[test]
fn the_bar_stays_on_one_line() {
    let site = site();
    let list = list(&site, LONG_HOST);
    for (columns, rows) in [(60, 24), (80, 24), (200, 50)] {
        let output = run_slowly(columns, rows, &list, &[]);
        let summary = b"fetch-all: 40 URLs";
        let end = output
            .windows(summary.len())
            .position(|window| window == summary);
        let output = &output[..end.expect("it ends with the summary")];
        let mut parser = vt100::Parser::new(rows, columns, 1000);
        let mut shown = String::new();
        for byte in output {
            parser.process(std::slice::from_ref(byte));
            let row = parser.screen().cursor_position().0;
            assert_eq!(row, 0, "{}", parser.screen().contents());
            let first = parser.screen().rows(0, columns).next().unwrap();
            if first.contains(" of 40 · ") {
                shown = first;
            }
        }
        assert!(shown.contains("failed"), "{shown:?}");
    }
}
