//! Options of curl that do not exist here.

use super::Hint;

pub(super) const OPTIONS: &[Hint] = &[
    (
        &["next", ":"],
        "write a list of rows, each with its method, headers and body: -i rows.jsonl; other options \
         apply to all URLs",
    ),
    (
        &["i", "include", "show-headers"],
        "write --record-headers, which adds the header fields to each record",
    ),
    (
        &[
            "trace",
            "trace-ascii",
            "trace-time",
            "trace-ids",
            "trace-config",
        ],
        "write -vv or -vvv, or --log-file FILE --log-level trace",
    ),
    (&["stderr"], "write 2>FILE"),
    (
        &["limit-rate"],
        "write --rate 10/s to limit requests; bytes per second cannot be limited",
    ),
    (&["max-redirect"], "write --max-redirs N"),
    (
        &["j", "junk-session-cookies"],
        "leave it out, or remove the session cookies from the file",
    ),
    (
        &["0", "http1.0", "http0.9"],
        "write --http1.1; HTTP/1.0 and HTTP/0.9 requests are not supported",
    ),
    (
        &["http3", "http3-only"],
        "write --http2; HTTP/3 is not supported",
    ),
    (
        &["2", "3", "sslv2", "sslv3", "ssl-allow-beast"],
        "leave it out: TLS 1.2 and 1.3 are supported, and nothing older",
    ),
    (
        &[
            "tls13-ciphers",
            "ciphers",
            "curves",
            "false-start",
            "no-alpn",
            "no-sessionid",
            "ech",
            "sigalgs",
            "tls-earlydata",
        ],
        "leave it out: TLS 1.2 and 1.3 are negotiated with current ciphers, which cannot be chosen",
    ),
    (
        &["preproxy"],
        "write -x with the proxy nearest to the server: one proxy is used, not two",
    ),
    (
        &["proxy1.0"],
        "write -x HOST:PORT; requests to proxies are HTTP/1.1",
    ),
    (
        &[
            "ntlm",
            "ntlm-wb",
            "negotiate",
            "delegation",
            "service-name",
            "socks5-gssapi",
            "socks5-gssapi-nec",
            "socks5-gssapi-service",
            "krb",
        ],
        "write -u USER:PASSWORD, with --digest or --anyauth, or --oauth2-bearer TOKEN; no other scheme is \
         supported",
    ),
    (
        &[
            "proxy-digest",
            "proxy-anyauth",
            "proxy-ntlm",
            "proxy-negotiate",
            "proxy-service-name",
        ],
        "write -U USER:PASSWORD: proxies get basic authentication, and no other scheme is supported",
    ),
    (
        &["variable"],
        "write the value itself, or let the shell expand it: \"$NAME\"",
    ),
    (
        &[
            "httpsig-algo",
            "httpsig-headers",
            "httpsig-key",
            "httpsig-keyid",
        ],
        "leave it out: of signatures only --aws-sigv4 is supported",
    ),
    (
        &["ca-native", "proxy-ca-native", "dump-ca-embed"],
        "leave it out: the authorities of the system are trusted, and those of --cacert",
    ),
    (
        &[
            "proxy-cacert",
            "proxy-capath",
            "proxy-cert",
            "proxy-ciphers",
            "proxy-http2",
            "proxy-http3",
            "proxy-insecure",
            "proxy-key",
            "proxy-pass",
            "proxy-pinnedpubkey",
            "proxy-ssl-allow-beast",
            "proxy-ssl-auto-client-cert",
            "proxy-tls13-ciphers",
            "proxy-tlsauthtype",
            "proxy-tlspassword",
            "proxy-tlsuser",
            "proxy-tlsv1",
        ],
        "leave it out: requests to proxies are HTTP/1.1 without TLS",
    ),
    (
        &["tlsauthtype", "tlspassword", "tlsuser"],
        "leave it out: TLS has no passwords here; write --cert FILE --key FILE",
    ),
    (
        &["ssl-sessions", "ssl-auto-client-cert"],
        "leave it out: sessions are kept in memory, and --cert FILE names a client certificate",
    ),
    (
        &["egd-file", "random-file"],
        "leave it out: the system provides random numbers",
    ),
    (
        &["happy-eyeballs-timeout-ms"],
        "leave it out, or write -4 or -6 for addresses of one kind",
    ),
    (
        &["ip-tos", "vlan-priority", "mptcp"],
        "leave it out: packets have the priority and the protocol that the system gives them",
    ),
    (&["ssl", "ssl-reqd"], "write https:// in the URL"),
    (
        &["ignore-content-length"],
        "leave it out: a body ends where the server says it does",
    ),
    (
        &["raw", "tr-encoding", "no-tr-encoding"],
        "write --no-compressed to get bodies as the server has them",
    ),
    (
        &["disallow-username-in-url"],
        "leave it out, and check the list for @",
    ),
    (
        &[
            "crlfile",
            "cert-status",
            "ssl-no-revoke",
            "ssl-revoke-best-effort",
            "proxy-crlfile",
        ],
        "leave it out: revocation is not checked",
    ),
    (
        &[
            "cert-type",
            "key-type",
            "engine",
            "pass",
            "proxy-cert-type",
            "proxy-key-type",
        ],
        "write --cert FILE --key FILE with PEM files without a passphrase",
    ),
    (
        &[
            "doh-url",
            "dns-servers",
            "dns-interface",
            "dns-ipv4-addr",
            "dns-ipv6-addr",
            "doh-cert-status",
            "doh-insecure",
        ],
        "write --resolve HOST:PORT:ADDRESS; other names are asked of the system",
    ),
    (
        &["alt-svc"],
        "leave it out: alternative services are not used",
    ),
    (
        &[
            "no-keepalive",
            "keepalive-time",
            "keepalive-cnt",
            "tcp-fastopen",
        ],
        "leave it out: connections are kept alive and reused",
    ),
    (&["abstract-unix-socket"], "write --unix-socket FILE"),
    (
        &["haproxy-protocol", "haproxy-clientip"],
        "leave it out: the PROXY protocol is not supported",
    ),
    (
        &["libcurl"],
        "leave it out, or see the library's guide, docs/library.md",
    ),
    (
        &["xattr"],
        "leave it out: the record of each body has its URL and type",
    ),
    (&["create-file-mode"], "write umask before the command"),
    (
        &["crlf", "use-ascii", "append"],
        "leave it out: bodies are sent and saved unchanged",
    ),
    (
        &["a"],
        "write --log-file FILE for wget's -a; leave curl's out: files are sent with PUT",
    ),
    (
        &["B"],
        "write whole URLs in the list, without wget's -B; leave curl's out: bodies are not changed",
    ),
    (
        &["M", "manual"],
        "write --help, or --generate man for the man page",
    ),
    (&["P"], "write --output-dir DIR"),
    (
        &["t"],
        "write --retry N: N attempts after the first, or -m SECONDS for a timeout",
    ),
    (
        &["Q"],
        "write --max-filesize BYTES for each body, for wget's -Q; leave curl's out: it is for FTP",
    ),
    (
        &["l"],
        "write -i FILE with the URLs: links are not followed, and directories of FTP not listed",
    ),
    (
        &["local-port"],
        "write --interface ADDRESS; the system chooses the port of each connection",
    ),
    (
        &[
            "ftp-port",
            "list-only",
            "quote",
            "telnet-option",
            "ftp-account",
            "ftp-create-dirs",
            "ftp-method",
            "ftp-pasv",
            "ftp-pret",
            "ftp-skip-pasv-ip",
            "disable-epsv",
            "disable-eprt",
            "mail-from",
            "mail-rcpt",
            "mail-auth",
            "login-options",
            "sasl-ir",
            "sasl-authzid",
            "pubkey",
            "hostpubmd5",
            "hostpubsha256",
            "compressed-ssh",
            "tftp-blksize",
            "tftp-no-options",
            "ftp-alternative-to-user",
            "ftp-ssl-ccc",
            "ftp-ssl-ccc-mode",
            "ftp-ssl-control",
            "ipfs-gateway",
            "knownhosts",
            "mail-rcpt-allowfails",
            "upload-flags",
        ],
        "leave it out: only http and https are fetched",
    ),
    (&["metalink"], "write -i FILE with the URLs"),
    (&["parallel-min"], "write -j N"),
    (&["no-parallel"], "write -j 1"),
    (
        &["no-show-error", "no-progress-bar"],
        "write -s to hide progress and summary",
    ),
];
