//! Method and path become an endpoint; everything that depends on "which one" is a total function of it.

use std::borrow::Cow;

use http::Method;

use crate::auth::{Principal, Scope};

/// Something the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/`: the page.
    Home,
    /// The generated site: every path that is no route, where there is one.
    Site,
    /// The upload page.
    UploadPage,
    /// Views inside the upload page.
    UploadView,
    /// Multipart upload of a phone or a shell script.
    Upload,
    /// Progress for a shell script.
    Status,
    /// The result.
    Download,
    /// The sign-in page.
    LoginPage,
    /// Where a tab ends up that was opened to sign in again.
    LoginDone,
    /// Spends a sign-in link.
    Login,
    /// Ends the session.
    Logout,
    /// Is the process alive.
    Health,
    /// Would work be accepted.
    Ready,
    /// Numbers for a monitor.
    Metrics,
    /// The page's own files.
    Asset,
    /// Name, version, links.
    ApiRoot,
    /// A list of own jobs.
    ListJobs,
    /// Makes a job.
    CreateJob,
    /// One job.
    GetJob,
    /// What happened to a job.
    JobLog,
    /// What happens to a job, as it happens.
    JobEvents,
    /// What happens to any own job, as it happens.
    Events,
    /// A job's results.
    ListArtifacts,
    /// An address for a result that is good for a while.
    LinkToArtifact,
    /// A result, for its owner or by such an address.
    ArtifactFile,
    /// Removes a job and its files.
    DeleteJob,
    /// Stops a job.
    CancelJob,
    /// Puts a job back into the line.
    RetryJob,
    /// The shape of a job's sound.
    Waveform,
    /// What can be made.
    Formats,
    /// What is in a file, and what would be made of it.
    Probe,
    /// Who is told of own jobs' ends.
    ListWebhooks,
    /// Tells one more.
    CreateWebhook,
    /// Tells one no more.
    RemoveWebhook,
    /// What was sent by webhooks.
    Deliveries,
    /// Own keys.
    ListKeys,
    /// Makes a key.
    CreateKey,
    /// Ends a key.
    RevokeKey,
    /// Who the caller is.
    Me,
    /// What the caller says of themselves.
    ChangeMe,
    /// Another password of the caller.
    ChangePassword,
    /// Own sessions.
    ListSessions,
    /// Ends a session.
    EndSession,
    /// Ends every session but this one.
    EndOtherSessions,
    /// Makes an account.
    Register,
    /// Own tokens for e-mail and password.
    IssueTokens,
    /// The next tokens for a refresh token.
    RefreshTokens,
    /// Ends a sign-in's tokens.
    EndTokens,
    /// What the caller has used.
    Usage,
    /// Every account.
    ListUsers,
    /// Changes an account's standing.
    ChangeUser,
    /// The audit log.
    Audit,
}

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Open,
    /// Anyone who is signed in or shows a key.
    SignedIn,
    /// Those who may do this.
    With(Scope),
    /// Whoever has a signed link, and those who may do this.
    LinkOr(Scope),
    /// A person, or a key that may do everything: what an account does with itself.
    Person,
}

impl Access {
    /// Whether somebody who is known may come in.
    #[must_use]
    pub fn admits(self, principal: &Principal) -> bool {
        match self {
            Self::Open | Self::SignedIn => true,
            Self::With(scope) | Self::LinkOr(scope) => principal.scopes.contains(scope),
            Self::Person => principal.method.is_person() || principal.scopes.contains(Scope::Admin),
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// Which.
    pub endpoint: Endpoint,
    /// Its method; a GET answers HEAD too.
    pub method: Method,
    /// Its path, in the router's syntax.
    pub path: &'static str,
}

const fn row(endpoint: Endpoint, method: Method, path: &'static str) -> Row {
    Row { endpoint, method, path }
}

/// Every endpoint there is; what is not listed is refused.
pub const TABLE: [Row; 53] = [
    row(Endpoint::Home, Method::GET, "/"),
    row(Endpoint::UploadPage, Method::GET, "/upload"),
    row(Endpoint::Upload, Method::POST, "/upload"),
    row(Endpoint::UploadView, Method::GET, "/upload/{*view}"),
    row(Endpoint::Status, Method::GET, "/status/{id}"),
    row(Endpoint::Download, Method::GET, "/download/{id}"),
    row(Endpoint::LoginPage, Method::GET, "/login"),
    row(Endpoint::Login, Method::POST, "/login"),
    row(Endpoint::LoginDone, Method::GET, "/login/done"),
    row(Endpoint::Logout, Method::POST, "/logout"),
    row(Endpoint::Health, Method::GET, "/healthz"),
    row(Endpoint::Health, Method::GET, "/health"),
    row(Endpoint::Ready, Method::GET, "/readyz"),
    row(Endpoint::Metrics, Method::GET, "/metrics"),
    row(Endpoint::Asset, Method::GET, "/_app/{build}/{*file}"),
    row(Endpoint::ApiRoot, Method::GET, "/api/v1"),
    row(Endpoint::ApiRoot, Method::GET, "/api/v1/"),
    row(Endpoint::ListJobs, Method::GET, "/api/v1/jobs"),
    row(Endpoint::CreateJob, Method::POST, "/api/v1/jobs"),
    row(Endpoint::GetJob, Method::GET, "/api/v1/jobs/{id}"),
    row(Endpoint::DeleteJob, Method::DELETE, "/api/v1/jobs/{id}"),
    row(Endpoint::CancelJob, Method::POST, "/api/v1/jobs/{id}/cancel"),
    row(Endpoint::RetryJob, Method::POST, "/api/v1/jobs/{id}/retry"),
    row(Endpoint::JobLog, Method::GET, "/api/v1/jobs/{id}/logs"),
    row(Endpoint::JobEvents, Method::GET, "/api/v1/jobs/{id}/events"),
    row(Endpoint::Waveform, Method::GET, "/api/v1/jobs/{id}/waveform"),
    row(Endpoint::ListArtifacts, Method::GET, "/api/v1/jobs/{id}/artifacts"),
    row(Endpoint::LinkToArtifact, Method::GET, "/api/v1/artifacts/{id}/download"),
    row(Endpoint::ArtifactFile, Method::GET, "/api/v1/artifacts/{id}/file"),
    row(Endpoint::Events, Method::GET, "/api/v1/events"),
    row(Endpoint::Formats, Method::GET, "/api/v1/formats"),
    row(Endpoint::Probe, Method::POST, "/api/v1/probe"),
    row(Endpoint::ListWebhooks, Method::GET, "/api/v1/webhooks"),
    row(Endpoint::CreateWebhook, Method::POST, "/api/v1/webhooks"),
    row(Endpoint::RemoveWebhook, Method::DELETE, "/api/v1/webhooks/{id}"),
    row(Endpoint::Deliveries, Method::GET, "/api/v1/webhooks/deliveries"),
    row(Endpoint::ListKeys, Method::GET, "/api/v1/keys"),
    row(Endpoint::CreateKey, Method::POST, "/api/v1/keys"),
    row(Endpoint::RevokeKey, Method::DELETE, "/api/v1/keys/{id}"),
    row(Endpoint::Me, Method::GET, "/api/v1/me"),
    row(Endpoint::ChangeMe, Method::PATCH, "/api/v1/me"),
    row(Endpoint::ChangePassword, Method::POST, "/api/v1/me/password"),
    row(Endpoint::ListSessions, Method::GET, "/api/v1/sessions"),
    row(Endpoint::EndOtherSessions, Method::DELETE, "/api/v1/sessions"),
    row(Endpoint::EndSession, Method::DELETE, "/api/v1/sessions/{id}"),
    row(Endpoint::Register, Method::POST, "/api/v1/auth/register"),
    row(Endpoint::IssueTokens, Method::POST, "/api/v1/auth/login"),
    row(Endpoint::RefreshTokens, Method::POST, "/api/v1/auth/refresh"),
    row(Endpoint::EndTokens, Method::POST, "/api/v1/auth/logout"),
    row(Endpoint::Usage, Method::GET, "/api/v1/usage"),
    row(Endpoint::ListUsers, Method::GET, "/api/v1/users"),
    row(Endpoint::ChangeUser, Method::PATCH, "/api/v1/users/{id}"),
    row(Endpoint::Audit, Method::GET, "/api/v1/audit"),
];

impl Endpoint {
    /// Who may call it.
    #[must_use]
    pub const fn access(self) -> Access {
        match self {
            Self::LoginPage
            | Self::Login
            | Self::Logout
            | Self::Health
            | Self::Ready
            | Self::Asset
            | Self::Register
            | Self::IssueTokens
            | Self::RefreshTokens
            | Self::EndTokens => Access::Open,
            Self::Home
            | Self::Site
            | Self::UploadPage
            | Self::UploadView
            | Self::LoginDone
            | Self::ApiRoot
            | Self::Formats
            | Self::Me
            | Self::Usage => Access::SignedIn,
            Self::Status
            | Self::Download
            | Self::ListJobs
            | Self::GetJob
            | Self::JobLog
            | Self::JobEvents
            | Self::Events
            | Self::ListArtifacts
            | Self::LinkToArtifact
            | Self::Waveform => Access::With(Scope::JobsRead),
            Self::ArtifactFile => Access::LinkOr(Scope::JobsRead),
            Self::Upload
            | Self::CreateJob
            | Self::DeleteJob
            | Self::CancelJob
            | Self::RetryJob
            | Self::Probe => Access::With(Scope::JobsWrite),
            Self::ListKeys
            | Self::CreateKey
            | Self::RevokeKey
            | Self::ListWebhooks
            | Self::CreateWebhook
            | Self::RemoveWebhook
            | Self::Deliveries
            | Self::ChangeMe
            | Self::ChangePassword
            | Self::ListSessions
            | Self::EndSession
            | Self::EndOtherSessions => Access::Person,
            Self::Audit | Self::ListUsers | Self::ChangeUser | Self::Metrics => {
                Access::With(Scope::Admin)
            }
        }
    }

    /// Whether its calls are counted against what somebody may ask in a minute.
    #[must_use]
    pub const fn is_limited(self) -> bool {
        !matches!(self, Self::Health | Self::Ready | Self::Asset)
    }

    /// Whether a browser has to send the CSRF token. Signing out is a form that works without script;
    /// another site's is refused by where it comes from.
    #[must_use]
    pub fn takes_csrf_token(self, method: &Method) -> bool {
        !method.is_safe() && self != Self::Logout
    }

    /// The most bytes its body may have; `None` where the handler limits the body itself.
    #[must_use]
    pub const fn body_limit(self) -> Option<u64> {
        match self {
            Self::Upload | Self::CreateJob | Self::Probe => None,
            Self::Login | Self::Logout => Some(16 * 1024),
            Self::Home
            | Self::Site
            | Self::UploadPage
            | Self::UploadView
            | Self::Status
            | Self::Download
            | Self::LoginPage
            | Self::LoginDone
            | Self::Health
            | Self::Ready
            | Self::Asset
            | Self::ApiRoot
            | Self::ListJobs
            | Self::GetJob
            | Self::DeleteJob
            | Self::CancelJob
            | Self::RetryJob
            | Self::JobLog
            | Self::JobEvents
            | Self::Events
            | Self::ListArtifacts
            | Self::LinkToArtifact
            | Self::ArtifactFile
            | Self::Waveform
            | Self::Formats
            | Self::ListWebhooks
            | Self::CreateWebhook
            | Self::RemoveWebhook
            | Self::Deliveries
            | Self::ListKeys
            | Self::CreateKey
            | Self::RevokeKey
            | Self::Me
            | Self::ChangeMe
            | Self::ChangePassword
            | Self::ListSessions
            | Self::EndSession
            | Self::EndOtherSessions
            | Self::Register
            | Self::IssueTokens
            | Self::RefreshTokens
            | Self::EndTokens
            | Self::Usage
            | Self::Metrics
            | Self::ListUsers
            | Self::ChangeUser
            | Self::Audit => Some(64 * 1024),
        }
    }
}

/// Where the clients of older services look, and what it is called here.
const ALIASES: [(&str, &str); 7] = [
    ("/auth", "/api/v1/auth"),
    ("/saas/jobs", "/api/v1/jobs"),
    ("/saas/artifacts", "/api/v1/artifacts"),
    ("/api/me", "/api/v1/me"),
    ("/api/userinfo", "/api/v1/me"),
    ("/utilities/audio-duration", "/api/v1/probe"),
    ("/portal/private/status", "/readyz"),
];

/// The path that is meant: an older service's one becomes ours, with all that follows it.
#[must_use]
pub fn meant(path: &str) -> Cow<'_, str> {
    let found = ALIASES.iter().find_map(|(old, new)| {
        let rest = path.strip_prefix(old)?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{new}{rest}"))
    });
    found.map_or(Cow::Borrowed(path), Cow::Owned)
}

/// What a method and path lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// An endpoint, with the values of its path.
    Found(Endpoint, Vec<(String, String)>),
    /// The path is known, the method is not; these are.
    MethodNotAllowed(Vec<Method>),
    /// No such path.
    NotFound,
}

/// Paths to the rows that share them.
#[derive(Debug)]
pub struct Router(matchit::Router<Vec<Row>>);

impl Router {
    /// The router of [`TABLE`].
    ///
    /// # Errors
    /// Two paths of the table that cannot be told apart.
    pub fn new() -> Result<Self, matchit::InsertError> {
        let mut router = matchit::Router::new();
        let mut paths: Vec<&str> = TABLE.iter().map(|row| row.path).collect();
        paths.dedup();
        for path in paths {
            let rows: Vec<Row> = TABLE.iter().filter(|row| row.path == path).cloned().collect();
            router.insert(path, rows)?;
        }
        Ok(Self(router))
    }

    /// Where a request goes. Paths are matched as they came, not decoded: `%2F` is no separator.
    #[must_use]
    pub fn route(&self, method: &Method, path: &str) -> Route {
        let Ok(matched) = self.0.at(path) else { return Route::NotFound };
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        match matched.value.iter().find(|row| row.method == wanted) {
            Some(row) => {
                let values =
                    matched.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
                Route::Found(row.endpoint, values.collect())
            }
            None => Route::MethodNotAllowed(allowed(matched.value)),
        }
    }
}

fn allowed(rows: &[Row]) -> Vec<Method> {
    let mut methods: Vec<Method> = rows.iter().map(|row| row.method.clone()).collect();
    if methods.contains(&Method::GET) {
        methods.push(Method::HEAD);
    }
    methods
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_its_endpoint_or_names_its_methods() {
        let router = Router::new().expect("a table without clashes");
        let at = |method: &Method, path: &str| router.route(method, path);
        assert_eq!(at(&Method::HEAD, "/healthz"), Route::Found(Endpoint::Health, Vec::new()));
        assert_eq!(
            at(&Method::GET, "/upload/jobs/1"),
            Route::Found(
                Endpoint::UploadView,
                vec![(String::from("view"), String::from("jobs/1"))],
            )
        );
        assert_eq!(
            at(&Method::PUT, "/upload"),
            Route::MethodNotAllowed(vec![Method::GET, Method::POST, Method::HEAD])
        );
        assert_eq!(at(&Method::GET, "/etc/passwd"), Route::NotFound);
    }

    #[test]
    fn nothing_but_signing_in_health_and_the_pages_files_is_open() {
        let open: Vec<_> = TABLE
            .iter()
            .filter(|row| row.endpoint.access() == Access::Open)
            .map(|row| row.path)
            .collect();
        assert_eq!(
            open,
            [
                "/login",
                "/login",
                "/logout",
                "/healthz",
                "/health",
                "/readyz",
                "/_app/{build}/{*file}",
                "/api/v1/auth/register",
                "/api/v1/auth/login",
                "/api/v1/auth/refresh",
                "/api/v1/auth/logout"
            ]
        );
    }
}
