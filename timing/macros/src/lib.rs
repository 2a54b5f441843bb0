//! Implementation of the attribute `#[timed]`. Use it from `fetch-timing`.

mod arguments;
mod expand;
mod krate;

use proc_macro::TokenStream;
use syn::parse::Parser;
use syn::{ItemFn, parse_macro_input};

/// Documented as `fetch_timing::timed`.
#[proc_macro_attribute]
pub fn timed(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let function = parse_macro_input!(item as ItemFn);
    let expanded = arguments::parse
        .parse(arguments)
        .and_then(|arguments| expand::expand(arguments, function.clone()));
    // On error, the function itself is still emitted, so that its callers do not cause further errors.
    expanded
        .unwrap_or_else(|error| {
            let error = error.into_compile_error();
            quote::quote!(#error #function)
        })
        .into()
}
