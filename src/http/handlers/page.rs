//! The page and its files.

use http::header::CACHE_CONTROL;
use http::{HeaderValue, Response, StatusCode};

use crate::http::assets;
use crate::http::error::Problem;
use crate::http::response::body::{Body, html, with_type};
use crate::http::service::Call;

/// `GET /upload` and the views below it: one shell.
pub(super) fn shell() -> Result<Response<Body>, Problem> {
    document("index.html")
}

/// `GET /login/done`: tells the tab that waits, and closes itself.
pub(super) fn signed_in() -> Result<Response<Body>, Problem> {
    document("done.html")
}

fn document(name: &str) -> Result<Response<Body>, Problem> {
    let page = assets::document(name, &[])
        .ok_or_else(|| Problem::new("internal", "The page is missing from this build."))?;
    Ok(html(StatusCode::OK, page))
}

/// `GET /_app/{build}/{file}`: never changes under its address, so it is kept for a year. An
/// address of another build gets the file of this one, but is not kept.
pub(super) fn asset(call: &Call) -> Result<Response<Body>, Problem> {
    let asset = assets::get(call.value("file"))
        .ok_or_else(|| Problem::new("not_found", "There is nothing at this address."))?;
    let mut response = with_type(StatusCode::OK, asset.mime_type, asset.content.into_owned());
    let caching = if call.value("build") == assets::build() {
        "public, max-age=31536000, immutable"
    } else {
        "no-store"
    };
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    Ok(response)
}
