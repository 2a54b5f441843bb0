//! The common properties of all requests: method, header fields, body.

mod body;
mod conditions;
mod header_file;
mod payload;

use crate::display::Quoted;
use base64::Engine as _;
use fetch_driver::Settings;
use fetch_proto::Method;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, EXPECT, RANGE, REFERER, USER_AGENT,
};
use http::{HeaderMap, HeaderValue};

use super::login;
use crate::args::CliArgs;
use crate::args::values::HeaderSource;
use crate::exit::CliError;
use crate::input::RequestTemplate;
use crate::robots::{is_product_token, product_name};
use crate::save::ContinueAt;
use payload::payload;
pub(super) use payload::uploads;

/// The method and body of requests whose rows set no others.
pub(super) fn template(args: &CliArgs) -> Result<RequestTemplate, CliError> {
    let method = match &args.request.method {
        Some(method) => method.clone(),
        None if args.request.head => Method::Head,
        None if !args.upload.upload_file.is_empty() => Method::Put,
        None if args.upload.get || args.body.0.is_empty() && args.form.0.is_empty() => Method::Get,
        None => Method::Post,
    };
    let sets_expect = |source: &HeaderSource| matches!(source, HeaderSource::Field(field) if field.name == EXPECT);
    Ok(RequestTemplate {
        asks_before_bodies: !args.request.header.iter().any(sets_expect),
        has_login: false,
        body_dir: payload::body_dir(args)?,
        default_scheme: args.input.proto_default.unwrap_or_default().prefix(),
        https_only: args.input.proto == Some(false),
        keeps_redirects: args.report.dump_header.is_some(),
        method,
        netrc: None,
        path_as_is: args.request_detail.path_as_is,
        redirect_check: None,
        // An archive has, and records may have, the bodies of errors, too.
        skip_error_bodies: args.output.fail
            && !args.output.fail_with_body
            && args.save.warc.is_none()
            && args.report.record_body.is_none(),
        payload: payload(args)?,
        query: payload::query(args)?,
        request_target: args.upload.request_target.clone(),
    })
}

/// Adds the fields of the options to the defaults. Those of `-H` win.
pub(super) fn set_headers(args: &CliArgs, settings: &mut Settings) -> Result<(), CliError> {
    let headers = &mut settings.headers;
    let request = &args.request;
    if args.body.is_json() {
        let json = HeaderValue::from_static("application/json");
        headers.insert(CONTENT_TYPE, json.clone());
        headers.insert(ACCEPT, json);
    } else if !args.body.0.is_empty() && !args.upload.get {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
    }
    let range = match (&args.request_detail.range, args.save.continue_at) {
        (Some(range), _) => Some(format!("bytes={range}")),
        // A body without a file: the rest of it is all that is asked for.
        (None, Some(ContinueAt::Offset(offset)))
            if offset > 0
                && args.upload.upload_file.is_empty()
                && args.save.directory().is_none() =>
        {
            Some(format!("bytes={offset}-"))
        }
        (None, _) => None,
    };
    for (option, name, value) in [
        ("--range", RANGE, range.as_ref()),
        ("--referer", REFERER, args.request_detail.referer.as_ref()),
        ("--user-agent", USER_AGENT, request.user_agent.as_ref()),
    ] {
        match value.map(String::as_str) {
            Some("") => drop(headers.remove(name)),
            Some(value) => drop(headers.insert(name, field(option, value)?)),
            None => {}
        }
    }
    if let Some(contact) = &args.robots.contact {
        let agent = headers
            .get(USER_AGENT)
            .and_then(|agent| agent.to_str().ok());
        let agent = format!("{} (+{contact})", agent.unwrap_or_default());
        headers.insert(USER_AGENT, field("--contact", &agent)?);
    }
    conditions::set_conditions(args, headers)?;
    if let Some(user) = request.user.as_ref().filter(|_| login::is_basic(args)) {
        headers.insert(AUTHORIZATION, basic(user));
    }
    if let Some(token) = &args.request_detail.oauth2_bearer {
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let why = |_| {
            CliError::usage(
                "--oauth2-bearer: not valid in a header field: remove control characters",
            )
        };
        let mut value = value.map_err(why)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    let options = header_file::fields(&request.header)?;
    for option in &options {
        // `-H` replaces defaults; several fields of the same name are all sent.
        headers.remove(&option.name);
        if option.name == ACCEPT_ENCODING && option.value.is_none() {
            settings.request_codings = false;
        }
    }
    for option in &options {
        if let Some(value) = &option.value {
            headers.append(option.name.clone(), value.clone());
        }
    }
    Ok(())
}

/// The product token that robots.txt is matched against; `None` without `--robots`.
///
/// # Errors
///
/// If the token has other characters than letters, digits, `-` and `_`.
pub(super) fn robots_agent(
    args: &CliArgs,
    headers: &HeaderMap,
) -> Result<Option<String>, CliError> {
    if let Some(token) = &args.robots.user_agent_token
        && !is_product_token(token)
    {
        return Err(CliError::usage(format!(
            "--user-agent-token {}: write only letters, digits, - and _, such as MyBot",
            Quoted(token)
        )));
    }
    let agent = headers.get(USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    let token = match &args.robots.user_agent_token {
        Some(token) => token.clone(),
        None => agent
            .and_then(product_name)
            .unwrap_or("fetch-all")
            .to_owned(),
    };
    Ok(args.robots.robots.then_some(token))
}

/// The value of `Authorization` for basic authentication (RFC 7617).
fn basic(user: &str) -> HeaderValue {
    let text = base64::engine::general_purpose::STANDARD.encode(user);
    let mut value =
        HeaderValue::try_from(format!("Basic {text}")).expect("base64 is valid in a header field");
    value.set_sensitive(true);
    value
}

fn field(option: &str, value: &str) -> Result<HeaderValue, CliError> {
    HeaderValue::try_from(value).map_err(|_| {
        CliError::usage(format!(
            "{option} {}: not valid in a header field: remove control characters",
            Quoted(value)
        ))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn args(options: &[&str]) -> CliArgs {
        CliArgs::try_parse_from(["fetch-all"].iter().chain(options)).unwrap()
    }

    fn fields(options: &[&str]) -> Vec<String> {
        let mut settings = Settings::default();
        settings.headers.remove(USER_AGENT);
        set_headers(&args(options), &mut settings).unwrap();
        let mut all: Vec<_> = settings
            .headers
            .iter()
            .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()))
            .collect();
        all.sort();
        all
    }

    #[test]
    fn fields_replace_defaults_and_add_to_each_other() {
        assert_eq!(fields(&["-H", "Accept:"]), Vec::<String>::new());
        assert_eq!(
            fields(&["-H", "X-A: 1", "-H", "X-A: 2"]),
            ["accept: */*", "x-a: 1", "x-a: 2"]
        );
        assert_eq!(fields(&["-H", "accept: b"]), ["accept: b"]);
        assert_eq!(fields(&["-u", "a:b"])[1], "authorization: Basic YTpi");
    }

    #[test]
    fn a_body_makes_a_post_unless_a_method_is_given() {
        let method = |options: &[&str]| template(&args(options)).unwrap().method;
        assert_eq!(method(&["-d", "a=1"]), Method::Post);
        assert_eq!(method(&["-X", "PUT", "--json", "{}"]), Method::Put);
        assert_eq!(method(&["-I"]), Method::Head);
    }

    #[test]
    fn referer_range_and_bearer_token_become_fields() {
        assert!(fields(&["-e", "http://a.test/"]).contains(&"referer: http://a.test/".to_owned()));
        assert!(fields(&["--range", "0-9"]).contains(&"range: bytes=0-9".to_owned()));
        let bearer = fields(&["--oauth2-bearer", "t"]);
        assert!(bearer.contains(&"authorization: Bearer t".to_owned()));
        let auto = CliArgs::try_parse_from(["fetch-all", "-e", "http://a.test/;auto"]).unwrap_err();
        assert!(auto.to_string().contains("without ;auto"), "{auto}");
        assert!(set_headers(&args(&["-e", "a\nb"]), &mut Settings::default()).is_err());
    }
}
