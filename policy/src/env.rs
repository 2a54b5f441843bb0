//! Values from the environment.

use toml::{Table, Value};

use crate::keys::Keys;
use crate::{PolicyFile, Wrong};

/// What the names of variables begin with.
const PREFIX: &str = "FETCH_ALL_POLICY_";

impl PolicyFile {
    /// The same file with values from the environment in the place of its own.
    ///
    /// `FETCH_ALL_POLICY_LIMITS__PER_HOST=4` is `limits.per_host = 4`: two underscores between a table
    /// and what is in it; a number for one of several, from 0: `FETCH_ALL_POLICY_RULE__0__ATTEMPTS=1`.
    /// Values are TOML; what is not, is a text: `FETCH_ALL_POLICY_DEFAULT__TIMEOUTS__ATTEMPT=9s`.
    ///
    /// ```
    /// let file = fetch_policy::PolicyFile::parse("p.toml", "limits.per_host = 8")?;
    /// let vars = [("FETCH_ALL_POLICY_LIMITS__PER_HOST", "4")];
    /// assert_eq!(file.with_env(vars)?.config()?.per_host_limit(), Some(4));
    /// # Ok::<(), fetch_policy::Wrong>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A variable with the prefix names no key, or its value is no good.
    pub fn with_env<N, V>(mut self, vars: impl IntoIterator<Item = (N, V)>) -> Result<Self, Wrong>
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
            let set = set(&mut table, &path, parse(&value));
            set.map_err(|why| wrong(&name, &value, why))?;
            names.push(name);
        }
        if names.is_empty() {
            return Ok(self);
        }
        // All are set before any is judged: together they may make a table.
        let names = names.join(", ");
        let keys = Value::Table(table.clone()).try_into::<Keys>();
        self.keys = keys.map_err(|error| wrong(&names, "", error.message()))?;
        self.config()
            .map_err(|error| wrong(&names, "", &error.why))?;
        self.overridden = Some(table);
        Ok(self)
    }
}

fn wrong(name: &str, value: &str, why: &str) -> Wrong {
    Wrong {
        name: name.to_owned(),
        place: None,
        text: value.to_owned(),
        why: why.to_owned(),
    }
}

/// The value as TOML; as a text if it is none.
fn parse(value: &str) -> Value {
    let table: Option<Table> = format!("value = {value}").parse().ok();
    let parsed = table.and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(value.to_owned()))
}

/// Puts `value` at `path`.
fn set(table: &mut Table, path: &[&str], value: Value) -> Result<(), &'static str> {
    let Some((name, rest)) = path.split_first() else {
        return Err("the variable names nothing");
    };
    if rest.is_empty() {
        table.insert((*name).to_owned(), value);
        return Ok(());
    }
    let next = table
        .entry(*name)
        .or_insert_with(|| Value::Table(Table::new()));
    match next {
        Value::Table(table) => set(table, rest, value),
        Value::Array(array) => {
            let (index, rest) = rest
                .split_first()
                .ok_or("say which of the several, from 0")?;
            let index: usize = index
                .parse()
                .map_err(|_| "say which of the several, from 0")?;
            match array.get_mut(index) {
                Some(Value::Table(table)) => set(table, rest, value),
                _ => Err("the file has not so many of them"),
            }
        }
        _ => Err("that is a value, and has nothing in it"),
    }
}
