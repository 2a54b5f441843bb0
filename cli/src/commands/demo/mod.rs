//! `--demo`: a thousand URLs of a site that this process starts on loopback.

#[cfg(feature = "demo")]
mod site;

#[cfg(feature = "demo")]
pub(crate) use site::DemoSite;

/// The site of a build without the feature `demo`: it cannot be started.
#[cfg(not(feature = "demo"))]
pub(crate) enum DemoSite {}

#[cfg(not(feature = "demo"))]
impl DemoSite {
    pub(crate) fn start(_: &mut crate::args::CliArgs) -> Result<Self, crate::exit::CliError> {
        Err(crate::exit::CliError::usage(
            "--demo: this fetch-all was built without the demo site: \
             build it with the feature `demo`, as in cargo install fetch-all-cli --features demo",
        ))
    }

    pub(crate) fn list(&self) -> crate::input::UrlList {
        match *self {}
    }
}
