//! Finds the path of the timing crate in the caller's crate.

use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Ident, Span};
use syn::{Error, Path, Result, parse_quote};

/// Finds the path by the `Cargo.toml` of the crate being compiled.
pub(crate) fn find_path() -> Result<Path> {
    find_path_by(|package| crate_name(package).ok())
}

fn find_path_by(find: impl Fn(&str) -> Option<FoundCrate>) -> Result<Path> {
    if let Some(found) = find("fetch-timing") {
        let krate = ident(found, "fetch_timing");
        return Ok(parse_quote!(::#krate));
    }
    if let Some(found) = find("fetch-all") {
        let krate = ident(found, "fetch_all");
        return Ok(parse_quote!(::#krate::timing));
    }
    let message = "`#[timed]` needs the crate `fetch-timing` or `fetch-all`: add one to Cargo.toml, \
                  or name its path with `#[timed(crate = \"path\")]`";
    Err(Error::new(Span::call_site(), message))
}

/// Returns the name of the crate. The package's own tests and examples need the library's name, not `crate`.
fn ident(found: FoundCrate, library: &str) -> Ident {
    match found {
        FoundCrate::Itself => Ident::new(library, Span::call_site()),
        FoundCrate::Name(name) => Ident::new(&name, Span::call_site()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::ToTokens;

    fn text(path: Path) -> String {
        path.into_token_stream().to_string().replace(' ', "")
    }

    fn path_with(package: &str, found: FoundCrate) -> String {
        text(find_path_by(|asked| (asked == package).then(|| found.clone())).unwrap())
    }

    #[test]
    fn a_direct_dependency_is_named_as_the_caller_named_it() {
        let renamed = FoundCrate::Name("stopwatch".into());
        assert_eq!(path_with("fetch-timing", renamed), "::stopwatch");
        assert_eq!(
            path_with("fetch-timing", FoundCrate::Itself),
            "::fetch_timing"
        );
    }

    #[test]
    fn the_facade_is_named_with_its_module() {
        let facade = FoundCrate::Name("fetch_all".into());
        assert_eq!(path_with("fetch-all", facade), "::fetch_all::timing");
        assert_eq!(
            path_with("fetch-all", FoundCrate::Itself),
            "::fetch_all::timing"
        );
    }

    #[test]
    fn a_direct_dependency_takes_precedence() {
        let path =
            find_path_by(|package| Some(FoundCrate::Name(package.replace('-', "_")))).unwrap();
        assert_eq!(text(path), "::fetch_timing");
    }

    #[test]
    fn without_a_dependency_the_error_names_both_crates() {
        let error = find_path_by(|_| None).err().unwrap().to_string();
        assert!(
            error.contains("fetch-timing") && error.contains("crate = "),
            "{error}"
        );
    }
}
