//! From texts to checked values; every refusal names the key, the value and what is allowed.

use std::path::PathBuf;

use super::declare::{Kind, OLD_NAMES, SETTINGS};
use super::layers::Layers;
use super::{Address, ConfigError};
use crate::base::Secret;
use crate::observe::{self, Format};

pub(super) struct Values<'a> {
    layers: &'a Layers,
}

pub(super) fn refused(name: &str, value: &str, allowed: &str) -> ConfigError {
    ConfigError(format!("{name} is \"{value}\", which is not {allowed}."))
}

impl<'a> Values<'a> {
    /// The layers, unless they hold a setting that is not built yet.
    pub(super) fn new(layers: &'a Layers) -> Result<Self, ConfigError> {
        let later = SETTINGS
            .iter()
            .find(|setting| setting.kind == Kind::Later && layers.get(setting.name).is_some());
        match later {
            None => Ok(Self { layers }),
            Some(setting) => Err(ConfigError(format!(
                "{} is not built yet; take it out of the settings.",
                setting.name
            ))),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        let default =
            SETTINGS.iter().find(|setting| setting.name == name).map(|setting| setting.default);
        self.layers.get(name).or(default).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    pub(super) fn optional_path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    pub(super) fn path(&self, name: &str) -> Result<PathBuf, ConfigError> {
        self.optional_path(name).ok_or_else(|| ConfigError(format!("{name} is empty.")))
    }

    pub(super) fn number(&self, name: &str, least: u64, most: u64) -> Result<u64, ConfigError> {
        let text = self.text(name).unwrap_or_default();
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number
            .ok_or_else(|| refused(name, &text, &format!("a whole number from {least} to {most}")))
    }

    /// A number that fits into 32 bits.
    pub(super) fn count(&self, name: &str, least: u32, most: u32) -> Result<u32, ConfigError> {
        let number = self.number(name, u64::from(least), u64::from(most))?;
        Ok(u32::try_from(number).unwrap_or(most))
    }

    pub(super) fn workers(&self) -> Result<usize, ConfigError> {
        if self.text("WORKERS").is_none() {
            return Ok(std::thread::available_parallelism().map_or(1, usize::from));
        }
        Ok(usize::try_from(self.number("WORKERS", 1, 256)?).unwrap_or(1))
    }

    /// Entries of a comma-separated list, in lower case; `None` when there is none.
    pub(super) fn list(&self, name: &str) -> Option<Vec<String>> {
        let entries = self.exact_list(name)?;
        Some(entries.iter().map(|entry| entry.to_ascii_lowercase()).collect())
    }

    /// Entries of a comma-separated list, as they are written; `None` when there is none.
    pub(super) fn exact_list(&self, name: &str) -> Option<Vec<String>> {
        let text = self.text(name)?;
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let entries: Vec<String> = entries.map(str::to_owned).collect();
        (!entries.is_empty()).then_some(entries)
    }

    pub(super) fn origins(&self, name: &str) -> Result<Vec<String>, ConfigError> {
        let origins = self.list(name).unwrap_or_default();
        origins
            .into_iter()
            .map(|origin| {
                let origin = origin.trim_end_matches('/').to_owned();
                let authority =
                    origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
                match authority {
                    Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => {
                        Ok(origin)
                    }
                    _ => Err(refused(name, &origin, "an origin like https://mill.example.org")),
                }
            })
            .collect()
    }

    /// A secret, given by value or by file.
    pub(super) fn secret(&self, name: &str, least: usize) -> Result<Option<Secret>, ConfigError> {
        let file = self.layers.get(&format!("{name}_FILE"));
        let value = match (self.layers.get(name), file) {
            (Some(value), _) => value.to_owned(),
            (None, Some(path)) => std::fs::read_to_string(path)
                .map_err(|error| {
                    ConfigError(format!("{name}_FILE: {path} cannot be read: {error}"))
                })?
                .trim_end_matches(['\r', '\n'])
                .to_owned(),
            (None, None) => return Ok(None),
        };
        if value.len() < least {
            // The value itself is never repeated.
            return Err(ConfigError(format!(
                "{name} has {} characters; it takes at least {least}.",
                value.len()
            )));
        }
        Ok(Some(Secret::new(value)))
    }

    /// PORT counts when LISTEN is not given.
    pub(super) fn listen(&self) -> Result<Vec<Address>, ConfigError> {
        if self.layers.get("LISTEN").is_none() && self.layers.get("PORT").is_some() {
            let port = u16::try_from(self.number("PORT", 0, 65_535)?).unwrap_or(0);
            return Ok(vec![Address::Tcp(([0, 0, 0, 0], port).into())]);
        }
        let text = self.text("LISTEN").unwrap_or_default();
        text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(address).collect()
    }

    pub(super) fn log(&self) -> Result<observe::Settings, ConfigError> {
        let format = match self.text("LOG_FORMAT").as_deref() {
            None => None,
            Some("text") => Some(Format::Text),
            Some("json") => Some(Format::Json),
            Some(other) => return Err(refused("LOG_FORMAT", other, "text or json")),
        };
        Ok(observe::Settings { level: self.text("LOG_LEVEL").unwrap_or_default(), format })
    }

    /// Settings of other names than ours.
    pub(super) fn warnings(&self) -> Vec<String> {
        OLD_NAMES
            .iter()
            .filter(|(old, new)| self.layers.get(old).is_some() && self.layers.get(new).is_none())
            .map(|(old, new)| format!("{old} is set but not read; it is called {new} here"))
            .collect()
    }
}

fn address(text: &str) -> Result<Address, ConfigError> {
    if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        return Ok(Address::Unix(PathBuf::from(path)));
    }
    text.parse().map(Address::Tcp).map_err(|_| {
        refused("LISTEN", text, "an address like 127.0.0.1:8000, [::1]:8000 or unix:/path")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::Config;
    use super::*;

    fn load(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let values: BTreeMap<String, String> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::load(&Layers::of(values))
    }

    #[test]
    fn nothing_set_is_enough() {
        let config = load(&[]).expect("the defaults");
        assert_eq!(config.listen, [Address::Tcp(([127, 0, 0, 1], 8000).into())]);
        assert_eq!(config.storage.upload_dir, PathBuf::from("./data/uploads"));
        assert_eq!(config.jobs.max_upload.0, 500 << 20);
    }

    #[test]
    fn port_alone_means_every_address_and_listen_wins() {
        let port = load(&[("PORT", "9000")]).expect("a port");
        assert_eq!(port.listen, [Address::Tcp(([0, 0, 0, 0], 9000).into())]);
        let both = load(&[("PORT", "9000"), ("LISTEN", "[::1]:1, unix:/x")]).expect("addresses");
        assert_eq!(both.listen.len(), 2);
        assert_eq!(both.listen[1], Address::Unix(PathBuf::from("/x")));
    }

    #[test]
    fn a_refusal_names_key_value_and_what_is_allowed_but_no_secret() {
        let sentence = |pairs: &[(&str, &str)]| load(pairs).expect_err("a refusal").0;
        assert_eq!(
            sentence(&[("MAX_UPLOAD_MB", "lots")]),
            "MAX_UPLOAD_MB is \"lots\", which is not a whole number from 1 to 1073741824."
        );
        assert_eq!(
            sentence(&[("PORTAL_AUTH_KEY", "hunter2")]),
            "PORTAL_AUTH_KEY has 7 characters; it takes at least 32."
        );
        assert!(sentence(&[("LISTEN", "localhost")]).starts_with("LISTEN is \"localhost\""));
        assert!(sentence(&[("PUBLIC_URL", "mill.example.org")]).starts_with("PUBLIC_URL"));
        assert!(sentence(&[("LOG_FORMAT", "xml")]).starts_with("LOG_FORMAT"));
    }

    #[test]
    fn a_setting_that_is_not_built_stops_the_start() {
        let error = load(&[("STORAGE_URL", "s3://bucket")]).expect_err("not built");
        assert!(error.0.starts_with("STORAGE_URL is not built yet"));
    }

    #[test]
    fn old_names_are_warned_about() {
        assert_eq!(load(&[("API_KEY", "x")]).expect("a start").warnings.len(), 1);
    }
}
