//! Tests of filter, format, console and file together.

use std::fs;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use env_logger::Logger;
use log::{Level, LevelFilter, Log, Record};
use serde_json::Value;
use tempfile::tempdir;

use super::*;

/// A console that can be read.
#[derive(Clone, Default)]
struct Console(Arc<Mutex<Vec<u8>>>);

impl Console {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn log_to(policy: &LogConfig, console: &Console, target: &str, level: Level, message: &str) {
    let logger = build(policy, console.clone()).unwrap();
    let mut record = Record::builder();
    let pairs = [("n", 7)];
    record.level(level).target(target).key_values(&pairs);
    logger.log(&record.args(format_args!("{message}")).build());
}

fn console_of(policy: &LogConfig, target: &str, level: Level) -> String {
    let console = Console::default();
    log_to(policy, &console, target, level, "hello");
    console.text()
}

/// No file.
fn unset() -> LogConfig {
    LogConfig {
        file_path: None,
        ..LogConfig::default()
    }
}

fn build(config: &LogConfig, console: impl Write + Send + 'static) -> Result<Logger, LogError> {
    LoggingPolicy::new(config.clone()).console(console).build()
}

fn with_level(level: &str) -> LogConfig {
    LogConfig {
        level: level.to_owned(),
        ..unset()
    }
}

#[test]
fn console_and_file_get_the_same_line_with_time_in_microseconds() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("logs/app.log");
    let policy = LogConfig {
        file_path: Some(path.clone()),
        ..unset()
    };
    let console = Console::default();
    log_to(&policy, &console, "t", Level::Warn, "größe \u{1b}[31m");
    let line = console.text();
    let (time, rest) = line.split_at("2030-01-02T03:04:05.678901Z".len());
    assert_eq!(rest, " WARN  t: größe \\u{1b}[31m n=7\n");
    assert!(time.ends_with('Z') && time.as_bytes()[19] == b'.', "{time}");
    assert_eq!(fs::read_to_string(path).unwrap(), line);
}

#[test]
fn without_console_only_the_file_is_written() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("app.log");
    let policy = LogConfig {
        file_path: Some(path.clone()),
        console_output: false,
        ..unset()
    };
    assert_eq!(console_of(&policy, "t", Level::Info), "");
    assert!(fs::read_to_string(path).unwrap().contains("hello"));
}

#[test]
fn without_console_and_file_nothing_is_enabled() {
    let policy = LogConfig {
        console_output: false,
        ..unset()
    };
    let logger = build(&policy, io::sink()).unwrap();
    assert_eq!(logger.filter(), LevelFilter::Off);
}

#[test]
fn json_lines_parse() {
    let policy = LogConfig {
        format: LogFormat::Json,
        ..unset()
    };
    let parsed: Value = serde_json::from_str(&console_of(&policy, "t", Level::Info)).unwrap();
    assert_eq!(
        (&parsed["message"], &parsed["fields"]["n"]),
        (&"hello".into(), &7.into())
    );
}

#[test]
fn the_file_rotates_by_the_policy() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("app.log");
    let policy = LogConfig {
        file_path: Some(path),
        max_file_bytes: 1,
        rotated_files: 2,
        ..unset()
    };
    for message in ["one", "two", "three", "four"] {
        log_to(&policy, &Console::default(), "t", Level::Info, message);
    }
    let read = |name| fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    assert!(read("app.log").contains("four") && read("app.log.1").contains("three"));
    assert!(read("app.log.2").contains("two") && read("app.log.3").is_empty());
}

#[test]
fn the_filter_is_that_of_rust_log() {
    let policy = with_level("warn, fetch_all=debug,fetch_all::timing=off");
    assert_eq!(console_of(&policy, "other", Level::Info), "");
    assert_ne!(console_of(&policy, "other", Level::Warn), "");
    assert_ne!(console_of(&policy, "fetch_all::engine", Level::Debug), "");
    assert_eq!(console_of(&policy, "fetch_all::timing", Level::Error), "");
}

#[test]
fn a_mistyped_filter_is_an_error_with_advice() {
    for bad in ["dbug", "info,fetch_all=loud", "info/a/b", "fetch_all="] {
        let error = build(&with_level(bad), io::sink())
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains(&format!("bad log filter `{bad}`")),
            "{error}"
        );
    }
}

#[test]
fn a_bad_path_fails_at_the_start() {
    let dir = tempdir().unwrap();
    let policy = LogConfig {
        file_path: Some(dir.path().to_owned()),
        ..unset()
    };
    let error = build(&policy, io::sink()).err().unwrap().to_string();
    assert!(
        error.contains("cannot open the log file") && error.contains("directory"),
        "{error}"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_failing_file_is_reported_once_and_the_console_continues() {
    let console = Console::default();
    let policy = LogConfig {
        file_path: Some("/dev/full".into()),
        ..unset()
    };
    let logger = build(&policy, console.clone()).unwrap();
    for message in ["one", "two"] {
        let mut record = Record::builder();
        logger.log(
            &record
                .level(Level::Info)
                .args(format_args!("{message}"))
                .build(),
        );
    }
    let text = console.text();
    assert_eq!(
        text.matches("cannot write the log file \"/dev/full\"")
            .count(),
        1,
        "{text}"
    );
    assert!(text.contains("one") && text.contains("two"), "{text}");
}

#[test]
fn installing_makes_it_the_log_of_the_process() {
    let console = Console::default();
    let policy = LoggingPolicy::new(unset()).console(console.clone());
    policy.init().unwrap();
    log::info!(n = 1; "installed");
    log::debug!("not this");
    assert!(console.text().contains(": installed n=1\n"));
    assert_eq!(log::max_level(), LevelFilter::Info);
    let second = LoggingPolicy::new(unset()).init();
    assert!(matches!(second, Err(LogError::AlreadyInstalled)));
}

#[test]
fn lines_about_hosts_are_limited_and_others_are_not() {
    let policy = LogConfig {
        max_host_lines: 2,
        ..with_level("info")
    };
    let console = Console::default();
    let logger = build(&policy, console.clone()).unwrap();
    for target in [HOST_TARGET, "fetch_all"] {
        for _ in 0..5 {
            let mut record = Record::builder();
            let record = record.level(Level::Info).target(target);
            logger.log(&record.args(format_args!("hello")).build());
        }
    }
    let text = console.text();
    assert_eq!(text.lines().count(), 2 + 1 + 5, "{text}");
    assert_eq!(text.matches("hello").count(), 2 + 5, "{text}");
    assert_eq!(
        text.matches("not shown at this log level").count(),
        1,
        "{text}"
    );
}
