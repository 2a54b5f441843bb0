#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod descriptors;
mod error;
#[cfg(all(feature = "tls", target_os = "linux"))]
mod identity;
mod route;
mod transport;

pub use client::{IsahcClient, IsahcClientFactory};
pub use transport::{IsahcBody, IsahcTransport};

fetch_driver::export_adapter!(Isahc);

/// Runs fetches on isahc's threads, driven from smol's global executor.
///
/// ```
/// let fetcher = fetch_isahc::Builder::new(fetch_isahc::Isahc::default()).build()?;
/// # Ok::<(), fetch_isahc::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Isahc(());

impl fetch_driver::Adapter for Isahc {
    type Transport = IsahcTransport;
    type Timer = fetch_driver::AsyncIoTimer;

    fn transport(&self, settings: &fetch_driver::Settings) -> Result<IsahcTransport, BuildError> {
        IsahcTransport::new(settings)
    }

    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError> {
        smol::spawn(driver).detach();
        Ok(())
    }
}
