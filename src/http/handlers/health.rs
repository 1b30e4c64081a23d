//! Is it alive, would it work, what is it.

use http::{Response, StatusCode};
use serde_json::json;

use crate::http::error::Problem;
use crate::http::response::body::{Body, json, with_type};
use crate::http::service::Server;
use crate::jobs::JobsError;

/// `GET /healthz`: the process answers.
pub(super) fn alive() -> Response<Body> {
    json(
        StatusCode::OK,
        &json!({
            "status": "healthy",
            "service": "audiomill",
            "version": env!("CARGO_PKG_VERSION"),
        }),
    )
}

/// `GET /readyz`: work would be accepted and kept.
pub(super) async fn ready(server: &Server) -> Result<Response<Body>, Problem> {
    if server.jobs().is_draining() {
        return Err(JobsError::Draining.into());
    }
    let look = async {
        server.database().check().await.map_err(|error| {
            tracing::error!(%error, "the database is not usable");
            "The database is not usable."
        })?;
        server.jobs().check_storage().await.map_err(|error| {
            tracing::error!(%error, "the disk is not usable");
            "The disk is full or not usable."
        })
    };
    let found = server.readiness().ask(look).await;
    found.map_err(|sentence| Problem::new("not_usable", sentence))?;
    Ok(json(
        StatusCode::OK,
        &json!({
            "status": "ready",
            "service": "audiomill",
            "version": env!("CARGO_PKG_VERSION"),
        }),
    ))
}

/// `GET /api/v1`: name, version, links.
pub(super) fn root() -> Response<Body> {
    json(
        StatusCode::OK,
        &json!({
            "service": "audiomill",
            "version": env!("CARGO_PKG_VERSION"),
            "links": { "jobs": "/api/v1/jobs", "formats": "/api/v1/formats", "upload": "/upload" },
        }),
    )
}

/// `GET /metrics`: OpenMetrics text.
pub(super) fn metrics(server: &Server) -> Response<Body> {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    with_type(StatusCode::OK, kind, server.metrics().text())
}
