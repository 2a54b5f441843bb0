//! What is shown while it goes on.

use crate::support::*;

#[test]
fn where_stderr_is_no_terminal_lines_tell_the_progress() {
    let site = site();
    let list = List::new(format!("{}\n", site.url("/get")).repeat(8));
    let list = list.path("list");
    let slow = ["-i", &list, "--host-rate", "1/60ms", "--out-null"];
    let told = |more: &[&str]| {
        let ran = fetch_all(&[&slow[..], more].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        let lines = ran.stderr.lines().filter(|line| line.contains(" of 8 · "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let lines = told(&["--progress-interval", "0.1"]);
    assert!(!lines.is_empty(), "{lines:?}");
    assert!(lines.iter().any(|line| line.ends_with(" s left")));
    assert!(
        lines.iter().all(|line| !line.contains('\x1b')),
        "no colours, no cursor: {lines:?}"
    );
    for more in [
        &["--progress-interval", "0"][..],
        &["-q", "--progress-interval", "0.1"],
    ] {
        assert_eq!(told(more).len(), 0, "{more:?}");
    }
}

#[test]
fn without_a_terminal_the_tui_is_lines_and_records_are_on_stdout() {
    let site = site();
    let list = List::new(format!("{}\n", site.url("/get")).repeat(4));
    let list = list.path("list");
    let slow = ["--tui", "-i", &list, "--host-rate", "1/60ms"];
    let ran = fetch_all(&[&slow[..], &["--progress-interval", "0.05"]].concat());
    assert_eq!((ran.code, ran.records().len()), (0, 4), "{ran:?}");
    assert!(ran.stderr.contains(" of 4 · "), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\x1b'), "{}", ran.stderr);
    let ran = fetch_all(&["--tui", "-q", "-i", &list]);
    assert_eq!(ran.code, 2, "they contradict each other: {ran:?}");
}
