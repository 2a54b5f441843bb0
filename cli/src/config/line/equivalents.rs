//! Options of curl that another option, or the normal behaviour, stands for.

/// The replacement of an option of another command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Equivalent {
    /// The command always behaves so.
    Always,
    /// This option, by its long name.
    Flag(&'static str),
    /// The proxy in its value, with this scheme.
    Proxy(&'static str),
}

const EQUIVALENTS: &[(&[&str], Equivalent)] = &[
    (&["Z", "parallel", "parallel-immediate"], Equivalent::Always),
    (&["N", "no-buffer", "buffer"], Equivalent::Always),
    (&["S", "show-error"], Equivalent::Always),
    (&["#", "progress-bar", "progress-meter"], Equivalent::Always),
    // At least TLS 1.2 is always used: these name a lower bound.
    (
        &["1", "tlsv1", "tlsv1.0", "tlsv1.1", "tlsv1.2"],
        Equivalent::Always,
    ),
    (&["create-dirs", "tcp-nodelay"], Equivalent::Always),
    (&["proxy-basic", "socks5-basic"], Equivalent::Always),
    (
        &[
            "no-http0.9",
            "no-include",
            "no-sslv2",
            "no-sslv3",
            "no-npn",
            "no-styled-output",
        ],
        Equivalent::Always,
    ),
    (&["styled-output"], Equivalent::Always),
    // The heads of -D never have the answer to CONNECT.
    (&["suppress-connect-headers"], Equivalent::Always),
    (&["disable"], Equivalent::Flag("no-config")),
    (&["no-progress-meter"], Equivalent::Flag("no-progress")),
    (&["data-ascii"], Equivalent::Flag("data")),
    (&["socks4"], Equivalent::Proxy("socks4://")),
    (&["socks4a"], Equivalent::Proxy("socks4a://")),
    (&["socks5"], Equivalent::Proxy("socks5://")),
    (&["socks5-hostname"], Equivalent::Proxy("socks5h://")),
];

/// The replacement of the option of this name. A name of one character is a short option.
pub(super) fn equivalent(name: &str) -> Option<Equivalent> {
    let row = EQUIVALENTS.iter().find(|(names, _)| names.contains(&name));
    row.map(|(_, equivalent)| *equivalent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_an_option_is_an_option() {
        let command = crate::args::command();
        let has = |name: &str| {
            command
                .get_arguments()
                .any(|arg| arg.get_long() == Some(name))
        };
        for (names, equivalent) in EQUIVALENTS {
            if let Equivalent::Flag(name) = equivalent {
                assert!(has(name), "{names:?}");
            }
            assert!(!names.iter().any(|name| has(name)), "{names:?}");
        }
        assert!(has("proxy"));
    }
}
