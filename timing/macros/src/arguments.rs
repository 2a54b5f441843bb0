//! Reads what stands in the parentheses of `#[timed(…)]`.

use proc_macro2::{Ident, Span};
use syn::meta::ParseNestedMeta;
use syn::parse::{ParseStream, Parser};
use syn::{Error, LitStr, Path, Result};

/// The arguments, checked.
#[derive(Default)]
pub(crate) struct Arguments {
    pub(crate) name: Option<LitStr>,
    pub(crate) level: Option<Ident>,
    pub(crate) krate: Option<Path>,
}

/// Parses the arguments, each at most once.
pub(crate) fn parse(input: ParseStream<'_>) -> Result<Arguments> {
    let mut arguments = Arguments::default();
    syn::meta::parser(|meta| arguments.set(&meta)).parse2(input.parse()?)?;
    Ok(arguments)
}

impl Arguments {
    fn set(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let text = || meta.value()?.parse::<LitStr>();
        if meta.path.is_ident("name") {
            put(&mut self.name, text()?, meta)
        } else if meta.path.is_ident("level") {
            put(&mut self.level, level(&text()?)?, meta)
        } else if meta.path.is_ident("crate") {
            put(&mut self.krate, text()?.parse()?, meta)
        } else {
            Err(meta.error("unknown argument; known are `name`, `level` and `crate`"))
        }
    }
}

fn put<T>(slot: &mut Option<T>, value: T, meta: &ParseNestedMeta<'_>) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(meta.error("this argument is given twice")),
    }
}

fn level(text: &LitStr) -> Result<Ident> {
    let variant = match text.value().to_ascii_lowercase().as_str() {
        "error" => "Error",
        "warn" => "Warn",
        "info" => "Info",
        "debug" => "Debug",
        "trace" => "Trace",
        _ => {
            let known = "unknown level; known are `error`, `warn`, `info`, `debug` and `trace`";
            return Err(Error::new(text.span(), known));
        }
    };
    Ok(Ident::new(variant, Span::call_site()))
}
