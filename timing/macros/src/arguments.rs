//! Parses the arguments of `#[timed(…)]`.

use proc_macro2::{Ident, Span};
use syn::meta::ParseNestedMeta;
use syn::parse::{ParseStream, Parser};
use syn::{Error, LitStr, Path, Result};

/// The parsed arguments.
#[derive(Default)]
pub(crate) struct TimedArguments {
    pub(crate) name: Option<LitStr>,
    pub(crate) level: Option<Ident>,
    pub(crate) krate: Option<Path>,
}

/// Parses the arguments. Each may occur once.
pub(crate) fn parse(input: ParseStream<'_>) -> Result<TimedArguments> {
    let mut arguments = TimedArguments::default();
    syn::meta::parser(|meta| arguments.parse_argument(&meta)).parse2(input.parse()?)?;
    Ok(arguments)
}

impl TimedArguments {
    fn parse_argument(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let text = || meta.value()?.parse::<LitStr>();
        if meta.path.is_ident("name") {
            set_once(&mut self.name, text()?, meta)
        } else if meta.path.is_ident("level") {
            set_once(&mut self.level, parse_level(&text()?)?, meta)
        } else if meta.path.is_ident("crate") {
            set_once(&mut self.krate, text()?.parse()?, meta)
        } else {
            Err(meta.error("unknown argument: use `name`, `level` or `crate`"))
        }
    }
}

fn set_once<T>(slot: &mut Option<T>, value: T, meta: &ParseNestedMeta<'_>) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(meta.error("this argument is given twice")),
    }
}

fn parse_level(text: &LitStr) -> Result<Ident> {
    let variant = match text.value().to_ascii_lowercase().as_str() {
        "error" => "Error",
        "warn" => "Warn",
        "info" => "Info",
        "debug" => "Debug",
        "trace" => "Trace",
        _ => {
            let message = "unknown level: use `error`, `warn`, `info`, `debug` or `trace`";
            return Err(Error::new(text.span(), message));
        }
    };
    Ok(Ident::new(variant, Span::call_site()))
}
