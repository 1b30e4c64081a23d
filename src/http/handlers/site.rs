//! Pages of the generated site.

use http::header::{CONTENT_SECURITY_POLICY, LOCATION};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use crate::http::error::Problem;
use crate::http::response::body::{Body, bare};
use crate::http::response::download::{Download, send};
use crate::http::service::{Call, Server};
use crate::http::site::{Found, Page, Site};

/// The site is its owner's, and does what its generator wrote; it just cannot be framed.
const POLICY: &str = "object-src 'none'; base-uri 'self'; frame-ancestors 'self'";

/// `GET /` and `GET /{path}` where there is a site.
pub(super) async fn page(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let nothing = || Problem::new("not_found", "There is nothing at this address.");
    let site: Site = server.site().cloned().ok_or_else(nothing)?;
    let path = call.head.uri.path().to_owned();
    let looked = tokio::task::spawn_blocking(move || match site.find(&path) {
        Found::Nothing => (Found::Nothing, site.not_found_page()),
        found => (found, None),
    });
    let (found, not_found_page) = looked.await.map_err(|error| {
        tracing::error!(%error, "a page of the site was not found out");
        Problem::new("internal", "The server made a mistake.")
    })?;
    match (found, not_found_page) {
        (Found::File(page), _) => file(page, &call.conditions()).await,
        (Found::Folder, _) => {
            let query = call.head.uri.query().map_or(String::new(), |query| format!("?{query}"));
            let to = format!("{}/{query}", call.head.uri.path());
            let mut response = bare(StatusCode::MOVED_PERMANENTLY);
            if let Ok(to) = HeaderValue::from_str(&to) {
                response.headers_mut().insert(LOCATION, to);
            }
            Ok(response)
        }
        (Found::Nothing, Some(page)) => {
            // Never a part of it, and never "you have it".
            let mut response = file(page, &HeaderMap::new()).await?;
            *response.status_mut() = StatusCode::NOT_FOUND;
            Ok(response)
        }
        (Found::Nothing, None) => Err(nothing()),
    }
}

async fn file(page: Page, request: &HeaderMap) -> Result<Response<Body>, Problem> {
    let Page { file, bytes, validator, mime_type } = page;
    let download = Download { name: None, mime_type: &mime_type, bytes, validator: &validator };
    let mut response = send(&download, file, request).await?;
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    Ok(response)
}
