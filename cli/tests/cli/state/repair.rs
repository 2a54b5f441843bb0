//! Damaged states: they are refused, checked and repaired.

use std::collections::HashSet;
use std::fs;

use crate::state::resumed::{Job, LONG};
use crate::support::*;

impl Job {
    /// Runs the list in several commits.
    fn run_in_commits(&self, options: &[&str]) {
        let options = [&["--rate", "1000/s", "-s"], options].concat();
        let ran = self.run(&options);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }

    fn state(&self, subcommand: &str) -> Ran {
        fetch_all(&["state", subcommand, &self.list.path("state")])
    }

    /// Changes a bit of the journal, in the block at this fraction of it.
    fn damage(&self, numerator: usize, denominator: usize) {
        let journal = self.list.file("state/journal-1");
        let mut bytes = fs::read(&journal).unwrap();
        let at = bytes.len() * numerator / denominator;
        bytes[at] ^= 4;
        fs::write(journal, bytes).unwrap();
    }
}

#[test]
fn a_damaged_journal_is_refused_and_repaired_from_the_records() {
    const COUNT: usize = 400;
    for format in ["jsonl", "csv"] {
        let job = Job::new(COUNT, |n| format!("/bytes/1?{n}"));
        job.run_in_commits(&["--format", format]);
        let before = fs::read(job.list.file("out")).unwrap();
        job.damage(2, 5);
        let refused = job.run(&["--format", format]);
        assert_eq!(refused.code, 3);
        for part in [
            "journal-1: is damaged at byte ",
            "nothing was changed",
            "fetch-all state repair ",
        ] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
        let found = job.state("check");
        assert_eq!(found.code, 3);
        assert!(
            found.stdout.contains("journal-1: is damaged at byte "),
            "{}",
            found.stdout
        );
        let repaired = job.state("repair");
        assert_eq!(repaired.code, 0, "{}{}", repaired.stdout, repaired.stderr);
        assert!(
            repaired.stdout.contains("restored from the records"),
            "{}",
            repaired.stdout
        );
        assert!(job.list.file("state/backup-1/journal-1").exists());
        let twice = job.state("repair");
        assert_eq!(
            (twice.code, twice.stdout.as_str()),
            (0, "nothing is damaged, nothing was changed\n")
        );
        assert_eq!(job.state("check").code, 0);
        let resumed = job.run(&["--format", format]);
        assert_eq!(resumed.code, 0, "{}", resumed.stderr);
        assert_eq!(fs::read(job.list.file("out")).unwrap(), before, "{format}");
        assert_eq!(
            job.site.observed().requests,
            COUNT as u64,
            "nothing is fetched again"
        );
    }
}

#[test]
fn records_that_cannot_be_read_are_fetched_again_and_are_not_doubled() {
    const COUNT: usize = 400;
    let job = Job::new(COUNT, |n| format!("/bytes/1?{n}"));
    let options = ["--format", "text"];
    job.run_in_commits(&options);
    job.damage(2, 5);
    assert_eq!(job.run(&options).code, 3);
    let repaired = job.state("repair");
    assert!(
        repaired.stdout.contains("their URLs are fetched again"),
        "{}",
        repaired.stdout
    );
    let lost = COUNT
        - fs::read_to_string(job.list.file("out"))
            .unwrap()
            .lines()
            .count();
    assert!((1..COUNT).contains(&lost), "{lost}");
    let resumed = job.run(&options);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let text = fs::read_to_string(job.list.file("out")).unwrap();
    let urls = text
        .lines()
        .filter_map(|line| line.split_whitespace().last());
    let different: HashSet<_> = urls.collect();
    assert_eq!(
        (text.lines().count(), different.len()),
        (COUNT, COUNT),
        "{text}"
    );
    assert_eq!(job.site.observed().requests, (COUNT + lost) as u64);
}

#[test]
fn an_incomplete_block_at_the_end_is_removed_with_a_note() {
    let job = Job::new(40, |n| format!("/bytes/1?{n}"));
    job.run_in_commits(&[]);
    let journal = job.list.file("state/journal-1");
    let bytes = fs::read(&journal).unwrap();
    fs::write(&journal, [&bytes[..], b"torn"].concat()).unwrap();
    let found = job.state("check");
    assert_eq!(found.code, 0, "{}", found.stdout);
    assert!(
        found.stdout.contains("4 last bytes at byte "),
        "{}",
        found.stdout
    );
    let resumed = job.run(&[]);
    let note = "removed 4 bytes at the end of journal-1, an incomplete block at byte ";
    assert!(resumed.stderr.contains(note), "{}", resumed.stderr);
    job.check(40);
}

#[test]
fn a_state_in_use_or_without_files_is_not_repaired() {
    let job = Job::new(2, |n| format!("/delay/30?{n}"));
    let mut child = job.command(&["-s"]).spawn().unwrap();
    job.site.wait_for(LONG, |seen| seen.in_flight > 0).unwrap();
    let refused = job.state("repair");
    assert_eq!(refused.code, 3);
    assert!(
        refused.stderr.contains("is in use by process "),
        "{}",
        refused.stderr
    );
    child.kill().unwrap();
    child.wait().unwrap();
    let none = fetch_all(&["state", "check", &job.list.path("none")]);
    assert_eq!(none.code, 3);
    assert!(none.stderr.contains("has no state"), "{}", none.stderr);
}
