//! Hints for options of other commands that do not exist here.

mod curl;
mod img2dataset;
mod wget;
mod words;

pub(super) use words::hint as words_hint;
pub(in crate::config) use words::taken_url;

/// The names of options, without dashes, and what to write instead.
type Hint = (&'static [&'static str], &'static str);

/// The hint for the option of this name, without dashes.
pub(super) fn hint(name: &str) -> Option<&'static str> {
    let name = name.replace('_', "-");
    // curl's --expand-OPTION replaces the variables in the value of an option.
    let name = match name.starts_with("expand-") {
        true => "variable",
        false => &name,
    };
    all()
        .find(|(names, _)| names.contains(&name))
        .map(|(_, hint)| *hint)
}

fn all() -> impl Iterator<Item = &'static Hint> {
    let tables = [curl::OPTIONS, wget::OPTIONS, img2dataset::OPTIONS];
    tables.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hint_is_for_an_existing_option() {
        let command = crate::args::command();
        for option in command.get_arguments() {
            for (names, _) in all() {
                let long = option.get_long_and_visible_aliases().into_iter().flatten();
                let short = option.get_short().map(String::from);
                // -i and -j have another meaning, which the messages about their values explain.
                let short = short.filter(|short| short != "i" && short != "j");
                let mut own = long.chain(short.as_deref());
                assert!(!own.any(|name| names.contains(&name)), "{option} {names:?}");
            }
        }
    }
}
