//! The composition root: settings become a running server, and a signal ends it in good order.
//!
//! Owns: what is made in which order, and its end in the reverse. Never: how anything works.
//! Used by: `cli`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::auth::{self, Auth};
use crate::base::{Clock, JobId, Secret, clock, hex};
use crate::config::{Address, Config};
use crate::db::Database;
use crate::http::{self, Listener, Server};
use crate::jobs::{Executor, Jobs, Pool, hooks, retention, store::Store};
use crate::ledger::{By, Usage};
use crate::media::cores::Cores;
use crate::media::crash::CrashRecord;
use crate::outbound::Client;
use crate::storage::LocalStorage;

/// Files that connections, conversions and the database have open at the most.
const FILES: u64 = 2048;

/// Requests and conversions that are under way at the end get this long.
const GRACE: Duration = Duration::from_secs(20);

/// Why a server did not start, in one sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(String);

fn cannot(what: impl std::fmt::Display, error: impl std::fmt::Display) -> StartError {
    StartError(format!("{what}: {error}"))
}

/// An address at which somebody can sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignIn {
    /// A link that signs in once.
    Link(String),
    /// The page, where there are people who do not need a link.
    Form(String),
}

/// A server that listens.
pub struct App {
    /// Where people sign in.
    pub sign_in: SignIn,
    /// Where it listens.
    pub addresses: Vec<String>,
    listeners: Vec<Listener>,
    server: Server,
    pool: Pool,
    teller: Client,
    database: Database,
    _locks: [File; 2],
}

impl App {
    /// Opens everything a server needs, puts the last process's work in order, starts the workers
    /// and listens. Requests are answered from [`Self::run`] on.
    ///
    /// # Errors
    /// [`StartError`]: the first thing that cannot be used.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        keep_private();
        open_many();
        make_data_dir(config)?;
        let data_lock = lock(&config.data_dir.join("lock"))?;
        let record = config.data_dir.join("crash.slots");
        let (crash_record, traces) =
            CrashRecord::open(&record).map_err(|error| cannot(record.display(), error))?;
        let database = open_database(config).await?;
        let database_lock = lock(&beside(&config.database))?;
        let identity = database.identity().await.map_err(|error| cannot("the database", error))?;
        let storage = LocalStorage::open(config.storage.clone(), &identity)
            .map_err(|error| StartError(error.to_string()))?;
        let auth = open_auth(config, &database).await?;
        let boot = clock::boot_id().map_err(|error| cannot("the boot id", error))?;
        let jobs = Jobs::new(
            Store::new(database.clone()),
            storage.clone(),
            Usage::new(database.clone(), config.plans.clone()),
            config.jobs.clone(),
            Clock::default(),
            boot,
        );
        let crashed: Vec<JobId> = traces
            .iter()
            .filter(|trace| trace.signal.is_some())
            .map(|trace| JobId::from_bytes(trace.job))
            .collect();
        let recovered = jobs
            .recover(&crashed)
            .await
            .map_err(|error| cannot("the last process's jobs", error))?;
        if recovered.queued_again + recovered.set_aside > 0 {
            tracing::warn!(
                queued_again = recovered.queued_again,
                set_aside = recovered.set_aside,
                crashed = crashed.len(),
                "the last process died while it was at work"
            );
        }
        crash_record.forget_traces();
        tell_head(&auth).await.map_err(|error| cannot("the audit log", error))?;
        let no_link = |error| cannot("the sign-in link", error);
        let token = match auth.has_other_ways_in().await.map_err(no_link)? {
            true => None,
            false => Some(auth.issue_link(By::START).await.map_err(no_link)?),
        };
        let server = Server::new(config.http.clone(), auth, jobs.clone(), database.clone())
            .map_err(|error| StartError(error.to_string()))?;
        let teller =
            hooks::client(&config.jobs.hooks).map_err(|error| cannot("webhooks", error))?;
        let listeners = listen(&config.listen).await?;
        let executor = Executor::new(
            storage,
            config.jobs.limits,
            Cores::of_this_machine(config.workers).served(),
            Some(Arc::new(crash_record)),
        );
        let pool = Pool::start(&jobs, &executor, config.workers);
        let addresses: Vec<String> = listeners.iter().map(Listener::address).collect();
        let page = sign_in_page(config, &addresses);
        let sign_in = match token {
            Some(token) => SignIn::Link(link(&page, &token)),
            None => SignIn::Form(page),
        };
        Ok(Self {
            sign_in,
            addresses,
            listeners,
            server,
            pool,
            teller,
            database,
            _locks: [data_lock, database_lock],
        })
    }

    /// Answers requests until `stop`, then ends in order: no new connections, running requests
    /// and conversions get their grace, the rest of the work is handed back, the database closed.
    pub async fn run(self, stop: CancellationToken) {
        let (jobs, auth) = (self.server.jobs().clone(), self.server.auth().clone());
        let keeping = tokio::spawn(retention::keep(jobs.clone()));
        let telling = tokio::spawn(hooks::send(jobs.clone(), self.teller));
        let draining = async {
            stop.cancelled().await;
            tracing::info!("stopping");
            jobs.start_draining();
            self.pool.drain(Instant::now() + GRACE).await;
        };
        tokio::join!(
            http::serve(self.listeners, self.server.clone(), stop.clone(), GRACE),
            draining
        );
        if telling.await.is_err() {
            tracing::error!("nobody has sent webhooks");
        }
        if keeping.await.is_err() {
            tracing::error!("nobody has looked after what is kept");
        }
        if let Err(error) = auth.settle().await {
            tracing::warn!(%error, "uses of keys are not counted");
        }
        if let Err(error) = self.server.jobs().usage().settle().await {
            tracing::warn!(%error, "requests are not counted");
        }
        self.database.close().await;
        tracing::info!("stopped");
    }
}

/// Makes a new one-time sign-in link on the database of a server that may be running.
///
/// # Errors
/// [`StartError`].
pub async fn issue_link(config: &Config, by: By<'_>) -> Result<String, StartError> {
    keep_private();
    let database = open_database(config).await?;
    let token = open_auth(config, &database)
        .await?
        .issue_link(by)
        .await
        .map_err(|error| cannot("the sign-in link", error))?;
    database.close().await;
    let addresses: Vec<String> = config
        .listen
        .iter()
        .filter_map(|address| match address {
            Address::Tcp(address) => Some(format!("http://{address}")),
            Address::Unix(_) => None,
        })
        .collect();
    Ok(link(&sign_in_page(config, &addresses), &token))
}

/// Works on the accounts in the database of a server that may be running.
///
/// # Errors
/// [`StartError`]; what `work` says is its own.
pub async fn with_accounts<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Auth) -> T,
) -> Result<T, StartError> {
    keep_private();
    make_data_dir(config)?;
    let database = open_database(config).await?;
    let done = work(&open_auth(config, &database).await?).await;
    database.close().await;
    Ok(done)
}

/// Accounts and jobs of an empty database of their own: for measuring.
///
/// # Errors
/// [`StartError`].
pub async fn scratch(file: &Path) -> Result<(Auth, Store), StartError> {
    let failed = |error: &dyn std::fmt::Display| cannot(file.display(), error);
    let database = Database::open(file).await.map_err(|error| failed(&error))?;
    let settings = auth::Settings::new(Secret::new(vec![0; 32]));
    let auth = Auth::open(database.clone(), settings, Clock::default()).await;
    Ok((auth.map_err(|error| failed(&error))?, Store::new(database)))
}

/// Removes the database and the files of both stores. The secret stays.
///
/// # Errors
/// [`StartError`]: a server is running on them, or one cannot be removed.
pub async fn forget_everything(config: &Config) -> Result<(), StartError> {
    keep_private();
    make_data_dir(config)?;
    let _data = lock(&config.data_dir.join("lock"))?;
    let _database = lock(&beside(&config.database))?;
    let database = open_database(config).await?;
    let identity = database.identity().await.map_err(|error| cannot("the database", error))?;
    // Stores of another database are refused here.
    let storage = LocalStorage::open(config.storage.clone(), &identity);
    database.close().await;
    let removed = storage.and_then(LocalStorage::remove_everything);
    removed.map_err(|error| StartError(error.to_string()))?;
    for end in ["", "-wal", "-shm"] {
        let mut file = config.database.clone().into_os_string();
        file.push(end);
        match fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(cannot(Path::new(&file).display(), error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// What the server writes is its own business: recordings, sessions, the secret.
fn keep_private() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// Every connection, source and result is a file: as many as the system allows are taken, and too few
/// are told of.
fn open_many() {
    let limit = getrlimit(Resource::Nofile);
    // What cannot be raised stays as it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    if let Some(files) = getrlimit(Resource::Nofile).current.filter(|files| *files < FILES) {
        tracing::warn!(
            files,
            wanted = FILES,
            "the system lets this process open few files (ulimit -n)"
        );
    }
}

fn make_data_dir(config: &Config) -> Result<(), StartError> {
    fs::create_dir_all(&config.data_dir)
        .map_err(|error| cannot(format!("DATA_DIR {}", config.data_dir.display()), error))
}

async fn open_database(config: &Config) -> Result<Database, StartError> {
    Database::open(&config.database)
        .await
        .map_err(|error| cannot(format!("the database {}", config.database.display()), error))
}

/// The log of the system is kept elsewhere than the database: with it, an audit log that was cut off
/// or written anew can be told.
async fn tell_head(auth: &Auth) -> Result<(), auth::AuthError> {
    if let Some((entries, link)) = auth.ledger().head().await? {
        tracing::info!(entries, head = hex(&link), "the audit log goes on");
    }
    Ok(())
}

async fn open_auth(config: &Config, database: &Database) -> Result<Auth, StartError> {
    let secret = match &config.secret_key {
        Some(secret) => secret.clone(),
        None => kept_secret(&config.data_dir.join("secret_key"))
            .map_err(|error| cannot("the secret key in DATA_DIR", error))?,
    };
    let settings = auth::Settings { secret, ..config.auth.clone() };
    Auth::open(database.clone(), settings, Clock::default())
        .await
        .map_err(|error| cannot("the accounts", error))
}

/// One process per data folder and per database: two would take each other's running jobs for
/// dead ones.
fn lock(path: &Path) -> Result<File, StartError> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(|error| cannot(path.display(), error))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        let folder = path.parent().unwrap_or(path);
        StartError(format!("another audiomill is running on {}", folder.display()))
    })?;
    Ok(file)
}

/// The database's lock file, found by its real place: a link leads to the same one.
fn beside(database: &Path) -> PathBuf {
    let mut name =
        fs::canonicalize(database).unwrap_or_else(|_| database.to_owned()).into_os_string();
    name.push(".lock");
    PathBuf::from(name)
}

/// The secret of an earlier start, or a new one, kept with mode 0600.
fn kept_secret(path: &Path) -> io::Result<Secret> {
    match fs::read(path) {
        Ok(bytes) if bytes.len() >= 32 => return Ok(Secret::new(bytes)),
        Ok(_) => return Err(io::Error::other("is cut off; remove it to have a new one made")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("no random bytes"))?;
    // Written whole under another name first: a crash must not leave half a secret.
    let temporary = path.with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    Ok(Secret::new(bytes))
}

async fn listen(addresses: &[Address]) -> Result<Vec<Listener>, StartError> {
    let mut listeners = Vec::new();
    for address in addresses {
        let opened = match address {
            Address::Tcp(address) => (Listener::tcp(*address).await, address.to_string()),
            Address::Unix(path) => (Listener::unix(path), path.display().to_string()),
        };
        let (listener, name) = opened;
        listeners.push(listener.map_err(|error| cannot(format!("LISTEN {name}"), error))?);
    }
    Ok(listeners)
}

fn link(page: &str, token: &str) -> String {
    format!("{page}?token={token}")
}

fn sign_in_page(config: &Config, addresses: &[String]) -> String {
    let origin = config.http.public_origins.first().map(String::as_str);
    let local = addresses.iter().find(|address| address.starts_with("http"));
    // "Every address" is none that a browser can open.
    let local = local.map(|address| {
        address.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    });
    let origin = origin.map(str::to_owned).or(local);
    format!("{}/login", origin.unwrap_or_else(|| String::from("http://localhost")))
}
