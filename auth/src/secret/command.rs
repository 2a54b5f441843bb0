//! Runs commands that print a secret.

use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A longer secret is refused.
pub(super) const MAX_BYTES: u64 = 64 << 10;

/// How often a command that has closed its output is asked whether it has ended.
const EXIT_CHECK: Duration = Duration::from_millis(5);

/// How long the errors of a command that has failed are waited for.
const MAX_WAIT_FOR_ERRORS: Duration = Duration::from_secs(5);

/// Runs a command by the shell and returns what it prints.
///
/// # Errors
///
/// If it cannot be started, fails, takes longer than `limit` or prints too much. The process and its
/// children are killed then.
pub(super) fn output(line: &str, limit: Duration) -> Result<Vec<u8>, String> {
    let end = Instant::now() + limit;
    let late = || format!("took longer than {} s and was killed", limit.as_secs());
    let started = shell(line)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = started.map_err(|error| format!("cannot be started: {error}"))?;
    let printed = read_in_background(child.stdout.take());
    let errors = read_in_background(child.stderr.take());
    let rest = || end.saturating_duration_since(Instant::now());
    let Ok(printed) = printed.recv_timeout(rest()) else {
        kill(&mut child);
        return Err(late());
    };
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if rest().is_zero() => {
                kill(&mut child);
                return Err(late());
            }
            Ok(None) => thread::sleep(EXIT_CHECK),
            Err(error) => return Err(format!("cannot be waited for: {error}")),
        }
    };
    if !status.success() {
        // A child of it may still hold the other end.
        let wait = rest().min(MAX_WAIT_FOR_ERRORS);
        let errors = errors.recv_timeout(wait).unwrap_or_default();
        return Err(format!("ended with {status}{}", first_line(&errors)));
    }
    match printed.len() as u64 > MAX_BYTES {
        true => Err("printed more than 64 KiB".to_owned()),
        false => Ok(printed),
    }
}

/// The first line of what a command wrote to its standard error, after a colon.
fn first_line(errors: &[u8]) -> String {
    let text = String::from_utf8_lossy(errors);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    let shown = |line: &str| {
        let short: String = line.chars().filter(|c| !c.is_control()).take(200).collect();
        format!(": {short}")
    };
    line.map(shown).unwrap_or_default()
}

/// Reads a pipe to its end, or to the limit, and sends what it had.
fn read_in_background(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let read = pipe.by_ref().take(MAX_BYTES + 1).read_to_end(&mut bytes);
            // The rest is dropped, so that the command does not wait for a reader.
            let _ = read.and_then(|_| io::copy(&mut pipe, &mut io::sink()));
        }
        let _ = sender.send(bytes);
    });
    receiver
}

#[cfg(unix)]
fn shell(line: &str) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut shell = Command::new("sh");
    // A group, so that children can be killed with it.
    shell.arg("-c").arg(line).process_group(0);
    shell
}

#[cfg(not(unix))]
fn shell(line: &str) -> Command {
    let mut shell = Command::new("cmd");
    shell.arg("/C").arg(line);
    shell
}

fn kill(child: &mut Child) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        // It may have ended meanwhile.
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_takes_too_long_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let line = format!("sleep 600 & echo $! > {}; wait", pid.display());
        // A busy machine may need longer until the child is started.
        let child = [1, 4, 16, 64].into_iter().find_map(|limit| {
            let error = output(&line, Duration::from_secs(limit)).unwrap_err();
            assert_eq!(error, format!("took longer than {limit} s and was killed"));
            let child = std::fs::read_to_string(&pid).ok()?;
            rustix::process::Pid::from_raw(child.trim().parse().ok()?)
        });
        let child = child.expect("the child was started");
        // It is gone once its new parent has taken note.
        while rustix::process::test_kill_process(child).is_ok() && !is_zombie(child) {
            thread::sleep(EXIT_CHECK);
        }
    }

    fn is_zombie(process: rustix::process::Pid) -> bool {
        let path = format!("/proc/{}/stat", process.as_raw_nonzero());
        let stat = std::fs::read_to_string(path).unwrap_or_default();
        stat.rsplit(')')
            .next()
            .is_some_and(|rest| rest.trim_start().starts_with('Z'))
    }

    #[test]
    fn a_command_that_prints_without_end_is_refused() {
        let error = output("head -c 200000 /dev/zero", Duration::from_secs(60)).unwrap_err();
        assert_eq!(error, "printed more than 64 KiB");
    }
}
