//! One function per endpoint: a parsed, allowed call in, an answer out.
//!
//! Owns: which part of the domain an endpoint asks. Never: policy, SQL, another handler.
//! Used by: `http::service`.

mod artifacts;
mod audit;
mod create;
mod events;
mod formats;
mod health;
mod jobs;
mod keys;
mod me;
mod page;
mod plain;
mod probe;
mod sessions;
mod sign_in;
mod site;
mod tokens;
mod usage;
mod users;
mod waveform;
mod webhooks;

use http::Response;
use hyper::body::Incoming as RequestBody;

use super::endpoint::Endpoint;
use super::error::Problem;
use super::response::body::Body;
use super::service::{Call, Server};

/// Hands a call to its endpoint's function.
///
/// # Errors
/// The function's own refusal.
pub async fn dispatch(
    server: &Server,
    call: Call,
    body: RequestBody,
) -> Result<Response<Body>, Problem> {
    match call.endpoint {
        Endpoint::Home | Endpoint::UploadPage | Endpoint::UploadView => page::shell(),
        Endpoint::Site => site::page(server, &call).await,
        Endpoint::LoginDone => page::signed_in(),
        Endpoint::Asset => page::asset(&call),
        Endpoint::Upload => plain::upload(server, call, body).await,
        Endpoint::Status => plain::status(server, &call).await,
        Endpoint::Download => plain::download(server, &call).await,
        Endpoint::LoginPage => sign_in::page(server, &call),
        Endpoint::Login => sign_in::spend(server, &call, body).await,
        Endpoint::Logout => sign_in::out(server, &call).await,
        Endpoint::Health => Ok(health::alive()),
        Endpoint::Metrics => Ok(health::metrics(server)),
        Endpoint::Ready => health::ready(server).await,
        Endpoint::ApiRoot => Ok(health::root()),
        Endpoint::ListJobs => jobs::list(server, &call).await,
        Endpoint::GetJob => jobs::get(server, &call).await,
        Endpoint::DeleteJob => jobs::delete(server, &call).await,
        Endpoint::CancelJob => jobs::cancel(server, &call).await,
        Endpoint::RetryJob => jobs::retry(server, &call).await,
        Endpoint::CreateJob => create::create(server, &call, body).await,
        Endpoint::JobLog => jobs::log(server, &call).await,
        Endpoint::JobEvents => events::of_job(server, &call).await,
        Endpoint::Events => events::all(server, &call).await,
        Endpoint::ListArtifacts => artifacts::list(server, &call).await,
        Endpoint::LinkToArtifact => artifacts::link(server, &call).await,
        Endpoint::ArtifactFile => artifacts::file(server, &call).await,
        Endpoint::Waveform => waveform::get(server, &call).await,
        Endpoint::Formats => formats::catalogue(server, &call),
        Endpoint::Probe => probe::look(server, &call, body).await,
        Endpoint::ListWebhooks => webhooks::list(server, &call).await,
        Endpoint::CreateWebhook => webhooks::create(server, &call, body).await,
        Endpoint::RemoveWebhook => webhooks::remove(server, &call).await,
        Endpoint::Deliveries => webhooks::deliveries(server, &call).await,
        Endpoint::ListKeys => keys::list(server, &call).await,
        Endpoint::CreateKey => keys::create(server, &call, body).await,
        Endpoint::RevokeKey => keys::revoke(server, &call).await,
        Endpoint::Me => me::show(server, &call).await,
        Endpoint::ChangeMe => me::change(server, &call, body).await,
        Endpoint::ChangePassword => me::change_password(server, &call, body).await,
        Endpoint::ListSessions => sessions::list(server, &call).await,
        Endpoint::EndSession => sessions::end(server, &call).await,
        Endpoint::EndOtherSessions => sessions::end_others(server, &call).await,
        Endpoint::Register => tokens::register(server, &call, body).await,
        Endpoint::IssueTokens => tokens::issue(server, &call, body).await,
        Endpoint::RefreshTokens => tokens::refresh(server, &call, body).await,
        Endpoint::EndTokens => tokens::end(server, &call, body).await,
        Endpoint::Usage => usage::show(server, &call).await,
        Endpoint::ListUsers => users::list(server).await,
        Endpoint::ChangeUser => users::change(server, &call, body).await,
        Endpoint::Audit => audit::list(server, &call).await,
    }
}

/// Tells a person whom a door knows that this house does not.
///
/// # Errors
/// `internal` when the page is missing.
pub fn not_allowed(problem: &Problem) -> Result<Response<Body>, Problem> {
    sign_in::not_allowed(problem.detail())
}

/// The job that a path names; a text that is no id names none.
fn job_id(call: &Call) -> Result<crate::base::JobId, Problem> {
    call.value("id").parse().map_err(|_| crate::jobs::JobsError::NotFound.into())
}
