//! The progress display.

use crate::support::*;

#[test]
fn without_a_terminal_progress_is_printed_in_lines() {
    let site = site();
    let list = List::new(format!("{}\n", site.url("/get")).repeat(8));
    let list = list.path("list");
    let slow = ["-i", &list, "--host-rate", "1/60ms", "--out-null"];
    let progress_lines = |more: &[&str]| {
        let ran = fetch_all(&[&slow[..], more].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        let lines = ran.stderr.lines().filter(|line| line.contains(" of 8 · "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let lines = progress_lines(&["--progress-interval", "0.1"]);
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
        assert_eq!(progress_lines(more).len(), 0, "{more:?}");
    }
}

#[test]
fn without_a_terminal_tui_prints_lines() {
    let site = site();
    let list = List::new(format!("{}\n", site.url("/get")).repeat(4));
    let list = list.path("list");
    let slow = ["--tui", "-i", &list, "--host-rate", "1/60ms"];
    let ran = fetch_all(&[&slow[..], &["--progress-interval", "0.05"]].concat());
    assert_eq!((ran.code, ran.records().len()), (0, 4), "{ran:?}");
    assert!(ran.stderr.contains(" of 4 · "), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\x1b'), "{}", ran.stderr);
    let ran = fetch_all(&["--tui", "-q", "-i", &list]);
    assert_eq!(ran.code, 2, "the options conflict: {ran:?}");
}
