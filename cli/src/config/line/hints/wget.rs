//! Options of wget and aria2 that do not exist here.

use super::Hint;

pub(super) const OPTIONS: &[Hint] = &[
    (
        &[
            "max-threads",
            "connections",
            "max-concurrent-downloads",
            "thread-count",
            "processes-count",
        ],
        "write -j N",
    ),
    (
        &["max-connection-per-server", "split"],
        "write --per-host N",
    ),
    (
        &["tries", "retries", "max-retries", "max-tries"],
        "write --retry N: N attempts after the first",
    ),
    (
        &["timeout-sec", "timeouts", "dns-timeout"],
        "write -m SECONDS or --connect-timeout SECONDS",
    ),
    (
        &[
            "W",
            "wait",
            "delay",
            "random-wait",
            "waitretry",
            "retry-wait",
        ],
        "write --host-rate 1/s, or --retry-delay SECONDS",
    ),
    (
        &[
            "directory-prefix",
            "dir",
            "output-folder",
            "store-response-dir",
        ],
        "write --output-dir DIR",
    ),
    (
        &["output-document", "out"],
        "write --output-dir DIR or -O for bodies, -o FILE for records",
    ),
    (
        &[
            "force-directories",
            "no-directories",
            "no-host-directories",
            "cut-dirs",
        ],
        "write --name-template '{host}/{path}'",
    ),
    (
        &["content-disposition", "trust-server-names"],
        "write -O -J, or --name-template TEMPLATE",
    ),
    (&["continue"], "write -C -"),
    (
        &["timestamping", "no-if-modified-since"],
        "write --skip-existing",
    ),
    (
        &["no-check-certificate", "check-certificate", "verify"],
        "write -k (--insecure)",
    ),
    (&["ca-certificate"], "write --cacert FILE"),
    (&["ca-directory"], "write --capath DIR"),
    (
        &["certificate", "private-key"],
        "write --cert FILE --key FILE",
    ),
    (&["post-data", "body-data"], "write -d DATA"),
    (&["post-file", "body-file"], "write --data-binary @FILE"),
    (&["load-cookies"], "write -b FILE"),
    (
        &["save-cookies", "keep-session-cookies"],
        "write --cookie-jar FILE",
    ),
    (
        &["http-user", "http-password", "http-passwd", "password"],
        "write -u USER:PASSWORD",
    ),
    (&["proxy-password"], "write -U USER:PASSWORD"),
    (&["spider"], "write -I"),
    (
        &["delete-after"],
        "leave it out: bodies are not kept unless -O or --output-dir asks for it",
    ),
    (&["bind-address"], "write --interface ADDRESS"),
    (&["inet4-only"], "write -4"),
    (&["inet6-only"], "write -6"),
    (
        &["prefer-family"],
        "leave it out, or write -4 or -6 for one family alone",
    ),
    (
        &["no-cookies", "cookies"],
        "leave it out: cookies are stored with -b none, -b FILE or -c FILE only",
    ),
    (
        &["no-cache", "no-http-keep-alive"],
        "write -H 'Cache-Control: no-cache' or -H 'Connection: close'",
    ),
    (&["no-proxy"], "write --noproxy '*', or -x \"\""),
    (&["hsts-file"], "write --hsts FILE"),
    (
        &["no-hsts"],
        "leave it out: nothing is remembered without --hsts FILE",
    ),
    (&["https-only"], "write --proto =https"),
    (
        &["compression"],
        "leave it out: compressed bodies are asked for and decoded; --no-compressed for none",
    ),
    (&["start-pos"], "write -C NUMBER"),
    (&["warc-file"], "write --warc FILE"),
    (&["warc-max-size"], "write --warc FILE --warc-size BYTES"),
    (
        &["no-warc-compression"],
        "write --warc FILE, without .gz at its end",
    ),
    (
        &[
            "warc-header",
            "warc-cdx",
            "warc-dedup",
            "no-warc-digests",
            "no-warc-keep-log",
            "warc-tempdir",
        ],
        "leave it out, beside --warc FILE",
    ),
    (&["content-on-error"], "write --fail-with-body"),
    (
        &["retry-on-host-error"],
        "leave it out: failures of name servers are retried, names that do not exist are not",
    ),
    (&["no-glob"], "write -g"),
    (&["show-progress"], "write --progress"),
    (&["report-speed"], "leave it out: the summary has the speed"),
    (
        &["backups", "unlink"],
        "leave it out: existing files are kept, or overwritten with --clobber",
    ),
    (
        &["adjust-extension"],
        "write --name-template '{host}/{path}.{ext}'",
    ),
    (
        &["restrict-file-names"],
        "leave it out: names are made safe for all systems",
    ),
    (&["default-page"], "write --name-template TEMPLATE"),
    (
        &["auth-no-challenge"],
        "leave it out: -u is sent with each request",
    ),
    (
        &["ask-password", "use-askpass"],
        "write -u USER:PASSWORD, or --netrc",
    ),
    (
        &["ignore-length"],
        "leave it out: a body ends where the server says it does",
    ),
    (
        &["no-dns-cache"],
        "leave it out: names are asked again after five minutes",
    ),
    (
        &["secure-protocol"],
        "write --tlsv1.3, or leave it out for TLS 1.2 and 1.3",
    ),
    (&["crl-file"], "leave it out: revocation is not checked"),
    (
        &["certificate-type", "private-key-type"],
        "write --cert FILE --key FILE with PEM files",
    ),
    (
        &["iri", "no-iri", "local-encoding", "remote-encoding"],
        "leave it out: lists are UTF-8",
    ),
    (
        &["input-metalink", "follow-metalink"],
        "write -i FILE with the URLs",
    ),
    (
        &["server-response", "save-headers"],
        "write --record-headers",
    ),
    (
        &["output-file", "append-output"],
        "write --log-file FILE for the log; -o FILE is for records",
    ),
    (&["debug"], "write -vv"),
    (&["execute", "rcfile"], "write --config FILE, in TOML"),
    (
        &[
            "recursive",
            "mirror",
            "page-requisites",
            "level",
            "span-hosts",
            "no-parent",
            "accept",
            "reject",
            "domains",
            "exclude-domains",
            "accept-regex",
            "reject-regex",
            "include-directories",
            "exclude-directories",
            "follow-tags",
            "ignore-tags",
            "follow-ftp",
            "relative",
            "strict-comments",
            "force-html",
            "base",
            "convert-links",
            "convert-file-only",
            "backup-converted",
            "use-server-timestamps",
        ],
        "write -i FILE with the URLs: links are not followed",
    ),
    (&["quota"], "write --max-filesize BYTES for each body"),
    (&["background"], "write & after the command, and -o FILE"),
    (&["save-session"], "write --state DIR"),
];
