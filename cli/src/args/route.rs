//! The options for the way to a server: proxies, other addresses, protocol, certificates.

use std::path::PathBuf;

use clap::Args as Group;
use fetch_driver::{ConnectTo, Http2, ProxyRules};

use super::values;

#[derive(Debug, Group)]
#[command(next_help_heading = "Network")]
pub(crate) struct RouteOptions {
    /// Go through this proxy: http://, socks5:// or socks5h://HOST:PORT [default: http_proxy,
    /// https_proxy, all_proxy]
    #[arg(short = 'x', long, value_name = "URL", value_parser = values::proxy)]
    pub(crate) proxy: Option<String>,

    /// User name and password for the proxy
    #[arg(short = 'U', long, value_name = "USER:PASSWORD", requires = "proxy")]
    #[arg(value_parser = values::user)]
    pub(crate) proxy_user: Option<String>,

    /// Hosts to reach without a proxy, or * for all [default: no_proxy]
    #[arg(long, value_name = "HOST,…", value_parser = values::no_proxy)]
    pub(crate) noproxy: Option<String>,

    /// Connect to another host or port than the URL names; an empty part means any, or the same;
    /// repeatable
    #[arg(long, value_name = "HOST:PORT:HOST:PORT")]
    pub(crate) connect_to: Vec<ConnectTo>,

    /// Send every request to this Unix socket
    #[arg(long, value_name = "FILE", conflicts_with = "proxy")]
    pub(crate) unix_socket: Option<PathBuf>,

    /// HTTP/2 where an https server chooses it: the default
    #[arg(long, overrides_with_all = ["http1_1", "http2_prior_knowledge"])]
    pub(crate) http2: bool,

    /// HTTP/1.1 alone
    #[arg(long = "http1.1", overrides_with_all = ["http2", "http2_prior_knowledge"])]
    pub(crate) http1_1: bool,

    /// HTTP/2 over plain http too
    #[arg(long, overrides_with_all = ["http2", "http1_1"])]
    pub(crate) http2_prior_knowledge: bool,

    /// PEM file of the certificate to show to servers that ask for one
    #[arg(short = 'E', long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,

    /// PEM file of its private key [default: in the file of --cert]
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
}

impl RouteOptions {
    pub(crate) fn http2(&self) -> Http2 {
        match (self.http1_1, self.http2_prior_knowledge) {
            (true, _) => Http2::Off,
            (_, true) => Http2::PriorKnowledge,
            _ => Http2::Auto,
        }
    }

    /// The proxies of the environment, where the options leave them open.
    ///
    /// # Errors
    ///
    /// If the environment's cannot be understood.
    pub(crate) fn proxies(&self) -> Result<ProxyRules, fetch_driver::BuildError> {
        let rules = match (&self.proxy, &self.unix_socket) {
            (Some(url), _) => {
                let url = with_user(url, self.proxy_user.as_deref());
                // Exceptions may come from the environment all the same.
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

/// The proxy's URL with user name and password, which stay as they are: they are not part of a URL
/// on the command line.
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
    fn a_proxys_user_is_encoded_into_its_url() {
        assert_eq!(with_user("a:1", Some("me:p@ss")), "http://me:p%40ss@a:1");
        assert_eq!(with_user("socks5://x@a:1", Some("b:")), "socks5://b:@a:1");
        assert_eq!(with_user("a:1", None), "a:1");
    }
}
