//! One request from its head to its answer: id, span, endpoint, policy, handler, headers, log line.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::header::{
    ACCEPT, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_LENGTH,
    CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH, IF_RANGE, LOCATION, ORIGIN, RANGE, RETRY_AFTER,
    USER_AGENT, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming as RequestBody};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::csrf::CsrfLayer;
use tracing::Instrument;

use super::endpoint::{Access, Endpoint, Route, Router, meant};
use super::error::Problem;
use super::handlers;
use super::limit::{Rate, Refusals, Streams};
use super::readiness::Readiness;
use super::request::credentials::{credentials, names_access};
use super::request::form;
use super::request::origin::{self, Peer, TrustedProxies};
use super::response::body::{Body, empty, redirect};
use super::response::headers::{Scheme, secure};
use super::site::{Site, SiteAccess};
use crate::auth::{Auth, Caller, Credentials, Principal, Scope};
use crate::base::UserId;
use crate::base::clock::rfc3339;
use crate::db::Database;
use crate::jobs::Jobs;
use crate::ledger::{By, Called};
use crate::observe::{Metrics, RequestId};

/// How the server is reached.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Origins by which browsers reach it (`https://mill.example.org`).
    pub public_origins: Vec<String>,
    /// Proxies whose word about the client counts.
    pub trusted_proxies: TrustedProxies,
    /// Other origins whose pages may read our answers.
    pub cors_origins: Vec<String>,
    /// Requests of a principal or a network; 0 for any number.
    pub rate_per_minute: u32,
    /// The generated site.
    pub site: Option<Site>,
}

/// Everything a request can reach. Cheap to clone.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    router: Router,
    csrf: CsrfLayer,
    cors: Option<CorsLayer>,
    rate: Rate,
    refusals: Refusals,
    streams: Streams,
    metrics: Metrics,
    readiness: Readiness,
    settings: Settings,
    auth: Auth,
    jobs: Jobs,
    database: Database,
}

/// The server cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// Two endpoints share a path.
    #[error("the endpoint table is ambiguous: {0}")]
    Table(#[from] matchit::InsertError),
    /// An origin of PUBLIC_URL is none.
    #[error("PUBLIC_URL holds \"{0}\", which is not an origin like https://mill.example.org")]
    Origin(String),
}

/// One request, parsed and allowed.
pub struct Call {
    /// Which endpoint.
    pub endpoint: Endpoint,
    /// Values of its path.
    pub values: Vec<(String, String)>,
    /// Its head.
    pub head: Parts,
    /// Who calls, where the endpoint asks for somebody.
    pub principal: Option<Principal>,
    /// How the browser reached us.
    pub scheme: Scheme,
    /// The client's address.
    pub client: Option<String>,
    /// Whether something stands between the client and us.
    pub is_forwarded: bool,
}

/// Longest target of a request, in bytes.
const TARGET_BYTES: usize = 8 * 1024;

/// So much of a path is in the log.
const LOGGED_BYTES: usize = 1024;

/// All headers of a request together; hyper's own limit on its buffer is a rough one.
const HEADER_BYTES: usize = 32 * 1024;

/// Carries the token that changes under a session or an assertion take.
const CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");

/// An answer to anything but an upload is ready within this time.
const ANSWER_TIME: Duration = Duration::from_secs(30);

impl Server {
    /// Puts the server together.
    ///
    /// # Errors
    /// [`AssembleError`].
    pub fn new(
        settings: Settings,
        auth: Auth,
        jobs: Jobs,
        database: Database,
    ) -> Result<Self, AssembleError> {
        let csrf = settings.public_origins.iter().try_fold(CsrfLayer::new(), |layer, origin| {
            layer.add_trusted_origin(origin).map_err(|_| AssembleError::Origin(origin.clone()))
        })?;
        Ok(Self(Arc::new(Inner {
            router: Router::new()?,
            csrf,
            cors: cors(&settings.cors_origins)?,
            rate: Rate::new(settings.rate_per_minute),
            refusals: Refusals::default(),
            streams: Streams::default(),
            metrics: Metrics::default(),
            readiness: Readiness::default(),
            settings,
            auth,
            jobs,
            database,
        })))
    }

    /// The jobs.
    #[must_use]
    pub fn jobs(&self) -> &Jobs {
        &self.0.jobs
    }

    /// Who is who.
    #[must_use]
    pub fn auth(&self) -> &Auth {
        &self.0.auth
    }

    /// The database, for readiness.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// What was found when somebody last asked whether work can be done.
    #[must_use]
    pub fn readiness(&self) -> &Readiness {
        &self.0.readiness
    }

    /// Numbers for a monitor.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Who listens to events.
    #[must_use]
    pub(super) fn streams(&self) -> &Streams {
        &self.0.streams
    }

    /// The endpoint's name for a monitor.
    fn name_of(&self, method: &Method, path: &str) -> String {
        match self.route(method, &meant(path)) {
            Route::Found(endpoint, _) => format!("{endpoint:?}"),
            Route::MethodNotAllowed(_) | Route::NotFound => String::from("None"),
        }
    }

    /// Whether a peer speaks for others.
    #[must_use]
    pub fn trusts(&self, peer: Peer) -> bool {
        self.0.settings.trusted_proxies.trust(peer)
    }

    /// The first public origin: what absolute links begin with.
    #[must_use]
    pub fn public_origin(&self) -> Option<&str> {
        self.0.settings.public_origins.first().map(String::as_str)
    }

    /// Answers one request. Never fails: every error is an answer.
    pub async fn answer(&self, mut request: Request<RequestBody>, peer: Peer) -> Response<Body> {
        // HTTP/2 names the host in its target; what goes by the host goes by either.
        if let (false, Some(authority)) =
            (request.headers().contains_key(HOST), request.uri().authority())
            && let Ok(host) = HeaderValue::from_str(authority.as_str())
        {
            request.headers_mut().insert(HOST, host);
        }
        let id = RequestId::next();
        let span = tracing::info_span!("request", id = %id);
        async {
            let started = Instant::now();
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let Settings { public_origins, trusted_proxies, .. } = &self.0.settings;
            let scheme = trusted_proxies.scheme(request.headers(), peer, public_origins);
            let client = trusted_proxies.client(request.headers(), peer);
            let mut response = self.answer_across(request, scheme, client, &id).await;
            if response.status() == StatusCode::UNAUTHORIZED && self.0.refusals.count(client) {
                self.0.metrics.repeated_unauthenticated();
            }
            let name = self.name_of(&method, &path);
            self.0.metrics.answered(&name, response.status().as_u16());
            secure(response.headers_mut(), scheme);
            if let Ok(value) = HeaderValue::from_str(id.as_str()) {
                response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
            }
            if method == Method::HEAD {
                drop_body(&mut response);
            }
            let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            let path = &path[..path.floor_char_boundary(LOGGED_BYTES)];
            tracing::info!(%method, path, status = response.status().as_u16(), milliseconds, "answered");
            response
        }
        .instrument(span)
        .await
    }

    /// Answers, with what a page of another origin has to be told where one asks that may.
    async fn answer_across(
        &self,
        request: Request<RequestBody>,
        scheme: Scheme,
        client: Option<IpAddr>,
        id: &RequestId,
    ) -> Response<Body> {
        let handle = async |request| {
            let handled = caught(self.handle(request, scheme, client)).await;
            handled.unwrap_or_else(|problem| problem.into_response(id))
        };
        let is_preflight = request.method() == Method::OPTIONS
            && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let across = self.0.cors.as_ref().filter(|_| {
            request.headers().contains_key(ORIGIN)
                && (is_preflight || request.method() != Method::OPTIONS)
        });
        let Some(cors) = across else {
            let mut response = handle(request).await;
            if self.0.cors.is_some() {
                response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
            }
            return response;
        };
        if is_preflight {
            let nothing =
                service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(empty())) });
            let told = cors.layer(nothing).oneshot(request.map(drop)).await;
            return told.unwrap_or_else(|never| match never {});
        }
        // The layer reads the head alone, and an answer is made only once.
        let mut probe = Request::new(());
        *probe.method_mut() = request.method().clone();
        *probe.headers_mut() = request.headers().clone();
        let mut response = handle(request).await;
        let nothing =
            service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(empty())) });
        let told = cors.layer(nothing).oneshot(probe).await;
        let told = told.unwrap_or_else(|never| match never {});
        response.headers_mut().extend(told.headers().clone());
        response
    }

    async fn handle(
        &self,
        request: Request<RequestBody>,
        scheme: Scheme,
        client: Option<IpAddr>,
    ) -> Result<Response<Body>, Problem> {
        let (head, body) = request.into_parts();
        check_head(&head)?;
        origin::check_host(&head.headers, &head.uri)?;
        let path: Cow<'_, str> = meant(head.uri.path());
        let route = self.route(&head.method, &path);
        let access = match &route {
            Route::Found(Endpoint::Site, _) if self.is_site_public() => Access::Open,
            // A link is its own proof; whoever else its browser is signed in as.
            Route::Found(endpoint, _)
                if matches!(endpoint.access(), Access::LinkOr(_)) && is_link(&head) =>
            {
                Access::Open
            }
            Route::Found(endpoint, _) => endpoint.access(),
            // What is not listed is told only to those who may know.
            Route::MethodNotAllowed(_) | Route::NotFound => Access::SignedIn,
        };
        let is_limited = match &route {
            Route::Found(endpoint, _) => endpoint.is_limited(),
            Route::MethodNotAllowed(_) | Route::NotFound => true,
        };
        let found = match access {
            Access::Open => Ok(None),
            Access::SignedIn | Access::With(_) | Access::LinkOr(_) | Access::Person => {
                self.principal(&head.headers, scheme, client).await.map(Some)
            }
        };
        if is_limited {
            self.0.rate.count(found.as_ref().ok().and_then(Option::as_ref), client)?;
        }
        let known = found.as_ref().ok().and_then(Option::as_ref);
        if let (Some(caller), true) = (known, is_limited) {
            self.count_call(caller).await?;
        }
        let principal = match found {
            Ok(principal) => principal,
            Err(problem) if is_navigation(&head) => match problem.code() {
                "unauthenticated" => return Ok(to_sign_in(&head)),
                "forbidden" => return handlers::not_allowed(&problem),
                _ => return Err(problem.closing()),
            },
            Err(problem) => return Err(problem.closing()),
        };
        let (endpoint, values) = match route {
            Route::Found(endpoint, values) => (endpoint, values),
            Route::MethodNotAllowed(methods) => return Err(Problem::method_not_allowed(&methods)),
            Route::NotFound => {
                return Err(Problem::new("not_found", "There is nothing at this address."));
            }
        };
        if principal.as_ref().is_some_and(|principal| !access.admits(principal)) {
            return Err(forbidden(access).closing());
        }
        let ambient = principal.as_ref().filter(|principal| principal.method.is_ambient());
        if matches!(endpoint, Endpoint::Login | Endpoint::Logout) || ambient.is_some() {
            self.check_site(&head, scheme).await?;
        }
        if let (Some(caller), true) = (ambient, endpoint.takes_csrf_token(&head.method)) {
            self.check_token(&head.headers, caller)?;
        }
        let token = ambient.map(|caller| self.0.auth.csrf_token(caller));
        check_length(&head.headers, &body, endpoint)?;
        let is_forwarded = origin::is_forwarded(&head.headers);
        let client = client.map(|address| address.to_string());
        let call = Call { endpoint, values, head, principal, scheme, client, is_forwarded };
        let mut response = match endpoint {
            // What takes a file has its own limit on silence.
            Endpoint::Upload | Endpoint::CreateJob | Endpoint::Probe => {
                handlers::dispatch(self, call, body).await?
            }
            _ => tokio::time::timeout(ANSWER_TIME, handlers::dispatch(self, call, body))
                .await
                .unwrap_or_else(|_| {
                    tracing::error!("no answer in time");
                    Err(Problem::new("internal", "The server made a mistake: no answer in time."))
                })?,
        };
        if let Some(token) = token.and_then(|token| HeaderValue::from_str(&token).ok()) {
            response.headers_mut().insert(CSRF_TOKEN, token);
        }
        Ok(response)
    }

    /// Counts what scripts ask against their plan; a page that keeps looking is not held to it.
    async fn count_call(&self, caller: &Principal) -> Result<(), Problem> {
        if caller.method.is_ambient() {
            return Ok(());
        }
        let now = self.0.auth.now();
        let called = self.0.jobs.usage().call(caller.user, now).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a request is not counted");
            Called::Counted
        });
        match called {
            Called::Counted => Ok(()),
            Called::UsedUp(limit, until) => {
                let detail =
                    format!("The plan's {limit} requests are used up until {}.", rfc3339(until));
                let seconds = u64::try_from((until - now) / 1000).unwrap_or(0);
                Err(Problem::new("too_many", detail)
                    .with_header(RETRY_AFTER, seconds.into())
                    .closing())
            }
        }
    }

    /// Who a browser is known by when it changes something also shows that it could read an answer of
    /// ours: another site's page cannot, whatever its browser lets it send.
    fn check_token(&self, headers: &HeaderMap, caller: &Principal) -> Result<(), Problem> {
        let token = headers.get(CSRF_TOKEN).and_then(|value| value.to_str().ok());
        if token.is_some_and(|token| self.0.auth.is_csrf_token(caller, token)) {
            return Ok(());
        }
        let detail = "Send the x-csrf-token header that every answer to you carries.";
        Err(Problem::new("csrf_failed", detail).closing())
    }

    /// Where a request goes: what is no route is the site's, where there is one. The API has its own
    /// words for what it has not.
    fn route(&self, method: &Method, path: &str) -> Route {
        let route = self.0.router.route(method, path);
        let is_for_site = match &route {
            Route::Found(endpoint, _) => *endpoint == Endpoint::Home,
            Route::NotFound => {
                matches!(*method, Method::GET | Method::HEAD) && !path.starts_with("/api/")
            }
            Route::MethodNotAllowed(_) => false,
        };
        if is_for_site && self.site().is_some() {
            return Route::Found(Endpoint::Site, Vec::new());
        }
        route
    }

    fn is_site_public(&self) -> bool {
        self.site().is_some_and(|site| site.access == SiteAccess::Public)
    }

    /// The generated site.
    #[must_use]
    pub fn site(&self) -> Option<&Site> {
        self.0.settings.site.as_ref()
    }

    /// Whether what a request was known by is still good for the same account.
    pub(super) async fn is_still(&self, call: &Pass, user: UserId, scope: Scope) -> bool {
        let found = self.principal(&call.headers, call.scheme, call.client).await;
        found.is_ok_and(|caller| caller.user == user && caller.scopes.contains(scope))
    }

    async fn principal(
        &self,
        headers: &HeaderMap,
        scheme: Scheme,
        client: Option<IpAddr>,
    ) -> Result<Principal, Problem> {
        let address = client.map(|address| address.to_string());
        let found = Credentials { address: address.as_deref(), ..credentials(headers, scheme) };
        let known = self.0.auth.authenticate(found).await;
        if known.is_err() {
            self.explain_access(headers);
        }
        Ok(known?)
    }

    /// Says in the log, once, why somebody whom Cloudflare Access has let in is nobody here.
    pub fn explain_access(&self, headers: &HeaderMap) {
        static ONCE: Once = Once::new();
        if names_access(headers) && !self.0.auth.is_behind_access() {
            ONCE.call_once(|| {
                tracing::warn!(
                    "Cloudflare Access is in front; set CF_TEAM_DOMAIN and CF_AUDIENCE to sign in by it"
                );
            });
        }
    }

    /// Refuses what another site makes a browser send: tower-http's rules (Fetch Metadata, then
    /// Origin), asked about the head alone.
    async fn check_site(&self, head: &Parts, scheme: Scheme) -> Result<(), Problem> {
        let foreign = "This came from another site, so it was not done.";
        let origins = &self.0.settings.public_origins;
        if !head.method.is_safe() && !origin::is_from_here(&head.headers, scheme, origins) {
            return Err(Problem::new("csrf_failed", foreign).closing());
        }
        let mut probe = Request::new(());
        *probe.method_mut() = head.method.clone();
        *probe.uri_mut() = head.uri.clone();
        *probe.headers_mut() = head.headers.clone();
        let pass = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
        let verdict = self.0.csrf.layer(pass).oneshot(probe).await;
        match verdict {
            Ok(response) if response.status() == StatusCode::OK => Ok(()),
            _ => Err(Problem::new("csrf_failed", foreign).closing()),
        }
    }
}

/// What a request was let in by, for an answer that goes on for long.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    headers: HeaderMap,
    scheme: Scheme,
    client: Option<IpAddr>,
}

impl Call {
    /// What it was let in by.
    #[must_use]
    pub(super) fn pass(&self) -> Pass {
        let client = self.client.as_deref().and_then(|address| address.parse().ok());
        Pass { headers: self.head.headers.clone(), scheme: self.scheme, client }
    }

    /// Who calls.
    ///
    /// # Errors
    /// `unauthenticated`, which the policy has ruled out where the endpoint asks for somebody.
    pub fn caller(&self) -> Result<&Principal, Problem> {
        self.principal.as_ref().ok_or_else(|| Problem::new("unauthenticated", "Not signed in."))
    }

    /// Who calls, as it is written down.
    ///
    /// # Errors
    /// Those of [`Self::caller`].
    pub fn by(&self) -> Result<By<'_>, Problem> {
        let caller = self.caller()?;
        let (actor, method) = (caller.email.as_str(), caller.method.as_str());
        Ok(By { actor, method, address: self.client.as_deref() })
    }

    /// From where somebody signs in.
    #[must_use]
    pub fn from(&self) -> Caller<'_> {
        let user_agent = self.head.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Caller { address: self.client.as_deref(), user_agent, is_forwarded: self.is_forwarded }
    }

    /// The headers that say which part of a file is wanted; ranges are defined for GET alone (RFC 9110,
    /// section 14.2).
    #[must_use]
    pub fn conditions(&self) -> HeaderMap {
        let mut conditions = self.head.headers.clone();
        if self.head.method == Method::HEAD {
            conditions.remove(RANGE);
        }
        conditions
    }

    /// A value of the path; empty when the path has none of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// A mistake of ours in one request is an answer, not the end of its connection.
async fn caught<T>(handling: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    const { assert!(cfg!(panic = "unwind"), "nothing is caught otherwise") }
    AssertUnwindSafe(handling).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("a handler panicked");
        Err(Problem::new("internal", "The server made a mistake."))
    })
}

/// Pages of these origins may use the API with a key or a token of theirs; never with a cookie.
fn cors(origins: &[String]) -> Result<Option<CorsLayer>, AssembleError> {
    if origins.is_empty() {
        return Ok(None);
    }
    let allowed = origins.iter().map(|origin| {
        HeaderValue::from_str(origin).map_err(|_| AssembleError::Origin(origin.clone()))
    });
    let allowed = allowed.collect::<Result<Vec<_>, _>>()?;
    let named = |names: &[&'static str]| -> Vec<HeaderName> {
        names.iter().copied().map(HeaderName::from_static).collect()
    };
    let methods =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let mut asked = vec![AUTHORIZATION, CONTENT_TYPE, IF_NONE_MATCH, IF_RANGE, RANGE];
    asked.extend(named(&["x-api-key", "x-requested-with", "idempotency-key", "last-event-id"]));
    asked.extend(named(&[
        "tus-resumable",
        "upload-length",
        "upload-metadata",
        "upload-offset",
        "upload-defer-length",
        "upload-concat",
        "upload-checksum",
    ]));
    let mut told = vec![LOCATION, ETAG, RETRY_AFTER, CONTENT_DISPOSITION];
    told.extend(named(&[
        "x-request-id",
        "idempotent-replayed",
        "tus-resumable",
        "tus-version",
        "tus-extension",
        "tus-max-size",
        "upload-length",
        "upload-metadata",
        "upload-offset",
        "upload-expires",
    ]));
    Ok(Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(allowed))
            .allow_methods(methods)
            .allow_headers(asked)
            .expose_headers(told)
            .max_age(Duration::from_secs(600)),
    ))
}

/// Somebody is known and may not.
fn forbidden(access: Access) -> Problem {
    let detail = match access {
        Access::With(scope) | Access::LinkOr(scope) => {
            format!("This takes a key or an account with \"{}\".", scope.as_str())
        }
        Access::Person => String::from("This is for people who are signed in, not for keys."),
        Access::Open | Access::SignedIn => String::from("You may not do this."),
    };
    Problem::new("forbidden", detail)
}

/// Whether an address says that it is a link.
fn is_link(head: &Parts) -> bool {
    let query = form::parse(head.uri.query().unwrap_or_default());
    query.iter().any(|(name, _)| name == "signature")
}

fn check_head(head: &Parts) -> Result<(), Problem> {
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES {
        let detail = format!("An address has at most {TARGET_BYTES} bytes.");
        return Err(Problem::new("uri_too_long", detail).closing());
    }
    let headers: usize =
        head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers > HEADER_BYTES {
        let detail = format!("The headers of a request have at most {HEADER_BYTES} bytes.");
        return Err(Problem::new("headers_too_large", detail).closing());
    }
    Ok(())
}

fn check_length(
    headers: &HeaderMap,
    body: &RequestBody,
    endpoint: Endpoint,
) -> Result<(), Problem> {
    let Some(limit) = endpoint.body_limit() else { return Ok(()) };
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok())
        .unwrap_or_else(|| body.size_hint().lower());
    if announced > limit {
        return Err(
            Problem::new("too_large", format!("This takes at most {limit} bytes.")).closing()
        );
    }
    Ok(())
}

/// Whether a person is looking at the answer: then a page helps more than a code.
fn is_navigation(head: &Parts) -> bool {
    let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    if !matches!(head.method, Method::GET | Method::HEAD) {
        return false;
    }
    match text("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => {
            text(ACCEPT.as_str()).is_some_and(|accept| accept.trim_start().starts_with("text/html"))
        }
    }
}

fn to_sign_in(head: &Parts) -> Response<Body> {
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    redirect(
        StatusCode::FOUND,
        &format!("/login?next={}", utf8_percent_encode(target, NON_ALPHANUMERIC)),
    )
}

/// A HEAD is answered like its GET but for the body (RFC 9110, section 9.3.2).
fn drop_body(response: &mut Response<Body>) {
    let length = response.body().size_hint().exact();
    if let (Some(length), false) = (length, response.headers().contains_key(CONTENT_LENGTH)) {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = empty();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handler_that_panics_is_a_500() {
        let handling = async {
            assert!(Method::GET == Method::POST, "a secret");
            Ok(())
        };
        let problem = caught(handling).await.expect_err("a problem");
        assert_eq!(problem.code(), "internal");
        assert!(!problem.detail().contains("a secret"), "what went wrong is for the log");
    }
}
