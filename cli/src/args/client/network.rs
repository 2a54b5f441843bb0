//! The options for TLS, name resolution, proxies and protocol versions.

use std::path::PathBuf;

use clap::Args as Group;
use fetch_driver::{AddressFamily, ConnectTo, Http2Mode, LocalAddress, ProxyRules, TlsVersion};

use crate::args::values::{self, HeaderOption, ResolveEntry};

#[derive(Debug, Group)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArgs {
    /// Skip certificate checks. Anyone on the network path can read and change the traffic
    #[arg(short = 'k', long)]
    pub(crate) insecure: bool,

    /// Also trust the certificate authorities in this PEM file; repeatable
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Vec<PathBuf>,

    /// Also trust the certificate authorities in the PEM files of this directory; repeatable
    #[arg(long, value_name = "DIR")]
    pub(crate) capath: Vec<PathBuf>,

    /// Use TLS 1.3 only
    #[arg(long = "tlsv1.3")]
    pub(crate) tls_v1_3: bool,

    /// Use no newer version of TLS: 1.2 or 1.3
    #[arg(long, value_name = "VERSION", value_parser = values::tls_max)]
    pub(crate) tls_max: Option<TlsVersion>,

    /// Accept only servers with one of these public keys: sha256//BASE64;…, or a PEM or DER file
    ///
    /// It is checked in addition to the certificate, and also with --insecure.
    #[arg(long, value_name = "HASHES|FILE")]
    pub(crate) pinnedpubkey: Option<String>,

    /// Use these addresses for a host instead of DNS; repeatable
    #[arg(long, value_name = "HOST:PORT:ADDR[,ADDR]", value_parser = values::resolve)]
    pub(crate) resolve: Vec<ResolveEntry>,

    /// Refuse servers at loopback, private, link-local and cloud metadata addresses, also after
    /// redirects; those of --resolve are allowed
    #[arg(long)]
    pub(crate) no_private_addresses: bool,
}

#[derive(Debug, Group)]
#[command(next_help_heading = "Network")]
pub(crate) struct RouteArgs {
    /// Proxy: http://, socks4://, socks4a://, socks5:// or socks5h://HOST:PORT, or "" for none
    /// [default: http_proxy, https_proxy, all_proxy]
    #[arg(short = 'x', long, value_name = "URL", value_parser = values::proxy)]
    pub(crate) proxy: Option<String>,

    /// User name and password for the proxy
    #[arg(short = 'U', long, value_name = "USER:PASSWORD", requires = "proxy")]
    #[arg(value_parser = values::proxy_user)]
    pub(crate) proxy_user: Option<String>,

    /// Use a tunnel (CONNECT) of the HTTP proxy for http URLs, too
    #[arg(short = 'p', long)]
    pub(crate) proxytunnel: bool,

    /// Header field for HTTP proxies only: "Name: value"; repeatable
    #[arg(long, value_name = "FIELD", value_parser = values::proxy_header)]
    pub(crate) proxy_header: Vec<HeaderOption>,

    /// Hosts to connect to without a proxy, or * for all [default: no_proxy]
    #[arg(long, value_name = "HOST,…", value_parser = values::no_proxy)]
    pub(crate) noproxy: Option<String>,

    /// Connect to another host and port than the URL has; an empty part means any, or unchanged;
    /// repeatable
    #[arg(long, value_name = "HOST:PORT:HOST:PORT")]
    pub(crate) connect_to: Vec<ConnectTo>,

    /// Connect to IPv4 addresses of names only
    #[arg(short = '4', long, overrides_with = "ipv6")]
    pub(crate) ipv4: bool,

    /// Connect to IPv6 addresses of names only
    #[arg(short = '6', long, overrides_with = "ipv4")]
    pub(crate) ipv6: bool,

    /// Connect from this IP address of this machine, or from this network interface
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<LocalAddress>,

    /// Send every request to this Unix socket
    #[arg(long, value_name = "FILE", conflicts_with = "proxy")]
    pub(crate) unix_socket: Option<PathBuf>,

    /// Use HTTP/2 if an https server supports it (the default)
    #[arg(long, overrides_with_all = ["http1_1", "http2_prior_knowledge"])]
    pub(crate) http2: bool,

    /// Use only HTTP/1.1
    #[arg(long = "http1.1", overrides_with_all = ["http2", "http2_prior_knowledge"])]
    pub(crate) http1_1: bool,

    /// Use HTTP/2 for http URLs too, without negotiation
    #[arg(long, overrides_with_all = ["http2", "http1_1"])]
    pub(crate) http2_prior_knowledge: bool,

    /// PEM file of the client certificate, sent to servers that request one
    #[arg(short = 'E', long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,

    /// PEM file of its private key [default: in the file of --cert]
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
}

impl RouteArgs {
    pub(crate) fn http2(&self) -> Http2Mode {
        match (self.http1_1, self.http2_prior_knowledge) {
            (true, _) => Http2Mode::Off,
            (_, true) => Http2Mode::PriorKnowledge,
            _ => Http2Mode::Auto,
        }
    }

    pub(crate) fn address_family(&self) -> AddressFamily {
        match (self.ipv4, self.ipv6) {
            (true, _) => AddressFamily::Ipv4,
            (_, true) => AddressFamily::Ipv6,
            _ => AddressFamily::Any,
        }
    }

    /// The proxies of the options, or else of the environment.
    ///
    /// # Errors
    ///
    /// If a proxy of the environment cannot be parsed.
    pub(crate) fn proxies(&self) -> Result<ProxyRules, fetch_driver::BuildError> {
        let rules = match (&self.proxy, &self.unix_socket) {
            // As in curl, an empty proxy is none, whatever the environment names.
            (Some(url), _) if url.is_empty() => ProxyRules::new(),
            (Some(url), _) => {
                let url = with_user(url, self.proxy_user.as_deref());
                // The exceptions of the environment apply to --proxy too.
                let exceptions = |name: &str| {
                    let wanted = name.eq_ignore_ascii_case("no_proxy");
                    wanted.then(|| std::env::var(name).ok()).flatten()
                };
                ProxyRules::from_vars(exceptions)?.all(fetch_driver::Proxy::parse(&url)?)
            }
            (None, Some(_)) => ProxyRules::new(),
            (None, None) => ProxyRules::from_env()?,
        };
        match &self.noproxy {
            Some(list) => rules.no_proxy(list),
            None => Ok(rules),
        }
    }
}

/// Adds user name and password to the URL of a proxy, percent-encoded.
fn with_user(proxy: &str, user: Option<&str>) -> String {
    let Some((name, password)) = user.and_then(|user| user.split_once(':')) else {
        return proxy.to_owned();
    };
    let encode =
        |text| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
    let (scheme, rest) = proxy.split_once("://").unwrap_or(("http", proxy));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{}:{}@{host}", encode(name), encode(password))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxy_credentials_are_percent_encoded() {
        assert_eq!(with_user("a:1", Some("me:p@ss")), "http://me:p%40ss@a:1");
        assert_eq!(with_user("socks5://x@a:1", Some("b:")), "socks5://b:@a:1");
        assert_eq!(with_user("a:1", None), "a:1");
    }
}
