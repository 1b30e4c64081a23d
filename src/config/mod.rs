//! Settings: declared once, read from flags, environment, files and defaults, checked before anything starts.
//!
//! Owns: names, defaults, meaning and parsing of every setting; the only reader of the environment.
//! Never: acting on them.
//! Used by: `app`, `cli`.

pub mod declare;
pub mod layers;
mod sign_in;
mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::{ByteSize, Secret};
use crate::jobs::admission::AllowedTypes;
use crate::jobs::hooks;
use crate::ledger::Plans;
use crate::media::limits::{Limits, MetadataLimits};
use crate::outbound::Reach;
use crate::{auth, http, jobs, observe, storage};
use layers::Layers;
use values::{Values, refused};

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
    /// Of `auth`, but for the secret.
    pub auth: auth::Settings,
    /// Of `storage`.
    pub storage: storage::Settings,
    /// Of `jobs`.
    pub jobs: jobs::Settings,
    /// What accounts may use in a month.
    pub plans: Plans,
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
        let (listen, auth) = (values.listen()?, sign_in::settings(&values)?);
        let mut warnings = values.warnings();
        warnings.extend(sign_in::open_past_access(&listen, &auth));
        let database = database_file(&values, &data_dir)?;
        let (upload_dir, output_dir) =
            (below("UPLOAD_DIR", "uploads"), below("OUTPUT_DIR", "transcoded"));
        let site = sign_in::site(&values, &[&data_dir, &upload_dir, &output_dir, &database])?;
        Ok(Self {
            listen,
            database,
            workers: values.workers()?,
            secret_key: values.secret("SECRET_KEY", 32)?,
            auth,
            storage: storage::Settings {
                upload_dir,
                output_dir,
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
                stuck_after: Duration::from_secs(values.number("STUCK_SECONDS", 1, 1 << 30)?),
                limits: limits(&values)?,
                retention: Some(values.number("RETENTION_HOURS", 0, 1 << 20)?)
                    .filter(|hours| *hours > 0)
                    .map(|hours| Duration::from_secs(hours * 3600)),
                quota: Some(values.number("DISK_QUOTA_MB", 0, 1 << 30)?)
                    .filter(|mebi| *mebi > 0)
                    .map(ByteSize::mebi),
                hooks: hooks::Settings {
                    reach: match values.text("OUTBOUND_ALLOW_PRIVATE").as_deref() {
                        Some("true") => Reach::Anywhere,
                        Some("false") | None => Reach::Public,
                        Some(other) => {
                            return Err(refused("OUTBOUND_ALLOW_PRIVATE", other, "true or false"));
                        }
                    },
                    origin: values.origins("PUBLIC_URL")?.into_iter().next(),
                },
                allowed_types: values
                    .list("ALLOWED_UPLOAD_TYPES")
                    .map_or(AllowedTypes::AnySound, AllowedTypes::Only),
            },
            plans: Plans::new(layers.plans().clone()),
            http: http::Settings {
                public_origins: values.origins("PUBLIC_URL")?,
                trusted_proxies: sign_in::trusted_proxies(&values)?,
                cors_origins: values.origins("CORS_ORIGINS")?,
                site,
                rate_per_minute: values.count("RATE_LIMIT_PER_MINUTE", 0, 1_000_000)?,
            },
            log: values.log()?,
            warnings,
            data_dir,
        })
    }
}

/// Ceilings of every conversion.
fn limits(values: &Values) -> Result<Limits, ConfigError> {
    let number = |name, least, most| values.number(name, least, most);
    let count = |name, most: u32| {
        number(name, 1, u64::from(most)).map(|number| u32::try_from(number).unwrap_or(most))
    };
    let size = |name, unit: usize, most: u32| {
        number(name, 0, u64::from(most))
            .map(|number| usize::try_from(number).unwrap_or(0).saturating_mul(unit))
    };
    Ok(Limits {
        streams: count("MAX_STREAMS", 1000)?,
        channels: count("MAX_CHANNELS", 64)?,
        sample_rate_max: count("MAX_SAMPLE_RATE", 3_072_000)?,
        decoded_seconds: f64::from(count("MAX_DURATION_SECONDS", 1 << 30)?),
        output_bytes: match values.text("MAX_OUTPUT_MB") {
            None => None,
            Some(_) => Some(ByteSize::mebi(number("MAX_OUTPUT_MB", 1, 1 << 30)?).0),
        },
        metadata: MetadataLimits {
            tags: size("MAX_TAGS", 1, 1 << 16)?,
            tag_bytes: size("MAX_TAGS_KB", 1 << 10, 15 << 10)?,
            covers: size("MAX_COVERS", 1, 1000)?,
            cover_bytes: size("MAX_COVER_MB", 1 << 20, 16)?,
            chapters: size("MAX_CHAPTERS", 1, 1 << 16)?,
        },
        ..Limits::default()
    })
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
