//! The upload form: options and one file, streamed.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use hyper::body::Incoming as RequestBody;
use multer::{Field, Multipart};

use super::super::error::Problem;
use super::pace::{self, Paced};
use crate::base::is_invisible;

/// The longest value of an option, in bytes.
const VALUE_BYTES: usize = 4 * 1024;

/// Parts a form may have, its file included.
const PARTS: usize = 32;

/// A form as it arrives.
pub struct Form {
    parts: Multipart<'static>,
    seen: usize,
}

/// What came next in a form.
pub enum Part {
    /// An option.
    Value(String, String),
    /// The file: its name as the client says it, and its content.
    File(String, Box<FileField>),
    /// Nothing more.
    End,
}

/// The content of a form's file.
pub struct FileField(Field<'static>);

impl Form {
    /// Starts reading a request's form.
    ///
    /// # Errors
    /// `not_a_form` when it is none.
    pub fn open(headers: &HeaderMap, body: RequestBody) -> Result<Self, Problem> {
        let boundary = headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| multer::parse_boundary(value).ok())
            .ok_or_else(|| {
                Problem::new(
                    "not_a_form",
                    "Send multipart/form-data with the file in a field called \"file\".",
                )
                .closing()
            })?;
        let stream = Paced::new(body).into_data_stream();
        Ok(Self { parts: Multipart::new(stream, boundary), seen: 0 })
    }

    /// What comes next.
    ///
    /// # Errors
    /// `malformed_form`, `body_cut_off`, `client_too_slow`.
    pub async fn next(&mut self) -> Result<Part, Problem> {
        let field = within(self.parts.next_field()).await?;
        let Some(field) = field else { return Ok(Part::End) };
        self.seen += 1;
        if self.seen > PARTS {
            return Err(malformed(format!("A form has at most {PARTS} parts.")));
        }
        let name = field.name().unwrap_or_default().to_owned();
        if name == "file" || field.file_name().is_some() {
            let filename = field.file_name().unwrap_or_default().to_owned();
            return Ok(Part::File(display_name(&filename), Box::new(FileField(field))));
        }
        Ok(Part::Value(name, short_value(field).await?))
    }
}

impl FileField {
    /// Whether the client gave the file a name. Browsers send a nameless empty one for "none chosen".
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.0.file_name().is_some_and(|name| !name.is_empty())
    }

    /// The next bytes of the file; `None` at its end.
    ///
    /// # Errors
    /// `malformed_form`, `body_cut_off`, `client_too_slow`.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Problem> {
        within(self.0.chunk()).await
    }
}

async fn short_value(mut field: Field<'static>) -> Result<String, Problem> {
    let mut value = Vec::new();
    while let Some(chunk) = within(field.chunk()).await? {
        if value.len() + chunk.len() > VALUE_BYTES {
            return Err(malformed(format!("An option's value has at most {VALUE_BYTES} bytes.")));
        }
        value.extend_from_slice(&chunk);
    }
    String::from_utf8(value).map_err(|_| malformed("Options are UTF-8 text."))
}

/// Whose fault a reading error is decides the answer.
async fn within<T>(read: impl Future<Output = Result<T, multer::Error>>) -> Result<T, Problem> {
    match read.await {
        Ok(value) => Ok(value),
        Err(multer::Error::StreamReadFailed(error)) if pace::is_too_slow(&*error) => {
            Err(Problem::new("client_too_slow", pace::sentence()).closing())
        }
        Err(multer::Error::StreamReadFailed(_) | multer::Error::IncompleteStream) => {
            Err(Problem::new("body_cut_off", "The upload broke off before its end.").closing())
        }
        Err(multer::Error::IncompleteFieldData { .. } | multer::Error::IncompleteHeaders) => {
            Err(Problem::new("body_cut_off", "The form ends in the middle of a part.").closing())
        }
        Err(error) => Err(malformed(format!("The form cannot be read: {error}."))),
    }
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new("malformed_form", detail).closing()
}

/// The longest name that is kept, in bytes: what file systems take.
const NAME_BYTES: usize = 255;

/// A name for people, out of whatever a client sent: the last part of a path, without characters
/// that hide, break lines or turn the reading direction around. Never used as a path.
fn display_name(sent: &str) -> String {
    // Browsers and curl write a quotation mark so (WHATWG HTML, multipart/form-data encoding).
    let sent = sent.replace("%22", "\"");
    let last = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last
        .chars()
        .map(|c| if c.is_control() || is_invisible(c) { '\u{fffd}' } else { c })
        .collect();
    let clean = clean.trim();
    if clean.is_empty() || clean.chars().all(|c| c == '.') {
        return String::from("upload");
    }
    shortened(clean)
}

/// Cuts a long name in its stem, so that the extension stays.
fn shortened(name: &str) -> String {
    if name.len() <= NAME_BYTES {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if extension.len() <= 16 => (stem, format!(".{extension}")),
        _ => (name, String::new()),
    };
    let room = NAME_BYTES - extension.len() - '…'.len_utf8();
    let cut = (0..=room).rev().find(|&at| stem.is_char_boundary(at)).unwrap_or(0);
    format!("{}…{extension}", &stem[..cut])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_become_names_for_people() {
        for (sent, shown) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\music\\take 1.wav", "take 1.wav"),
            ("a\r\nb\0.wav", "a\u{fffd}\u{fffd}b\u{fffd}.wav"),
            ("\u{202e}gpj.exe", "\u{fffd}gpj.exe"),
            ("\"quoted\".mp3", "\"quoted\".mp3"),
            ("%22Heroes%22.mp3", "\"Heroes\".mp3"),
            ("100%25.mp3", "100%25.mp3"),
            ("..", "upload"),
            ("", "upload"),
            ("/", "upload"),
            ("مقابلة.m4a", "مقابلة.m4a"),
        ] {
            assert_eq!(display_name(sent), shown, "{sent:?}");
        }
    }

    #[test]
    fn a_name_of_four_kilobytes_keeps_its_extension() {
        let shown = display_name(&format!("{}.flac", "ä".repeat(2048)));
        assert!(shown.len() <= NAME_BYTES && shown.ends_with("….flac"), "{}", shown.len());
    }
}
