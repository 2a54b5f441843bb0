//! What every request has: method, header fields, body.

use bytes::Bytes;
use fetch_proto::{Method, Rules};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RANGE, REFERER, USER_AGENT};
use http::{HeaderMap, HeaderValue};

use super::body::body;
use crate::args::CliArgs;
use crate::exit::CliError;
use crate::input::RequestTemplate;
use crate::input::logins;

/// The method and the body.
pub(crate) fn feed(args: &CliArgs) -> Result<RequestTemplate, CliError> {
    let method = match &args.request.method {
        Some(method) => method.clone(),
        None if args.request.head => Method::Head,
        None if args.data.0.is_empty() => Method::Get,
        None => Method::Post,
    };
    Ok(RequestTemplate {
        body: Bytes::from(body(args)?),
        logins: None,
        method,
        path_as_is: args.send.path_as_is,
        rules: Rules::default(),
    })
}

/// The fields that every request has: the defaults, those that other options imply, those of `-H`.
pub(crate) fn headers(args: &CliArgs, headers: &mut HeaderMap) -> Result<(), CliError> {
    let request = &args.request;
    if args.data.is_json() {
        let json = HeaderValue::from_static("application/json");
        headers.insert(CONTENT_TYPE, json.clone());
        headers.insert(ACCEPT, json);
    } else if !args.data.0.is_empty() {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
    }
    let range = args
        .send
        .range
        .as_ref()
        .map(|range| format!("bytes={range}"));
    for (option, name, value) in [
        ("--range", RANGE, range.as_ref()),
        ("--referer", REFERER, args.send.referer.as_ref()),
        ("--user-agent", USER_AGENT, request.user_agent.as_ref()),
    ] {
        if let Some(value) = value {
            headers.insert(name, field(option, value)?);
        }
    }
    if let Some(contact) = &args.polite.contact {
        let agent = headers
            .get(USER_AGENT)
            .and_then(|agent| agent.to_str().ok());
        let agent = format!("{} (+{contact})", agent.unwrap_or_default());
        headers.insert(USER_AGENT, field("--contact", &agent)?);
    }
    if let Some(user) = &request.user {
        headers.insert(AUTHORIZATION, logins::basic(user));
    }
    if let Some(token) = &args.send.oauth2_bearer {
        let value = HeaderValue::try_from(format!("Bearer {token}"));
        let why = |_| CliError::usage("--oauth2-bearer: no header field can hold this text");
        let mut value = value.map_err(why)?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    for option in &request.header {
        // The first replaces a default, others of that name are added.
        headers.remove(&option.name);
    }
    for option in &request.header {
        if let Some(value) = &option.value {
            headers.append(option.name.clone(), value.clone());
        }
    }
    Ok(())
}

/// The name that robots.txt knows this program by: what the user agent begins with.
pub(crate) fn robots(args: &CliArgs, headers: &HeaderMap) -> Option<String> {
    args.polite.robots.then(|| {
        let agent = headers
            .get(USER_AGENT)
            .and_then(|agent| agent.to_str().ok());
        let name = agent.and_then(|agent| agent.split(['/', ' ', '(', ';']).next());
        name.filter(|name| !name.is_empty())
            .unwrap_or("fetch-all")
            .to_owned()
    })
}

fn field(option: &str, value: &str) -> Result<HeaderValue, CliError> {
    HeaderValue::try_from(value).map_err(|_| {
        CliError::usage(format!(
            "{option} {value:?}: no header field can hold this text"
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
        let mut map = HeaderMap::new();
        map.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers(&args(options), &mut map).unwrap();
        let mut all: Vec<_> = map
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
    fn a_body_is_posted_unless_a_method_is_named() {
        let method = |options: &[&str]| feed(&args(options)).unwrap().method;
        assert_eq!(method(&["-d", "a=1"]), Method::Post);
        assert_eq!(method(&["-X", "PUT", "--json", "{}"]), Method::Put);
        assert_eq!(method(&["-I"]), Method::Head);
    }

    #[test]
    fn options_of_their_own_make_fields() {
        assert!(fields(&["-e", "http://a.test/"]).contains(&"referer: http://a.test/".to_owned()));
        assert!(fields(&["--range", "0-9"]).contains(&"range: bytes=0-9".to_owned()));
        let bearer = fields(&["--oauth2-bearer", "t"]);
        assert!(bearer.contains(&"authorization: Bearer t".to_owned()));
        assert!(headers(&args(&["-e", "a\nb"]), &mut HeaderMap::new()).is_err());
    }
}
