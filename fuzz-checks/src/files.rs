//! Files that people write.

use std::net::Ipv6Addr;

use fetch_all_cli::parsers;
use fetch_policy::PolicyFile;
use fetch_proto::Method;

/// A policy file is valid, or its error has a position in it.
///
/// - What is no TOML is no policy file.
/// - Every URL of a valid file is explained, and its findings have positions, too.
pub fn check_policy_file(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let lines = text.split('\n').count();
    let parsed = PolicyFile::parse("policy.toml", text);
    if text.parse::<toml::Table>().is_err() {
        assert!(parsed.is_err());
    }
    let findings = PolicyFile::check("policy.toml", text);
    for finding in &findings {
        if let Some(place) = finding.error.position {
            assert!(
                (1..=lines).contains(&place.line) && place.column > 0,
                "{finding}"
            );
        }
        assert!(!finding.to_string().is_empty());
    }
    match parsed {
        Err(error) => {
            assert!(!findings.is_empty(), "{error}");
            assert!(!error.message.is_empty());
        }
        Ok(file) => {
            let url = "https://a.test/reports/1?x=y".parse().expect("a valid URL");
            let explained = file.explain(&Method::Get, &url);
            assert!(explained.is_ok_and(|text| !text.to_string().is_empty()));
        }
    }
}

/// A configuration file in TOML is options, or its error has a position in it.
pub fn check_config_file(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    match parsers::config_options(text) {
        Ok(words) => {
            assert!(text.parse::<toml::Table>().is_ok());
            assert!(words.iter().all(|word| word.starts_with("--")), "{words:?}");
        }
        Err(message) => {
            let mut parts = message.splitn(4, ':');
            assert_eq!(parts.next(), Some("config.toml"));
            let line = parts.next().and_then(|line| line.parse::<usize>().ok());
            let lines = text.split('\n').count();
            assert!(
                line.is_some_and(|line| (1..=lines).contains(&line)),
                "{message}"
            );
            assert!(!message.contains(|c: char| c.is_control()), "{message:?}");
        }
    }
}

/// Each line of a configuration file in curl's syntax is one option or none, whatever the others are.
pub fn check_curl_config(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let options = parsers::curl_options(text);
    let alone = (1..).zip(text.lines()).flat_map(|(number, line)| {
        let options = parsers::curl_options(line);
        assert!(options.len() <= 1);
        options
            .into_iter()
            .map(move |(_, name, value)| (number, name, value))
    });
    assert_eq!(alone.collect::<Vec<_>>(), options);
    for (_, name, value) in options {
        assert!(!name.contains(char::is_whitespace));
        // Written in quotes, it is read again.
        if let Some(value) = value.filter(|value| !value.contains(['\r', '\n'])) {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let again = parsers::curl_options(&format!("url = \"{quoted}\""));
            assert_eq!(again, [(1, "url".to_owned(), Some(value))]);
        }
    }
}

/// A line of a file of `--hsts` is an entry that is written as it was read, or is refused.
pub fn check_hsts_file(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    for entry in parsers::hsts_hosts(text).into_iter().flatten() {
        assert_eq!(
            parsers::hsts_hosts(&entry),
            [Ok(entry.clone())],
            "{entry:?}"
        );
        // No host has a port, and the names of hosts are in lower case.
        let host = entry.split(' ').next().unwrap_or_default();
        assert_eq!(host, host.to_ascii_lowercase());
        assert!(host.parse::<Ipv6Addr>().is_ok() || !host.is_empty());
    }
}
