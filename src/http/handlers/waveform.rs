//! The shape of a job's sound, as numbers or as a picture.

use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};

use super::job_id;
use crate::http::error::Problem;
use crate::http::request::form;
use crate::http::response::body::{Body, full, json_unless_known};
use crate::http::service::{Call, Server};

/// Pixels, unless told otherwise; the most there are.
const POINTS_DEFAULT: usize = 1000;
const POINTS_MAX: usize = 4096;
/// A picture's height, unless told otherwise; the highest.
const HEIGHT_DEFAULT: u32 = 140;
const HEIGHT_MAX: u32 = 1024;

/// What the address asks for.
struct Asked {
    points: usize,
    height: u32,
    is_picture: bool,
}

/// `GET /api/v1/jobs/{id}/waveform?points=&format=json|png&height=`.
pub(super) async fn get(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let asked = asked(call)?;
    let caller = call.caller()?.user;
    let waveform = server.jobs().waveform(caller, job_id(call)?, asked.points).await?;
    if !asked.is_picture {
        return Ok(json_unless_known(&call.head.headers, &waveform.to_json()));
    }
    let width = u32::try_from(asked.points).unwrap_or(1);
    let picture = waveform.to_png(width, asked.height).map_err(|error| {
        tracing::error!(%error, "a waveform cannot be drawn");
        Problem::new("internal", "The server made a mistake.")
    })?;
    let mut response = Response::new(full(picture));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/png"));
    Ok(response)
}

fn asked(call: &Call) -> Result<Asked, Problem> {
    let mut asked = Asked { points: POINTS_DEFAULT, height: HEIGHT_DEFAULT, is_picture: false };
    for (name, value) in form::parse(call.head.uri.query().unwrap_or_default()) {
        let wrong = |allowed: &str| {
            Problem::new("query_invalid", format!("\"{name}\" in the address takes {allowed}."))
        };
        match (name.as_str(), value.as_str()) {
            ("points", value) => {
                let points = value.parse().ok().filter(|points| (1..=POINTS_MAX).contains(points));
                asked.points = points.ok_or_else(|| wrong("1 to 4096"))?;
            }
            ("height", value) => {
                let height = value.parse().ok().filter(|height| (1..=HEIGHT_MAX).contains(height));
                asked.height = height.ok_or_else(|| wrong("1 to 1024"))?;
            }
            ("format", "json") => asked.is_picture = false,
            ("format", "png") => asked.is_picture = true,
            ("format", _) => return Err(wrong("json or png")),
            _ => {
                let detail =
                    format!("There is no \"{name}\"; a waveform takes points, format, height.");
                return Err(Problem::new("query_invalid", detail));
            }
        }
    }
    Ok(asked)
}
