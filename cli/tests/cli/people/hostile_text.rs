//! Text from outside in what people read: it cannot control the terminal, reorder lines, or add any.

use std::fs;

use crate::support::*;

/// Sets the title, clears the screen, reorders, hides, and begins another line.
const HOSTILE: &str = "x\u{1b}]0;t\u{7}\u{1b}[2J\u{202e}\u{200b}\u{2066}\u{9b}31m\u{2028}\r";

/// Fails if the output has a character that a terminal obeys or does not show.
fn check(name: &[&str], ran: &Ran) {
    let is_hostile = |c: char| {
        c.is_control() && c != '\n' && c != '\t'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}')
    };
    for text in [&ran.stdout, &ran.stderr] {
        assert!(!text.contains(is_hostile), "{name:?}: {text:?}");
    }
}

#[test]
fn names_and_values_in_messages_do_not_control_the_terminal() {
    let list = List::new("");
    let file = list.path(HOSTILE);
    fs::write(&file, "not = toml = at all\nnot a url\n").unwrap();
    let no_file = format!("{file}/no");
    let url = "http://127.0.0.1:1/";
    for name in [
        "--auth",
        "--cache",
        "--cacert",
        "--config",
        "--data-urlencode",
        "--header",
        "--hsts",
        "--input-file",
        "--interface",
        "--name-template",
        "--netrc-file",
        "--noproxy",
        "--output",
        "--pinnedpubkey",
        "--policy",
        "--proto",
        "--record",
        "--report",
        "--state",
        "--url-column",
        "--user-agent",
        "--warc",
        "-K",
        "-T",
        "-x",
    ] {
        for value in [&file, &no_file] {
            for more in ["--dry-run", "--print-config"] {
                let arguments = [name, value, more, "-s", url];
                check(&arguments, &fetch_all(&arguments));
            }
        }
    }
}

#[test]
fn results_of_subcommands_do_not_control_the_terminal() {
    let list = List::new(format!("x = \"{HOSTILE}\"\n"));
    let policy = list.path("list");
    let escapes: String = HOSTILE
        .chars()
        .map(|c| format!("\\U{:08X}", u32::from(c)))
        .collect();
    let unknown = list.path("unknown");
    fs::write(&unknown, format!("\"{escapes}\" = 1\n")).unwrap();
    let (trace, missing) = (list.path("trace"), list.path(HOSTILE));
    assert_eq!(
        fetch_all(&["--record", &trace, "--retry", "0", "http://127.0.0.1:1/"]).code,
        4
    );
    for arguments in [
        &["policy", "check", &policy][..],
        &["policy", "check", &unknown],
        &["policy", "explain", &unknown, "http://a.test/"],
        &["replay", "--explain", HOSTILE, &trace],
        &["replay", &missing],
        &["simulate", "--model", &unknown],
        &["cache", "list", &missing],
        &["state", "check", &missing],
        &[HOSTILE],
    ] {
        check(arguments, &fetch_all(arguments));
    }
}
