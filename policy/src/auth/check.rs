//! Finds profiles that are never used, and rules that name none.

use super::AuthSettings;
use crate::keys::FileKeys;

/// The origins that apply to nothing, because another profile has the same one: the name of the
/// profile, the position of the origin, and why.
pub(crate) fn unused_origins(
    profiles: &[AuthSettings],
    keys: &FileKeys,
) -> Vec<(String, usize, String)> {
    let mut found = Vec::new();
    let scope = |url: &url::Url| (url.origin(), url.path().trim_end_matches('/').to_owned());
    for (later, profile) in profiles.iter().enumerate() {
        let is_chosen = chosen_profiles(keys).any(|name| name == profile.name);
        for (index, origin) in profile.origins.iter().enumerate() {
            let same =
                |other: &&AuthSettings| other.origins.iter().any(|one| scope(one) == scope(origin));
            let before = profiles[..later].iter().find(same);
            if let Some(before) = before.filter(|_| !is_chosen) {
                let why = format!(
                    "this origin matches nothing: [auth.{}] has it too; let a rule choose this profile by \
                     auth = \"{}\", or remove one of them",
                    before.name, profile.name
                );
                found.push((profile.name.clone(), index, why));
            }
        }
    }
    found
}

/// The first table that names a profile which does not exist: its path, and why.
pub(crate) fn check_rules(keys: &FileKeys) -> Option<(Vec<String>, String)> {
    let base = (vec!["default".to_owned()], &keys.default);
    let rules = keys.rule.iter().enumerate();
    let rules = rules.map(|(index, rule)| (vec!["rule".to_owned(), index.to_string()], rule));
    let mut all = std::iter::once(base).chain(rules);
    all.find_map(|(mut path, policy)| {
        let name = policy.auth.as_deref()?;
        let is_known = matches!(name, "auto" | "none") || keys.auth.contains_key(name);
        if is_known {
            return None;
        }
        let near = keys.auth.keys();
        let near = near.min_by_key(|known| strsim::damerau_levenshtein(name, known));
        let near = near.filter(|known| strsim::damerau_levenshtein(name, known) <= 3);
        let fix = match near {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("add [auth.{name}], or write \"none\" for no authentication"),
        };
        path.push("auth".to_owned());
        Some((path, format!("there is no profile of this name: {fix}")))
    })
}

fn chosen_profiles(keys: &FileKeys) -> impl Iterator<Item = &str> {
    let all = std::iter::once(&keys.default).chain(&keys.rule);
    all.filter_map(|policy| policy.auth.as_deref())
}
