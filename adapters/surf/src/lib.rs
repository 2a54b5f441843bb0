#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod error;
mod transport;

pub use client::{SurfClient, SurfClientFactory};
pub use transport::{SurfBody, SurfTransport};

fetch_driver::export_adapter!(Surf);

/// Runs fetches on async-std's global executor.
///
/// ```
/// let fetcher = fetch_surf::Builder::new(fetch_surf::Surf::default()).build()?;
/// # Ok::<(), fetch_surf::BuildError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Surf(());

impl fetch_driver::Adapter for Surf {
    type Transport = SurfTransport;
    type Timer = fetch_driver::AsyncIoTimer;

    fn transport(&self, settings: &fetch_driver::Settings) -> Result<SurfTransport, BuildError> {
        SurfTransport::new(settings)
    }

    fn spawn(&self, driver: impl Future<Output = ()> + Send + 'static) -> Result<(), BuildError> {
        async_std::task::spawn(driver);
        Ok(())
    }
}
