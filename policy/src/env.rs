//! Overrides from environment variables.

use toml::{Table, Value};

use crate::keys::FileKeys;
use crate::{PolicyError, PolicyErrorKind, PolicyFile};

/// Prefix of the variables that override a policy file.
const PREFIX: &str = "FETCH_ALL_POLICY_";

impl PolicyFile {
    /// This file with values overridden by environment variables. The order of all sources is
    /// described at [`PolicyPatch`](fetch_proto::PolicyPatch).
    ///
    /// `FETCH_ALL_POLICY_LIMITS__PER_HOST=4` sets `limits.per_host = 4`: two underscores separate a table
    /// from its keys. Rules and targets have an index from 0: `FETCH_ALL_POLICY_RULE__0__ATTEMPTS=1`.
    /// Values are TOML; a value that is not TOML is a string: `FETCH_ALL_POLICY_DEFAULT__TIMEOUTS__ATTEMPT=9s`.
    ///
    /// ```
    /// let file = fetch_policy::PolicyFile::parse("p.toml", "limits.per_host = 8")?;
    /// let vars = [("FETCH_ALL_POLICY_LIMITS__PER_HOST", "4")];
    /// assert_eq!(file.with_env(vars)?.config()?.per_host_limit(), Some(4));
    /// # Ok::<(), fetch_policy::PolicyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If a variable with the prefix names no known key, or its value is invalid or contradicts
    /// another key.
    pub fn with_env<N, V>(
        mut self,
        vars: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, PolicyError>
    where
        N: AsRef<str>,
        V: AsRef<str>,
    {
        let mut vars: Vec<_> = vars
            .into_iter()
            .filter_map(|(name, value)| {
                let path = name.as_ref().strip_prefix(PREFIX)?.to_ascii_lowercase();
                Some((name.as_ref().to_owned(), path, value.as_ref().to_owned()))
            })
            .collect();
        vars.sort();
        let mut table = self
            .overridden
            .take()
            .map_or_else(|| self.text.parse(), Ok)?;
        let mut names = Vec::new();
        for (name, path, value) in vars {
            let path: Vec<_> = path.split("__").collect();
            let set = set_at_path(&mut table, &path, parse_value(&value));
            set.map_err(|why| variable_error(&name, &value, why))?;
            let path = path.into_iter().map(str::to_owned).collect();
            self.variables.push((path, name.clone()));
            names.push(name);
        }
        if names.is_empty() {
            return Ok(self);
        }
        // Set all before validating: a table may need several of them.
        let names = names.join(", ");
        let keys = Value::Table(table.clone()).try_into::<FileKeys>();
        self.keys = keys.map_err(|error| variable_error(&names, "", error.message()))?;
        self.config()
            .map_err(|error| variable_error(&names, "", &error.message))?;
        self.overridden = Some(table);
        Ok(self)
    }
}

fn variable_error(name: &str, value: &str, why: &str) -> PolicyError {
    PolicyError {
        name: name.to_owned(),
        position: None,
        text: value.to_owned(),
        message: why.to_owned(),
        kind: PolicyErrorKind::Invalid,
    }
}

/// Parses a value as TOML; falls back to a string.
fn parse_value(value: &str) -> Value {
    let table: Option<Table> = format!("value = {value}").parse().ok();
    let parsed = table.and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(value.to_owned()))
}

/// Sets the value at `path`, creating tables on the way.
fn set_at_path(table: &mut Table, path: &[&str], value: Value) -> Result<(), &'static str> {
    let Some((name, rest)) = path.split_first() else {
        return Err("the variable names no key");
    };
    if rest.is_empty() {
        table.insert((*name).to_owned(), value);
        return Ok(());
    }
    let next = table
        .entry(*name)
        .or_insert_with(|| Value::Table(Table::new()));
    match next {
        Value::Table(table) => set_at_path(table, rest, value),
        Value::Array(array) => {
            let (index, rest) = rest
                .split_first()
                .ok_or("`__INDEX` is missing: add the index of the entry, counted from 0")?;
            let index: usize = index
                .parse()
                .map_err(|_| "`__INDEX` is missing: add the index of the entry, counted from 0")?;
            match array.get_mut(index) {
                Some(Value::Table(table)) => set_at_path(table, rest, value),
                _ => Err("the file has no entry with this index"),
            }
        }
        _ => Err("the name continues below a key that is not a table"),
    }
}
