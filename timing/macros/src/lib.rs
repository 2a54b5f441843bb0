//! The attribute `#[timed]` of `fetch-timing`; use it from there.

mod arguments;
mod expand;
mod krate;

use proc_macro::TokenStream;
use syn::parse::Parser;
use syn::{ItemFn, parse_macro_input};

/// Implemented in `fetch-timing-macros`; used as `fetch_timing::timed`.
#[proc_macro_attribute]
pub fn timed(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    let expanded = arguments::parse
        .parse(arguments)
        .and_then(|arguments| expand::expand(arguments, function.clone()));
    // With an error the function stays: its callers shall not report that it is missing.
    expanded
        .unwrap_or_else(|error| {
            let error = error.into_compile_error();
            quote::quote!(#error #function)
        })
        .into()
}
