//! What can be made.

use http::Response;
use serde_json::json;

use crate::http::error::Problem;
use crate::http::response::body::{Body, json_unless_known};
use crate::http::service::{Call, Server};
use crate::media::Catalog;
use crate::media::describe::describe;
use crate::media::options::PRESETS;
use crate::media::request::Format;

/// Endings a file picker offers where it must be told: what can be opened, not what can be made.
const ACCEPT: &[&str] = &[
    ".mp3", ".wav", ".m4a", ".flac", ".ogg", ".opus", ".aac", ".aif", ".aiff", ".aifc", ".wma",
    ".m4b", ".oga", ".mp2", ".mpga", ".ac3", ".eac3", ".amr", ".awb", ".ape", ".au", ".snd",
    ".caf", ".dsf", ".dts", ".mka", ".mpc", ".tak", ".tta", ".voc", ".w64", ".wv", ".shn", ".rf64",
    ".mp4", ".mov", ".mkv", ".webm", ".avi", ".3gp", ".flv", ".ts",
];

/// `GET /api/v1/formats`.
pub(super) fn catalogue(server: &Server, call: &Call) -> Result<Response<Body>, Problem> {
    let answer = json!({
        "default": Format::Mp3.as_str(),
        "accept": ACCEPT,
        "max_upload_bytes": server.jobs().settings().max_upload.0,
        "presets": PRESETS,
        "formats": describe(Catalog::of_this_build()),
    });
    Ok(json_unless_known(&call.head.headers, &answer))
}
