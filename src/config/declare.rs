//! The declarations: one line per setting, for flags, environment, files and the reference table.

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its one name (`MAX_UPLOAD_MB`); flag and TOML key follow from it.
    pub name: &'static str,
    /// What it is when nothing is said; empty for none.
    pub default: &'static str,
    /// What it means, for `--help` and the table.
    pub meaning: &'static str,
    /// Whether its value may be shown.
    pub kind: Kind,
}

/// How a setting may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anywhere.
    Plain,
    /// Never as a flag of its own; also as a file, by the name with `_FILE`.
    Secret,
    /// Not built yet: a start with it is refused, so that nobody believes it works.
    Later,
}

impl Setting {
    /// Its flag, without the hyphens before it (`max-upload-mb`).
    #[must_use]
    pub fn flag(&self) -> String {
        self.name.to_ascii_lowercase().replace('_', "-")
    }

    /// Its key in the TOML file (`max_upload_mb`).
    #[must_use]
    pub fn toml_key(&self) -> String {
        self.name.to_ascii_lowercase()
    }
}

const fn plain(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning, kind: Kind::Plain }
}

const fn secret(name: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default: "", meaning, kind: Kind::Secret }
}

const fn later(name: &'static str) -> Setting {
    Setting { name, default: "", meaning: "not built yet", kind: Kind::Later }
}

/// Every setting.
pub const SETTINGS: &[Setting] = &[
    plain(
        "LISTEN",
        "127.0.0.1:8000",
        "addresses to listen at, comma-separated: `127.0.0.1:8000`, `[::1]:8000`, `unix:/run/audiomill.sock`",
    ),
    plain("PORT", "", "alone, means `0.0.0.0:PORT`"),
    plain("DATA_DIR", "./data", "database, secret, crash record"),
    plain("UPLOAD_DIR", "", "incoming files; `DATA_DIR/uploads` when not given"),
    plain(
        "OUTPUT_DIR",
        "",
        "finished files, on the same file system as UPLOAD_DIR; `DATA_DIR/transcoded` when not given",
    ),
    plain(
        "STATIC_DIR",
        "",
        "a generated site (Pelican's `output/`), served for every path that is no route",
    ),
    plain("SITE_PUBLIC", "false", "`true`: the site is for anyone, without signing in"),
    plain("DATABASE_URL", "", "`sqlite:PATH`; `sqlite:DATA_DIR/audiomill.db` when not given"),
    plain(
        "WORKERS",
        "",
        "conversions at once, and the most cores that they use together; one more for an account nothing of whose runs while all are at work; the number of cores when not given",
    ),
    plain("MAX_UPLOAD_MB", "500", "largest file, in MB of 2^20 bytes"),
    plain(
        "ALLOWED_UPLOAD_TYPES",
        "",
        "MIME types (`audio/*`) and extensions (`.wav`), comma-separated, compared with the content; audio and the common video containers when not given",
    ),
    plain("QUEUE_LIMIT", "1000", "jobs that may wait; more get 503"),
    plain("JOB_TIMEOUT_SECONDS", "14400", "wall clock of one conversion"),
    plain("STUCK_SECONDS", "120", "a conversion in which nothing moves for so long is given up"),
    plain("MAX_DURATION_SECONDS", "86400", "longest recording"),
    plain("MAX_OUTPUT_MB", "", "largest result; 20 times the source and 2048 MB when not given"),
    plain("MAX_STREAMS", "64", "streams that a file may hold"),
    plain("MAX_CHANNELS", "16", "channels of a stream"),
    plain("MAX_SAMPLE_RATE", "768000", "highest sample rate in Hz"),
    plain("MAX_TAGS", "4096", "texts that are carried over from a file"),
    plain("MAX_TAGS_KB", "1024", "all of them together, in KB of 2^10 bytes"),
    plain("MAX_COVERS", "32", "pictures that are carried over"),
    plain("MAX_COVER_MB", "16", "size of a picture that is carried over"),
    plain("MAX_CHAPTERS", "1024", "chapters that are carried over"),
    plain(
        "RETENTION_HOURS",
        "168",
        "ended jobs are removed with their files after so long; `0` keeps them",
    ),
    plain(
        "DISK_QUOTA_MB",
        "0",
        "sources and results together; beyond it the oldest ended jobs are removed; `0` for any size",
    ),
    plain("MIN_FREE_MB", "512", "space that stays free; below it uploads get 507"),
    secret(
        "SECRET_KEY",
        "keys sessions and sign-in links, at least 32 bytes; made on the first start and kept in DATA_DIR when not given. Another one ends every session",
    ),
    secret(
        "SECRET_KEY_PREVIOUS",
        "the secret before this one, at least 32 bytes; what it signed stays good while it is given",
    ),
    secret("JWT_SECRET_KEY", "keys own tokens, at least 32 bytes; SECRET_KEY does when not given"),
    plain("OWNER_EMAIL", "owner", "the account behind the first-start link and PORTAL_AUTH_KEY"),
    secret("PORTAL_AUTH_KEY", "one static API key with all rights, at least 32 characters"),
    plain(
        "ALLOWED_EMAILS",
        "",
        "who may come by Cloudflare Access or the local form, comma-separated; nobody when not given",
    ),
    plain(
        "ADMIN_EMAILS",
        "",
        "which people are admins, comma-separated; they have to be allowed in as well",
    ),
    secret(
        "DEV_PASSWORD",
        "the local form's password for ALLOWED_EMAILS, at least 12 characters, for development: not together with CF_* or an https PUBLIC_URL, and only from this machine, never through a proxy",
    ),
    plain("REGISTRATION", "closed", "`open` or `closed`: may strangers make accounts"),
    plain(
        "CF_TEAM_DOMAIN",
        "",
        "the team of Cloudflare Access: `team` or `team.cloudflareaccess.com`; `http://127.0.0.1:PORT` for a stand-in",
    ),
    plain(
        "CF_AUDIENCE",
        "",
        "audience tags of the Access applications in front of the server, comma-separated",
    ),
    plain(
        "ACCESS_SERVICE_TOKENS",
        "",
        "which service token of Access acts as whom: `client-id=email`, comma-separated",
    ),
    plain("AUTH0_DOMAIN", "", "the tenant whose bearer tokens are taken: `tenant.eu.auth0.com`"),
    plain(
        "OIDC_ISSUER",
        "",
        "any OpenID Connect issuer in place of AUTH0_DOMAIN, exactly as its tokens name it; http on loopback alone",
    ),
    plain("AUTH0_AUDIENCE", "", "whom the tokens of AUTH0_DOMAIN or OIDC_ISSUER have to be for"),
    plain("OIDC_TIMEOUT_SECONDS", "30", "the issuer answers within this time"),
    plain("ACCESS_TOKEN_TTL_SECONDS", "3600", "life of an own access token"),
    plain("REFRESH_TOKEN_TTL_SECONDS", "2592000", "life of an own refresh token"),
    plain("SESSION_HOURS", "12", "a session ends so long after signing in"),
    plain("SESSION_IDLE_HOURS", "2", "a session that is not used ends after so long"),
    plain("SIGNED_URL_TTL_SECONDS", "300", "life of a link to a result"),
    plain(
        "OUTBOUND_ALLOW_PRIVATE",
        "false",
        "`true`: webhooks may reach this machine and its private network",
    ),
    plain(
        "RATE_LIMIT_PER_MINUTE",
        "600",
        "requests of an account, or of an address that is not signed in; `0` for any number",
    ),
    plain(
        "LOGIN_ATTEMPTS_PER_MINUTE",
        "5",
        "failed tries at a password per account and per address; then a pause that doubles",
    ),
    plain(
        "CORS_ORIGINS",
        "",
        "other origins whose pages may use the API with a key or a token, comma-separated",
    ),
    plain(
        "TRUSTED_PROXIES",
        "127.0.0.0/8,::1",
        "addresses or networks whose `X-Forwarded-For`, `X-Forwarded-Proto`, `CF-Connecting-IP` and `X-Real-IP` count, comma-separated",
    ),
    plain(
        "PUBLIC_URL",
        "",
        "origins by which browsers reach the server, comma-separated: `https://mill.example.org`",
    ),
    plain(
        "LOG_LEVEL",
        "info",
        "`error`, `warn`, `info`, `debug`, `trace`, or a filter like `audiomill::jobs=debug,warn`",
    ),
    plain("LOG_FORMAT", "", "`text` or `json`; `text` on a terminal, else `json`"),
    later("STORAGE_URL"),
];

/// Names of the services audiomill replaces, and what they are called here.
pub const OLD_NAMES: [(&str, &str); 3] = [
    ("API_KEY", "PORTAL_AUTH_KEY"),
    ("MAX_UPLOAD_SIZE_MB", "MAX_UPLOAD_MB"),
    ("ALLOWED_ORIGINS", "CORS_ORIGINS"),
];

/// The reference table of README.md.
#[must_use]
pub fn markdown() -> String {
    let mut table = String::from("| setting | meaning | default |\n|---|---|---|\n");
    for setting in SETTINGS.iter().filter(|setting| setting.kind != Kind::Later) {
        let default = match setting.default {
            "" => String::from("–"),
            value => format!("`{value}`"),
        };
        table.push_str(&format!("| `{}` | {} | {default} |\n", setting.name, setting.meaning));
    }
    table
}
