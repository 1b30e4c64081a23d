//! Results of jobs, and links to them.

use http::{Response, StatusCode};
use serde_json::json;

use super::job_id;
use crate::base::ArtifactId;
use crate::http::error::Problem;
use crate::http::request::form;
use crate::http::response::body::{Body, json as answer};
use crate::http::response::download::{self, Download};
use crate::http::response::job::artifact_objects;
use crate::http::service::{Call, Server};
use crate::jobs::JobsError;

/// `GET /api/v1/jobs/{id}/artifacts`.
pub(super) async fn list(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let job = server.jobs().get(call.caller()?.user, job_id(call)?).await?;
    Ok(answer(
        StatusCode::OK,
        &json!({"job_id": job.id.to_string(), "artifacts": artifact_objects(&job)}),
    ))
}

/// `GET /api/v1/artifacts/{id}/download`: an address that gives the file to whoever has it, for a while.
pub(super) async fn link(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let id = artifact_id(call)?;
    let (artifact, job) = server.jobs().artifact(call.caller()?.user, id).await?;
    let link = server.auth().link_to(call.by()?, call.caller()?, &id.to_string()).await?;
    let origin = server.public_origin().unwrap_or_default();
    Ok(answer(
        StatusCode::OK,
        &json!({
            "artifact_id": id.to_string(),
            "job_id": job.to_string(),
            "kind": artifact.kind,
            "download_url": format!(
                "{origin}/api/v1/artifacts/{id}/file?expires={}&signature={}",
                link.expires, link.signature
            ),
            "expires_in_seconds": link.seconds,
        }),
    ))
}

/// `GET /api/v1/artifacts/{id}/file`: the file, for its owner or for who has a link to it.
pub(super) async fn file(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let id = artifact_id(call)?;
    if let Some(caller) = &call.principal {
        server.jobs().artifact(caller.user, id).await?;
    } else {
        let query = form::parse(call.head.uri.query().unwrap_or_default());
        let value = |name: &str| form::value(&query, name).unwrap_or_default();
        let (expires, signature) = (value("expires"), value("signature"));
        if !server.auth().is_link_good(&id.to_string(), expires, signature) {
            let detail = "This link has run out or is incomplete; ask for a new one.";
            return Err(Problem::new("link_invalid", detail).closing());
        }
    }
    let (artifact, owner, file) = server.jobs().open_artifact(id).await?;
    if call.principal.is_none() {
        server.auth().check_owner(owner).await?;
    }
    download::send(&Download::of(&artifact), file, &call.conditions()).await
}

fn artifact_id(call: &Call) -> Result<ArtifactId, Problem> {
    call.value("id").parse().map_err(|_| JobsError::NotFound.into())
}
