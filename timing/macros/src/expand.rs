//! Rewrites the body of the function to measure itself.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::ext::IdentExt;
use syn::visit_mut::{self, VisitMut};
use syn::{Error, Expr, ItemFn, Result, ReturnType, Type, parse_quote};

use crate::arguments::TimedArguments;
use crate::krate;

/// Rewrites the body of `function` only.
pub(crate) fn expand(arguments: TimedArguments, mut function: ItemFn) -> Result<TokenStream> {
    if let Some(constness) = &function.sig.constness {
        let reason = "`#[timed]` cannot time a `const fn`, because there is no clock at compile time: \
                      remove `const` or time the callers";
        return Err(Error::new_spanned(constness, reason));
    }
    let krate = arguments.krate.map_or_else(krate::find_path, Ok)?;
    let level = arguments.level.unwrap_or_else(|| format_ident!("Info"));
    let name: Expr = match arguments.name {
        Some(name) => parse_quote!(#name),
        None => {
            let name = format!("::{}", function.sig.ident.unraw());
            parse_quote!(::core::concat!(::core::module_path!(), #name))
        }
    };
    let (statements, output) = (&function.block.stmts, &function.sig.output);
    let arguments = quote!(#krate::Level::#level, #name);
    let hint = output_hint(output);
    let has_value = returns_a_value(output);
    let outcome = outcome(&krate);
    *function.block = match (function.sig.asyncness.is_some(), has_value) {
        (true, true) => parse_quote!({
            #krate::attribute::timed_future(#arguments, async move { #hint #(#statements)* }, #outcome).await
        }),
        (true, false) => parse_quote!({
            #krate::TimedExt::timed_at(async move { #hint #(#statements)* }, #arguments).await
        }),
        (false, true) => parse_quote!({
            #krate::attribute::timed_call(#arguments, move || { #hint #(#statements)* }, #outcome)
        }),
        (false, false) => parse_quote!({
            let _timed_scope = #krate::Scope::at(#arguments);
            #(#statements)*
        }),
    };
    Ok(function.into_token_stream())
}

fn returns_a_value(output: &ReturnType) -> bool {
    match output {
        ReturnType::Default => false,
        ReturnType::Type(_, output) => match &**output {
            Type::Never(_) => false,
            Type::Tuple(tuple) => !tuple.elems.is_empty(),
            _ => true,
        },
    }
}

/// A function that says whether an output is an `Err`, of any type, also behind an alias: the methods of
/// an inherent impl, which only a `Result` has, precede those of a trait.
fn outcome(krate: &syn::Path) -> TokenStream {
    quote! {
        |timed_output| {
            #[allow(unused_imports)]
            use #krate::attribute::AnyOutput as _;
            #krate::attribute::OutputOf(timed_output).outcome()
        }
    }
}

/// Returns code that fixes the output type of the `async` block, which the compiler does not infer.
fn output_hint(output: &ReturnType) -> TokenStream {
    let mut output: Type = match output {
        ReturnType::Default => parse_quote!(()),
        // The type `!` is not allowed in a `let`, and needs no hint.
        ReturnType::Type(_, output) if matches!(**output, Type::Never(_)) => return quote!(),
        ReturnType::Type(_, output) => (**output).clone(),
    };
    OpaqueToInferred.visit_type_mut(&mut output);
    quote! {
        #[allow(
            unknown_lints,
            unreachable_code,
            clippy::diverging_sub_expression,
            clippy::empty_loop,
            clippy::let_unit_value,
            clippy::let_with_type_underscore,
            clippy::needless_return
        )]
        if false {
            let output: #output = loop {};
            return output;
        }
    }
}

/// Replaces each `impl Trait` by `_`, because only a signature may contain it.
struct OpaqueToInferred;

impl VisitMut for OpaqueToInferred {
    fn visit_type_mut(&mut self, node: &mut Type) {
        if let Type::ImplTrait(_) = node {
            *node = parse_quote!(_);
        } else {
            visit_mut::visit_type_mut(self, node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments;
    use syn::parse::Parser;

    fn expand_text(arguments: &str, function: &str) -> Result<String> {
        let arguments = arguments::parse.parse_str(arguments)?;
        expand(arguments, syn::parse_str(function)?).map(|tokens| tokens.to_string())
    }

    fn error(arguments: &str, function: &str) -> String {
        expand_text(arguments, function).unwrap_err().to_string()
    }

    #[test]
    fn only_the_body_changes() {
        let head = "/// Doc.\n#[inline] pub(crate) unsafe extern \"C\" fn f<'a, T: Copy>(x: &'a T) -> &'a T where T: Send";
        let parsed: ItemFn = syn::parse_str(&format!("{head} {{ x }}")).unwrap();
        let timed = expand_text("crate = \"c\"", &format!("{head} {{ x }}")).unwrap();
        let timed: ItemFn = syn::parse_str(&timed).unwrap();
        let head = |function: ItemFn| {
            ItemFn {
                block: parse_quote!({}),
                ..function
            }
            .into_token_stream()
            .to_string()
        };
        assert_eq!(head(timed), head(parsed));
    }

    #[test]
    fn the_given_path_level_and_name_are_used() {
        let arguments = "name = \"n\", level = \"WARN\", crate = \"a::b\"";
        let timed = expand_text(arguments, "fn f() {}")
            .unwrap()
            .replace(' ', "");
        assert!(
            timed.contains("a::b::Scope::at(a::b::Level::Warn,\"n\")"),
            "{timed}"
        );
    }

    #[test]
    fn invalid_uses_are_errors_with_a_reason() {
        assert!(error("", "const fn f() {}").contains("cannot time a `const fn`"));
        assert!(error("level = \"loud\"", "fn f() {}").contains("unknown level"));
        assert!(error("label = \"x\"", "fn f() {}").contains("unknown argument"));
        assert!(error("name = \"a\", name = \"b\"", "fn f() {}").contains("given twice"));
        assert!(error("", "fn f();").contains("expected curly braces"));
    }
}
