//! One request from its head to its answer: id, span, endpoint, policy, handler, headers, log line.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{ACCEPT, CONTENT_LENGTH};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::{Body as _, Incoming as RequestBody};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tower::{Layer, ServiceExt, service_fn};
use tower_http::csrf::CsrfLayer;
use tracing::Instrument;

use super::endpoint::{Access, Endpoint, Route, Router};
use super::error::Problem;
use super::handlers;
use super::request::credentials::credentials;
use super::request::origin::{self, Peer};
use super::response::body::{Body, empty, redirect};
use super::response::headers::{Scheme, secure};
use crate::auth::{Auth, By, Method as Proof, Principal};
use crate::db::Database;
use crate::jobs::Jobs;
use crate::observe::RequestId;

/// How the server is reached.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Origins by which browsers reach it (`https://mill.example.org`).
    pub public_origins: Vec<String>,
}

/// Everything a request can reach. Cheap to clone.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    router: Router,
    csrf: CsrfLayer,
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
}

/// Longest target of a request, in bytes.
const TARGET_BYTES: usize = 8 * 1024;

/// All headers of a request together; hyper's own limit on its buffer is a rough one.
const HEADER_BYTES: usize = 32 * 1024;

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
        Ok(Self(Arc::new(Inner { router: Router::new()?, csrf, settings, auth, jobs, database })))
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

    /// The first public origin: what absolute links begin with.
    #[must_use]
    pub fn public_origin(&self) -> Option<&str> {
        self.0.settings.public_origins.first().map(String::as_str)
    }

    /// Answers one request. Never fails: every error is an answer.
    pub async fn answer(&self, request: Request<RequestBody>, peer: Peer) -> Response<Body> {
        let id = RequestId::next();
        let span = tracing::info_span!("request", id = %id);
        async {
            let started = Instant::now();
            let (method, path) = (request.method().clone(), request.uri().path().to_owned());
            let scheme = origin::scheme(request.headers(), peer, &self.0.settings.public_origins);
            let mut response = self
                .handle(request, scheme, peer)
                .await
                .unwrap_or_else(|problem| problem.into_response(&id));
            secure(response.headers_mut(), scheme);
            if let Ok(value) = HeaderValue::from_str(id.as_str()) {
                response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
            }
            if method == Method::HEAD {
                drop_body(&mut response);
            }
            let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(%method, path, status = response.status().as_u16(), milliseconds, "answered");
            response
        }
        .instrument(span)
        .await
    }

    async fn handle(
        &self,
        request: Request<RequestBody>,
        scheme: Scheme,
        peer: Peer,
    ) -> Result<Response<Body>, Problem> {
        let (head, body) = request.into_parts();
        check_head(&head)?;
        origin::check_host(&head.headers, &head.uri)?;
        let route = self.0.router.route(&head.method, head.uri.path());
        let access = match &route {
            Route::Found(endpoint, _) => endpoint.access(),
            // What is not listed is told only to those who may know.
            Route::MethodNotAllowed(_) | Route::NotFound => Access::SignedIn,
        };
        let principal = match access {
            Access::Open => None,
            Access::SignedIn | Access::With(_) | Access::Person => {
                match self.principal(&head.headers, scheme).await {
                    Ok(principal) => Some(principal),
                    Err(problem) if problem.code() == "unauthenticated" && is_navigation(&head) => {
                        return Ok(to_sign_in(&head));
                    }
                    Err(problem) => return Err(problem.closing()),
                }
            }
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
        if endpoint == Endpoint::Login
            || principal.as_ref().is_some_and(|p| p.method == Proof::Session)
        {
            self.check_site(&head).await?;
        }
        check_length(&head.headers, &body, endpoint)?;
        let client = origin::client(&head.headers, peer).map(|address| address.to_string());
        let call = Call { endpoint, values, head, principal, scheme, client };
        if endpoint == Endpoint::Upload {
            return handlers::dispatch(self, call, body).await;
        }
        tokio::time::timeout(ANSWER_TIME, handlers::dispatch(self, call, body))
            .await
            .unwrap_or_else(|_| {
                tracing::error!("no answer in time");
                Err(Problem::new("internal", "The server made a mistake: no answer in time."))
            })
    }

    async fn principal(&self, headers: &HeaderMap, scheme: Scheme) -> Result<Principal, Problem> {
        Ok(self.0.auth.authenticate(credentials(headers, scheme)).await?)
    }

    /// Refuses what another site makes a browser send: tower-http's rules (Fetch Metadata, then
    /// Origin), asked about the head alone.
    async fn check_site(&self, head: &Parts) -> Result<(), Problem> {
        let mut probe = Request::new(());
        *probe.method_mut() = head.method.clone();
        *probe.uri_mut() = head.uri.clone();
        *probe.headers_mut() = head.headers.clone();
        let pass = service_fn(|_: Request<()>| async { Ok::<_, Infallible>(Response::new(())) });
        let verdict = self.0.csrf.layer(pass).oneshot(probe).await;
        match verdict {
            Ok(response) if response.status() == StatusCode::OK => Ok(()),
            _ => {
                Err(Problem::new("csrf_failed", "This came from another site, so it was not done.")
                    .closing())
            }
        }
    }
}

impl Call {
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

    /// A value of the path; empty when the path has none of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// Somebody is known and may not.
fn forbidden(access: Access) -> Problem {
    let detail = match access {
        Access::With(scope) => {
            format!("This takes a key or an account with \"{}\".", scope.as_str())
        }
        Access::Person => String::from("This is for people who are signed in, not for keys."),
        Access::Open | Access::SignedIn => String::from("You may not do this."),
    };
    Problem::new("forbidden", detail)
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
