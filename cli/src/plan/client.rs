//! How requests are sent: limits, policies, the network, cookies.

use fetch_driver::Settings;

use super::auth;
use super::cache;
use super::hsts::{self, HstsFile};
use super::policy::{self, PolicyReload, PolicySources};
use super::session::{self, CookieFile};
use super::settings;
use crate::args::CliArgs;
use crate::exit::CliError;

/// The settings of the fetcher, the policy file that may change them, and the cookies to save.
pub(crate) struct ClientPlan {
    /// Where cookies are written at the end.
    pub(crate) cookies: Option<CookieFile>,
    /// Where the hosts that demand https are written at the end.
    pub(crate) hsts: Option<HstsFile>,
    /// The policy file to watch during the run.
    pub(crate) reload: Option<PolicyReload>,
    pub(crate) settings: Settings,
}

impl ClientPlan {
    /// Reads the policy file, certificates and cookies. Adds warnings about limits that are
    /// reduced.
    pub(super) fn new(args: &CliArgs, warnings: &mut Vec<String>) -> Result<Self, CliError> {
        let mut settings = settings::new(args)?;
        settings::set_route(args, &mut settings)?;
        let cookies = session::set_cookies(args, &mut settings, warnings)?;
        settings.netrc = session::read_netrc(args, &settings.headers, warnings)?;
        let hsts = hsts::set_hsts(args, &mut settings, warnings)?;
        let sources = PolicySources::new(args)?;
        let reload = match args.policy.policy.clone() {
            Some(path) => {
                // Watched before it is read, so that no change is missed.
                let reload = PolicyReload::new(path, sources);
                let (file, config) = reload.read()?;
                settings.config = config;
                auth::set_profiles(args, Some(&file), &mut settings)?;
                let cache = file.cache().map_err(policy::file::error)?;
                cache::set_cache(args, cache, &mut settings)?;
                Some(reload)
            }
            None => {
                settings.config = sources.config(None)?;
                auth::set_profiles(args, None, &mut settings)?;
                cache::set_cache(args, None, &mut settings)?;
                None
            }
        };
        let save = &args.save;
        let archives = u64::from(save.tar.is_some()) + u64::from(save.warc.is_some());
        let saves_bodies = archives > 0 || save.directory().is_some();
        settings::limit_connections(&mut settings, saves_bodies.then_some(archives), warnings);
        if args.output.record.is_some() {
            // A recording has the events of one engine, and each thread has one.
            settings.threads = 1;
        }
        Ok(Self {
            cookies,
            hsts,
            reload,
            settings,
        })
    }
}
