//! Every file is parsed or refused, and messages show none of its words.
#![no_main]

use fetch_driver::Netrc;

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let Ok((netrc, skipped)) = Netrc::parse(file) else {
        return;
    };
    let lines = file.split(|byte| *byte == b'\n').count();
    for message in &skipped {
        let number = message.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
        let number: usize = number.unwrap().0.parse().unwrap();
        assert!((1..=lines).contains(&number));
    }
    for host in ["a", "A", "", "[::1]"] {
        let first = netrc.authorization(host, None);
        let named = netrc.authorization(host, Some("a"));
        assert!(first.is_some() || named.is_none());
    }
});
