//! The layers a setting may come from, strongest first: flag, environment, env file, TOML file, default.

use std::collections::BTreeMap;
use std::path::Path;

use super::ConfigError;
use super::declare::{Kind, SETTINGS};
use crate::ledger::Limits;

/// Texts by setting name.
type Layer = BTreeMap<String, String>;

/// Limits by the plan's name.
type PlanTables = BTreeMap<String, Limits>;

/// What was found in each layer, by setting name.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    values: Vec<Layer>,
    plans: PlanTables,
}

impl Layers {
    /// Gathers the layers. `flags` are already by setting name; the environment is this process's.
    ///
    /// # Errors
    /// A file that cannot be read or parsed, or a key of the TOML file that is no setting.
    pub fn gather(
        flags: BTreeMap<String, String>,
        env_file: Option<&Path>,
        config_file: Option<&Path>,
    ) -> Result<Self, ConfigError> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let mut layers = vec![flags, environment];
        if let Some(path) = env_file {
            layers.push(parse_env(&read(path)?, path)?);
        }
        let mut plans = BTreeMap::new();
        if let Some(path) = config_file {
            let (values, found) = parse_toml(&read(path)?, path)?;
            layers.push(values);
            plans = found;
        }
        Ok(Self { values: layers, plans })
    }

    /// Layers of one map, for tests and embedding.
    #[must_use]
    pub fn of(values: BTreeMap<String, String>) -> Self {
        Self { values: vec![values], plans: BTreeMap::new() }
    }

    /// The plans of the TOML file.
    #[must_use]
    pub fn plans(&self) -> &BTreeMap<String, Limits> {
        &self.plans
    }

    /// The strongest value of `name`; an empty one is "not set".
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values
            .iter()
            .filter_map(|layer| layer.get(name))
            .map(String::as_str)
            .find(|value| !value.is_empty())
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|error| ConfigError(format!("{} cannot be read: {error}", path.display())))
}

/// `NAME=value` lines as compose and systemd take them: comments, `export`, quotes.
fn parse_env(text: &str, path: &Path) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut values = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) =
            line.strip_prefix("export ").unwrap_or(line).split_once('=').ok_or_else(|| {
                ConfigError(format!("{}, line {}: not NAME=value", path.display(), number + 1))
            })?;
        let value = value.trim();
        let quoted = ['"', '\''].iter().find_map(|quote| {
            value.strip_prefix(*quote).and_then(|rest| rest.strip_suffix(*quote))
        });
        let plain = || value.split(" #").next().unwrap_or_default().trim_end();
        values.insert(name.trim().to_owned(), quoted.unwrap_or_else(plain).to_owned());
    }
    Ok(values)
}

/// Settings by name, and the tables `[plans.NAME]`.
fn parse_toml(text: &str, path: &Path) -> Result<(Layer, PlanTables), ConfigError> {
    let mut table: toml::Table = text
        .parse()
        .map_err(|error| ConfigError(format!("{} is not TOML: {error}", path.display())))?;
    let plans = match table.remove("plans") {
        None => BTreeMap::new(),
        Some(toml::Value::Table(plans)) => plans
            .into_iter()
            .map(|(name, limits)| Ok((name.clone(), plan(&name, limits)?)))
            .collect::<Result<_, ConfigError>>()?,
        Some(_) => {
            let why = "plans is not a table; a plan is one like [plans.free]";
            return Err(ConfigError(format!("{}: {why}", path.display())));
        }
    };
    let values = table.into_iter().map(|(key, value)| {
        let name = key.to_ascii_uppercase();
        let is_known = SETTINGS.iter().any(|setting| {
            setting.toml_key() == key
                || (setting.kind == Kind::Secret && format!("{}_file", setting.toml_key()) == key)
        });
        if !is_known {
            return Err(ConfigError(format!("{}: there is no setting \"{key}\"", path.display())));
        }
        Ok((name, plain_text(&key, value)?))
    });
    Ok((values.collect::<Result<_, _>>()?, plans))
}

/// The limits of a plan; 0 and up, and what is not given is not limited.
fn plan(name: &str, limits: toml::Value) -> Result<Limits, ConfigError> {
    let toml::Value::Table(table) = limits else {
        return Err(ConfigError(format!("plans.{name} is not a table like [plans.{name}].")));
    };
    let mut plan = Limits::default();
    for (key, value) in table {
        let number = value.as_integer().and_then(|number| u64::try_from(number).ok());
        let number = number.filter(|number| *number <= 1 << 40).ok_or_else(|| {
            ConfigError(format!("plans.{name}.{key} is {value}, which is not a number from 0."))
        })?;
        match key.as_str() {
            "api_calls" => plan.api_calls = Some(number),
            "conversions" => plan.conversions = Some(number),
            "audio_minutes" => plan.audio_minutes = Some(number),
            "storage_mb" => plan.storage_bytes = Some(number << 20),
            _ => {
                return Err(ConfigError(format!(
                    "plans.{name}.{key}: a plan has api_calls, conversions, audio_minutes and storage_mb."
                )));
            }
        }
    }
    Ok(plan)
}

fn plain_text(key: &str, value: toml::Value) -> Result<String, ConfigError> {
    match value {
        toml::Value::String(text) => Ok(text),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Boolean(truth) => Ok(truth.to_string()),
        toml::Value::Array(items) => {
            let items: Result<Vec<String>, _> =
                items.into_iter().map(|item| plain_text(key, item)).collect();
            Ok(items?.join(","))
        }
        toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => {
            Err(ConfigError(format!("{key} takes a text, a whole number, true, false or a list")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn env_files_are_read_as_other_tools_read_them() {
        let text = "# comment\nexport A=1\nB = \"two words # kept\"\nC='3' \nD=4 # gone\nE=\n";
        let values = parse_env(text, Path::new("x")).expect("an env file");
        let get = |name: &str| values.get(name).map(String::as_str);
        assert_eq!(
            [get("A"), get("B"), get("C"), get("D"), get("E")],
            [Some("1"), Some("two words # kept"), Some("3"), Some("4"), Some("")]
        );
        assert!(parse_env("nonsense", Path::new("x")).is_err());
    }

    #[test]
    fn an_unknown_key_of_the_toml_file_is_named() {
        let error = parse_toml("max_uplod_mb = 3", Path::new("mill.toml")).expect_err("a typo");
        assert_eq!(error.0, "mill.toml: there is no setting \"max_uplod_mb\"");
        let values =
            parse_toml("workers = 2\nlisten = [\"a\", \"b\"]", Path::new("x")).expect("a file").0;
        assert_eq!(values.get("LISTEN").map(String::as_str), Some("a,b"));
    }

    #[test]
    fn a_stronger_layer_wins_and_an_empty_value_is_none() {
        let layer = |value: &str| BTreeMap::from([(String::from("X"), value.to_owned())]);
        let layers = Layers {
            values: vec![layer(""), layer("second"), layer("third")],
            plans: BTreeMap::new(),
        };
        assert_eq!(layers.get("X"), Some("second"));
    }

    #[test]
    fn plans_are_tables_of_numbers() {
        let plans = |text: &str| parse_toml(text, Path::new("x")).map(|(_, plans)| plans);
        let text = "workers = 2\n[plans.free]\nconversions = 3\nstorage_mb = 1\n[plans.ours]\n";
        let found = plans(text).expect("plans");
        let free =
            Limits { conversions: Some(3), storage_bytes: Some(1 << 20), ..Limits::default() };
        assert_eq!((found["free"], found["ours"]), (free, Limits::default()));
        for wrong in [
            "plans = 3",
            "[plans]\nfree = 3",
            "[plans.free]\njobs = 3",
            "[plans.free]\nconversions = -1",
        ] {
            assert!(plans(wrong).is_err_and(|error| error.0.contains("plans")), "{wrong}");
        }
    }
}
