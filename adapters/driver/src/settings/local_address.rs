//! Where connections start on this machine.

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The IP versions that connections to host names may use.
///
/// ```
/// use fetch_driver::AddressFamily;
/// assert!(AddressFamily::Ipv4.includes("127.0.0.1".parse()?));
/// assert!(!AddressFamily::Ipv4.includes("::1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum AddressFamily {
    /// All.
    #[default]
    Any,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

impl AddressFamily {
    /// Whether the address belongs to it.
    ///
    /// ```
    /// assert!(fetch_driver::AddressFamily::Any.includes([127, 0, 0, 1].into()));
    /// ```
    #[must_use]
    pub fn includes(self, address: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Ipv4 => address.is_ipv4(),
            Self::Ipv6 => address.is_ipv6(),
        }
    }
}

/// The local end of connections, like curl's `--interface`: an IP address of this machine, or the name
/// of a network interface.
///
/// ```
/// use fetch_driver::LocalAddress;
///
/// let address: LocalAddress = "192.0.2.7".parse()?;
/// assert_eq!(address, LocalAddress::Address([192, 0, 2, 7].into()));
/// let interface: LocalAddress = "if!eth0".parse()?;
/// assert_eq!(interface, LocalAddress::Interface("eth0".into()));
/// # Ok::<(), std::convert::Infallible>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LocalAddress {
    /// Connections have this address. Servers with addresses of the other family cannot be reached.
    Address(IpAddr),
    /// Connections use this interface. It works on Linux only.
    Interface(String),
}

/// An address, with or without `host!` before it; anything else is the name of an interface, with or
/// without `if!` before it.
impl FromStr for LocalAddress {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let bare = text.strip_prefix("host!").unwrap_or(text);
        Ok(match bare.parse() {
            Ok(address) => Self::Address(address),
            Err(_) => Self::Interface(bare.strip_prefix("if!").unwrap_or(bare).to_owned()),
        })
    }
}

impl From<IpAddr> for LocalAddress {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl fmt::Display for LocalAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Interface(name) => f.write_str(name),
        }
    }
}
