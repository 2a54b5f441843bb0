//! The URLs to fetch, and the properties of their requests.

use fetch_driver::Settings;
use http::header::AUTHORIZATION;

use super::request;
use crate::args::CliArgs;
use crate::exit::CliError;
use crate::input::{self, RequestTemplate, UrlList};

/// The list, and the common properties of its requests.
pub(crate) struct InputPlan {
    /// Whether to skip URLs that were in the list before.
    pub(crate) dedupe: bool,
    pub(crate) list: UrlList,
    /// The product token that robots.txt is matched against, if it is obeyed.
    pub(crate) robots: Option<String>,
    pub(crate) template: RequestTemplate,
}

impl InputPlan {
    /// Reads the body. The header fields and the logins are those of `settings`.
    pub(super) fn new(
        args: &CliArgs,
        mut list: UrlList,
        settings: &Settings,
    ) -> Result<Self, CliError> {
        if let Some(payloads) = request::uploads(args)? {
            input::pair_payloads(&mut list, &args.input, payloads)?;
        }
        let mut template = request::template(args)?;
        template.has_login =
            settings.headers.contains_key(AUTHORIZATION) || args.request.user.is_some();
        template.netrc = settings.netrc.clone();
        Ok(Self {
            dedupe: args.input.dedupe,
            list,
            robots: request::robots_agent(args, &settings.headers)?,
            template,
        })
    }
}
