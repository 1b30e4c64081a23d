//! The page's own files, embedded in the binary.

use std::sync::OnceLock;

use ring::digest;
use rust_embed::RustEmbed;

use crate::base::hex;

#[derive(RustEmbed)]
#[folder = "static/"]
struct Files;

/// One file of the page.
#[derive(Clone, Debug)]
pub struct Asset {
    /// Its content.
    pub content: std::borrow::Cow<'static, [u8]>,
    /// Its type by our own table.
    pub mime_type: &'static str,
}

/// The name of this state of the page: a hash over every file, so that an address never changes
/// its content.
#[must_use]
pub fn build() -> &'static str {
    static BUILD: OnceLock<String> = OnceLock::new();
    BUILD.get_or_init(|| {
        let mut hash = digest::Context::new(&digest::SHA256);
        let mut names: Vec<_> = Files::iter().collect();
        names.sort_unstable();
        for name in names {
            hash.update(name.as_bytes());
            if let Some(file) = Files::get(&name) {
                hash.update(&file.data);
            }
        }
        hex(&hash.finish().as_ref()[..8])
    })
}

/// The file `name`, unless it is a document: those go through [`document`].
#[must_use]
pub fn get(name: &str) -> Option<Asset> {
    let mime_type = match name.rsplit_once('.')?.1 {
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webmanifest" => "application/manifest+json",
        _ => return None,
    };
    Files::get(name).map(|file| Asset { content: file.data, mime_type })
}

/// A document of the page with its placeholders filled in: `{{name}}` becomes the value, escaped
/// for text and double-quoted attributes.
#[must_use]
pub fn document(name: &str, values: &[(&str, &str)]) -> Option<String> {
    let file = Files::get(name)?;
    let mut text = String::from_utf8_lossy(&file.data).replace("{{build}}", build());
    for (name, value) in values {
        text = text.replace(&format!("{{{{{name}}}}}"), &escaped(value));
    }
    Some(text)
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // A value never becomes a placeholder of the next round.
            '{' => safe.push_str("&#123;"),
            other => safe.push(other),
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_filled_in_and_escaped() {
        let page = document("login.html", &[("token", "\"><script>"), ("state", "{{token}}")]);
        let page = page.expect("the sign-in page");
        assert!(!page.contains("\"><script>") && page.contains("&quot;&gt;&lt;script&gt;"));
        assert!(!page.contains("{{token}}") && !page.contains("{{build}}"));
        assert!(page.contains(build()));
    }

    #[test]
    fn only_the_pages_own_kinds_of_file_are_served() {
        assert!(get("app.css").is_some());
        assert!(get("index.html").is_none() && get("../Cargo.toml").is_none() && get("").is_none());
    }
}
