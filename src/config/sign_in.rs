//! The settings of `auth`, and what of them cannot be together.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;

use super::values::{Values, refused};
use super::{Address, ConfigError};
use crate::auth::{AccessSettings, OidcSettings, Registration, Settings};
use crate::base::Secret;
use crate::http::{Site, SiteAccess, TrustedProxies};

const SECRET_BYTES: usize = 32;
const HOUR: u64 = 3600;
const YEARS: u64 = 10 * 365 * 24;

/// Everything but the secret, which may have to be made.
pub(super) fn settings(values: &Values) -> Result<Settings, ConfigError> {
    let hours = |name| Ok(Duration::from_secs(values.number(name, 1, YEARS)? * HOUR));
    let seconds = |name| Ok(Duration::from_secs(values.number(name, 1, YEARS * HOUR)?));
    let settings = Settings {
        previous_secret: values.secret("SECRET_KEY_PREVIOUS", SECRET_BYTES)?,
        token_secret: values.secret("JWT_SECRET_KEY", SECRET_BYTES)?,
        static_key: static_key(values)?,
        owner_email: values
            .text("OWNER_EMAIL")
            .map_or_else(|| String::from("owner"), |email| email.trim().to_ascii_lowercase()),
        allowed_emails: values.list("ALLOWED_EMAILS").unwrap_or_default(),
        admin_emails: values.list("ADMIN_EMAILS").unwrap_or_default(),
        form_password: values.secret("DEV_PASSWORD", 12)?,
        registration: match values.text("REGISTRATION").as_deref() {
            Some("open") => Registration::Open,
            Some("closed") | None => Registration::Closed,
            Some(other) => return Err(refused("REGISTRATION", other, "open or closed")),
        },
        access: access(values)?,
        oidc: oidc(values)?,
        session_life: hours("SESSION_HOURS")?,
        session_idle: hours("SESSION_IDLE_HOURS")?,
        access_token_life: seconds("ACCESS_TOKEN_TTL_SECONDS")?,
        refresh_token_life: seconds("REFRESH_TOKEN_TTL_SECONDS")?,
        link_time: seconds("SIGNED_URL_TTL_SECONDS")?,
        attempts_per_minute: values.count("LOGIN_ATTEMPTS_PER_MINUTE", 1, 1000)?,
        ..Settings::new(Secret::new(Vec::new()))
    };
    check_form(values, &settings)?;
    Ok(settings)
}

fn static_key(values: &Values) -> Result<Option<Secret>, ConfigError> {
    let key = values.secret("PORTAL_AUTH_KEY", 32)?;
    if key.as_ref().is_some_and(|key| key.expose().starts_with(b"am_")) {
        let why =
            "PORTAL_AUTH_KEY begins with \"am_\", as the keys that are made here do; take another.";
        return Err(ConfigError(String::from(why)));
    }
    Ok(key)
}

/// The development password opens nothing that others can reach.
fn check_form(values: &Values, settings: &Settings) -> Result<(), ConfigError> {
    if settings.form_password.is_none() {
        return Ok(());
    }
    let public = values.origins("PUBLIC_URL")?;
    let clash = match &settings.access {
        Some(_) => Some("CF_TEAM_DOMAIN"),
        None => public.iter().any(|url| url.starts_with("https:")).then_some("an https PUBLIC_URL"),
    };
    clash.map_or(Ok(()), |clash| {
        Err(ConfigError(format!(
            "DEV_PASSWORD is for development alone and cannot be set together with {clash}."
        )))
    })
}

/// Cloudflare Access guards the tunnel, not a port that others reach: what they send there is checked
/// all the same, but its policies are not asked.
pub(super) fn open_past_access(listen: &[Address], settings: &Settings) -> Option<String> {
    settings.access.as_ref()?;
    let open = listen.iter().find_map(|address| match address {
        Address::Tcp(address) if !address.ip().is_loopback() => Some(address),
        Address::Tcp(_) | Address::Unix(_) => None,
    })?;
    Some(format!(
        "LISTEN {open} can be reached past Cloudflare Access; 127.0.0.1 or a unix socket cannot"
    ))
}

fn access(values: &Values) -> Result<Option<AccessSettings>, ConfigError> {
    let (team, audiences) = (values.text("CF_TEAM_DOMAIN"), values.exact_list("CF_AUDIENCE"));
    let tokens = values.text("ACCESS_SERVICE_TOKENS");
    let (team, audiences) = match (team, audiences) {
        (Some(team), Some(audiences)) => (team, audiences),
        (None, None) if tokens.is_none() => return Ok(None),
        (Some(_), None) => return Err(needs("CF_TEAM_DOMAIN", "CF_AUDIENCE")),
        (None, Some(_)) => return Err(needs("CF_AUDIENCE", "CF_TEAM_DOMAIN")),
        (None, None) => return Err(needs("ACCESS_SERVICE_TOKENS", "CF_TEAM_DOMAIN")),
    };
    let service_tokens = tokens.unwrap_or_default();
    let service_tokens = service_tokens.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let service_tokens = service_tokens.map(|pair| match pair.split_once('=') {
        Some((id, email)) if !id.trim().is_empty() && !email.trim().is_empty() => {
            Ok((id.trim().to_owned(), email.trim().to_ascii_lowercase()))
        }
        _ => Err(refused("ACCESS_SERVICE_TOKENS", pair, "a pair like client-id=ann@example.org")),
    });
    Ok(Some(AccessSettings {
        team: team_origin(&team)?,
        audiences,
        service_tokens: service_tokens.collect::<Result<_, _>>()?,
    }))
}

fn needs(given: &str, missing: &str) -> ConfigError {
    ConfigError(format!("{given} is set, {missing} is not; Cloudflare Access takes both."))
}

fn team_origin(team: &str) -> Result<String, ConfigError> {
    let team = team.trim_end_matches('/');
    if is_loopback_http(team) {
        return Ok(team.to_owned());
    }
    let host = team.strip_prefix("https://").unwrap_or(team).to_ascii_lowercase();
    let name = host.strip_suffix(".cloudflareaccess.com").unwrap_or(&host);
    let is_name =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if is_name {
        return Ok(format!("https://{name}.cloudflareaccess.com"));
    }
    Err(refused(
        "CF_TEAM_DOMAIN",
        team,
        "a team like \"team\" or \"team.cloudflareaccess.com\" (http:// on 127.0.0.1 alone)",
    ))
}

fn oidc(values: &Values) -> Result<Option<OidcSettings>, ConfigError> {
    let (domain, issuer) = (values.text("AUTH0_DOMAIN"), values.text("OIDC_ISSUER"));
    let issuer = match (domain, issuer) {
        (None, None) => {
            return match values.text("AUTH0_AUDIENCE") {
                None => Ok(None),
                Some(_) => Err(ConfigError(String::from(
                    "AUTH0_AUDIENCE is set, but neither AUTH0_DOMAIN nor OIDC_ISSUER is.",
                ))),
            };
        }
        (Some(_), Some(_)) => {
            return Err(ConfigError(String::from(
                "AUTH0_DOMAIN and OIDC_ISSUER are both set; tokens of one issuer are taken.",
            )));
        }
        (Some(domain), None) if !domain.contains(['/', ':', ' ']) => format!("https://{domain}/"),
        (Some(domain), None) => {
            return Err(refused("AUTH0_DOMAIN", &domain, "a host like tenant.eu.auth0.com"));
        }
        (None, Some(issuer)) if issuer.starts_with("https://") || is_loopback_http(&issuer) => {
            issuer
        }
        (None, Some(issuer)) => {
            let allowed = "an https:// address (http:// on 127.0.0.1 alone)";
            return Err(refused("OIDC_ISSUER", &issuer, allowed));
        }
    };
    let audience = values.text("AUTH0_AUDIENCE").ok_or_else(|| {
        ConfigError(String::from(
            "AUTH0_AUDIENCE is not set; without it a token for anybody would be taken.",
        ))
    })?;
    let timeout = Duration::from_secs(values.number("OIDC_TIMEOUT_SECONDS", 1, 300)?);
    Ok(Some(OidcSettings { issuer, audience, timeout }))
}

/// Whether a place, which need not be there yet, is in a folder or is it.
fn is_inside(place: &Path, folder: &Path) -> bool {
    let Ok(folder) = std::fs::canonicalize(folder) else { return false };
    let Ok(place) = std::path::absolute(place) else { return false };
    let real = place.ancestors().find_map(|part| std::fs::canonicalize(part).ok().zip(Some(part)));
    real.is_some_and(|(real, part)| match place.strip_prefix(part) {
        Ok(rest) => real.join(rest).starts_with(&folder),
        Err(_) => false,
    })
}

/// The generated site, and who may see it. What is `private` must not be in its folder.
pub(super) fn site(values: &Values, private: &[&Path]) -> Result<Option<Site>, ConfigError> {
    let access = match values.text("SITE_PUBLIC").as_deref() {
        Some("true") => SiteAccess::Public,
        Some("false") | None => SiteAccess::SignedIn,
        Some(other) => return Err(refused("SITE_PUBLIC", other, "true or false")),
    };
    let Some(folder) = values.optional_path("STATIC_DIR") else { return Ok(None) };
    if let Some(inside) = private.iter().find(|place| is_inside(place, &folder)) {
        return Err(ConfigError(format!(
            "STATIC_DIR {} holds {}, which is nobody's to read; serve a folder of its own.",
            folder.display(),
            inside.display()
        )));
    }
    Site::open(&folder, access).map(Some).map_err(|error| {
        ConfigError(format!("STATIC_DIR {} cannot be served: {error}.", folder.display()))
    })
}

fn is_loopback_http(address: &str) -> bool {
    let Some(rest) = address.strip_prefix("http://") else { return false };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => authority,
    };
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

pub(super) fn trusted_proxies(values: &Values) -> Result<TrustedProxies, ConfigError> {
    let entries = values.list("TRUSTED_PROXIES").unwrap_or_default();
    let networks = entries.iter().map(|entry| {
        let network = entry.parse::<IpNet>().ok();
        let network = network.or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from));
        network.ok_or_else(|| {
            refused("TRUSTED_PROXIES", entry, "an address or a network like 172.16.0.0/12")
        })
    });
    networks.collect::<Result<_, _>>().map(TrustedProxies::new)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::layers::Layers;
    use super::super::{Config, ConfigError};

    fn load(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let values: BTreeMap<String, String> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::load(&Layers::of(values))
    }

    #[test]
    fn a_team_is_named_in_several_ways() {
        for team in ["team", "Team.cloudflareaccess.com", "https://team.cloudflareaccess.com/"] {
            let config = load(&[("CF_TEAM_DOMAIN", team), ("CF_AUDIENCE", "a,B")]).expect(team);
            let access = config.auth.access.expect("access");
            assert_eq!(access.team, "https://team.cloudflareaccess.com");
            assert_eq!(access.audiences, ["a", "B"]);
        }
        let stand_in = [("CF_TEAM_DOMAIN", "http://127.0.0.1:8787"), ("CF_AUDIENCE", "a")];
        let team = load(&stand_in).expect("a stand-in").auth.access.expect("access").team;
        assert_eq!(team, "http://127.0.0.1:8787");
    }

    #[test]
    fn a_site_does_not_hold_what_is_nobodys_to_read() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("output")).expect("a folder");
        let at = |part: &str| folder.path().join(part).display().to_string();
        for (site, data, fits) in [
            (".", "data", false),
            ("output", "output/data/of/mine", false),
            ("output", "output", false),
            ("output", "outputs", true),
            ("output", "data", true),
        ] {
            let (site, data) = (at(site), at(data));
            let loaded = load(&[("STATIC_DIR", site.as_str()), ("DATA_DIR", data.as_str())]);
            assert_eq!(loaded.is_ok(), fits, "{site} {data}");
        }
        let (site, uploads) = (at("output"), at("output/in"));
        assert!(load(&[("STATIC_DIR", site.as_str()), ("UPLOAD_DIR", uploads.as_str())]).is_err());
    }

    #[test]
    fn a_port_that_is_open_past_access_is_told_of() {
        let told = |listen| {
            let pairs = [("CF_TEAM_DOMAIN", "team"), ("CF_AUDIENCE", "a"), ("LISTEN", listen)];
            load(&pairs).expect("a start").warnings
        };
        for closed in ["127.0.0.1:8000", "[::1]:8000", "unix:/run/mill.sock"] {
            assert!(told(closed).is_empty(), "{closed}");
        }
        for open in ["0.0.0.0:8000", "127.0.0.1:8000,192.168.1.5:8000", "[::]:8000"] {
            assert!(told(open)[0].contains("past Cloudflare Access"), "{open}");
        }
        assert!(load(&[("LISTEN", "0.0.0.0:8000")]).expect("a start").warnings.is_empty());
    }

    #[test]
    fn what_cannot_be_together_stops_the_start() {
        let sentence = |pairs: &[(&str, &str)]| load(pairs).expect_err("a refusal").0;
        let both = [("CF_TEAM_DOMAIN", "team"), ("CF_AUDIENCE", "a")];
        for (pairs, part) in [
            (vec![("CF_TEAM_DOMAIN", "team")], "CF_AUDIENCE is not"),
            (vec![("CF_AUDIENCE", "a")], "CF_TEAM_DOMAIN is not"),
            (vec![("CF_TEAM_DOMAIN", "http://10.0.0.1"), ("CF_AUDIENCE", "a")], "127.0.0.1 alone"),
            (vec![("CF_TEAM_DOMAIN", "http://127.0.0.1.evil.org"), ("CF_AUDIENCE", "a")], "alone"),
            (vec![both[0], both[1], ("DEV_PASSWORD", "twelve chars!")], "DEV_PASSWORD"),
            (vec![both[0], both[1], ("ACCESS_SERVICE_TOKENS", "x")], "client-id="),
            (
                vec![("DEV_PASSWORD", "twelve chars!"), ("PUBLIC_URL", "https://a.example.org")],
                "https PUBLIC_URL",
            ),
            (vec![("DEV_PASSWORD", "short")], "at least 12"),
            (vec![("OIDC_ISSUER", "https://id.example.org")], "AUTH0_AUDIENCE"),
            (vec![("OIDC_ISSUER", "http://id.example.org"), ("AUTH0_AUDIENCE", "a")], "https://"),
            (vec![("AUTH0_AUDIENCE", "a")], "neither"),
            (vec![("CORS_ORIGINS", "*")], "an origin"),
            (vec![("CORS_ORIGINS", "null")], "an origin"),
            (vec![("TRUSTED_PROXIES", "proxy")], "an address or a network"),
            (vec![("REGISTRATION", "yes")], "open or closed"),
            (vec![("PORTAL_AUTH_KEY", "am_0123456789012345678901234567890123")], "take another"),
        ] {
            assert!(sentence(&pairs).contains(part), "{pairs:?}: {}", sentence(&pairs));
        }
    }
}
