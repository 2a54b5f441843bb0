//! The ports of the server.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result};

/// The ports of the server on loopback. Those for https are 0 if the test site serves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SitePorts {
    pub(crate) http: u16,
    /// https with HTTP/2.
    pub(crate) http2: u16,
    /// https with HTTP/1.1.
    pub(crate) https: u16,
}

impl fmt::Display for SitePorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{},{}", self.http, self.http2, self.https)
    }
}

impl FromStr for SitePorts {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut ports = text.trim().split(',').map(str::parse);
        let mut next = || ports.next().context("a port is missing");
        Ok(Self {
            http: next()??,
            http2: next()??,
            https: next()??,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_round_trip_through_text() {
        let ports = SitePorts {
            http: 81,
            http2: 83,
            https: 82,
        };
        assert_eq!(ports.to_string().parse::<SitePorts>().unwrap(), ports);
        assert!("81,82".parse::<SitePorts>().is_err());
    }
}
