//! Settings: declared once, read from flags, environment, files and defaults, checked before anything starts.
//!
//! Owns: names, defaults, meaning and parsing of every setting; the only reader of the environment.
//! Never: acting on them.
//! Used by: `app`, `cli`.

pub mod declare;
pub mod layers;
mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::{ByteSize, Secret};
use crate::jobs::admission::AllowedTypes;
use crate::{http, jobs, observe, storage};
use layers::Layers;
use values::Values;

/// Everything a server is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where it listens.
    pub listen: Vec<Address>,
    /// Database, secret, crash record.
    pub data_dir: PathBuf,
    /// The database file.
    pub database: PathBuf,
    /// Conversions at once.
    pub workers: usize,
    /// Given secret; one is made when there is none.
    pub secret_key: Option<Secret>,
    /// The static key.
    pub static_key: Option<Secret>,
    /// The owner's e-mail.
    pub owner_email: String,
    /// Of `storage`.
    pub storage: storage::Settings,
    /// Of `jobs`.
    pub jobs: jobs::Settings,
    /// Of `http`.
    pub http: http::Settings,
    /// Of `observe`.
    pub log: observe::Settings,
    /// Sentences about settings that have another name now.
    pub warnings: Vec<String>,
}

/// One place to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A socket file.
    Unix(PathBuf),
}

/// Why the settings do not hold: one sentence that names the key, the value and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub String);

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(layers: &Layers) -> Result<Self, ConfigError> {
        let values = Values::new(layers)?;
        let data_dir = values.path("DATA_DIR")?;
        let below = |name: &str, default: &str| {
            values.optional_path(name).unwrap_or_else(|| data_dir.join(default))
        };
        Ok(Self {
            listen: values.listen()?,
            database: database_file(&values, &data_dir)?,
            workers: values.workers()?,
            secret_key: values.secret("SECRET_KEY", 32)?,
            static_key: values.secret("PORTAL_AUTH_KEY", 32)?,
            owner_email: values.text("OWNER_EMAIL").unwrap_or_else(|| String::from("owner")),
            storage: storage::Settings {
                upload_dir: below("UPLOAD_DIR", "uploads"),
                output_dir: below("OUTPUT_DIR", "transcoded"),
                min_free: ByteSize::mebi(values.number("MIN_FREE_MB", 0, 1 << 30)?),
            },
            jobs: jobs::Settings {
                max_upload: ByteSize::mebi(values.number("MAX_UPLOAD_MB", 1, 1 << 30)?),
                queue_limit: values.number("QUEUE_LIMIT", 1, 1_000_000)?,
                job_timeout: Duration::from_secs(values.number(
                    "JOB_TIMEOUT_SECONDS",
                    1,
                    1 << 30,
                )?),
                allowed_types: values
                    .list("ALLOWED_UPLOAD_TYPES")
                    .map_or(AllowedTypes::AnySound, AllowedTypes::Only),
            },
            http: http::Settings { public_origins: values.origins("PUBLIC_URL")? },
            log: values.log()?,
            warnings: values.warnings(),
            data_dir,
        })
    }
}

fn database_file(values: &Values, data_dir: &Path) -> Result<PathBuf, ConfigError> {
    match values.text("DATABASE_URL") {
        None => Ok(data_dir.join("audiomill.db")),
        Some(url) => match url.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(PathBuf::from(path.trim_start_matches("//"))),
            _ => Err(ConfigError(String::from(
                "DATABASE_URL takes sqlite:PATH; other databases are not built yet.",
            ))),
        },
    }
}
