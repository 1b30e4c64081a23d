//! Which tags of a source reach the output.

/// Keys that describe the source's file or encoder, not its content: carried over they would lie.
const TECHNICAL: [&str; 16] = [
    "creation_time",
    "company_name",
    "product_name",
    "product_version",
    "encoder",
    "encoding_tool",
    "encoder_settings",
    "major_brand",
    "minor_version",
    "compatible_brands",
    "handler_name",
    "vendor_id",
    "itunsmpb",
    "duration",
    "bps",
    "metadata_block_picture",
];

/// Tags of the container and of the stream as one list; Ogg keeps its tags on the stream, most
/// other containers on themselves. The container's word wins; keys compare without case.
#[must_use]
pub fn merged(
    container: &[(String, String)],
    stream: &[(String, String)],
) -> Vec<(String, String)> {
    let mut merged: Vec<(String, String)> = Vec::new();
    for (key, value) in container.iter().chain(stream) {
        let is_known = merged.iter().any(|(known, _)| known.eq_ignore_ascii_case(key));
        if !is_known && !is_technical(key) && !value.is_empty() {
            merged.push((key.clone(), value.clone()));
        }
    }
    merged
}

/// `tags` with the texts a person gave in place of the source's.
#[must_use]
pub fn overridden(
    mut tags: Vec<(String, String)>,
    overrides: &[(&'static str, String)],
) -> Vec<(String, String)> {
    tags.retain(|(key, _)| !overrides.iter().any(|(name, _)| name.eq_ignore_ascii_case(key)));
    tags.extend(overrides.iter().map(|(name, text)| ((*name).to_owned(), text.clone())));
    tags
}

fn is_technical(key: &str) -> bool {
    // Matroska's statistics carry a language suffix or a leading underscore.
    key.starts_with('_')
        || key.to_ascii_uppercase().starts_with("NUMBER_OF_")
        || TECHNICAL.iter().any(|technical| technical.eq_ignore_ascii_case(key))
        || key.eq_ignore_ascii_case("language")
}

#[cfg(test)]
mod tests {
    use super::merged;

    fn tag(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn stream_tags_join_those_of_the_container_and_technical_ones_stay_behind() {
        let container = [tag("title", "A"), tag("major_brand", "M4A "), tag("date", "")];
        let stream =
            [tag("TITLE", "B"), tag("artist", "C"), tag("encoder", "Lavc"), tag("language", "eng")];
        assert_eq!(merged(&container, &stream), [tag("title", "A"), tag("artist", "C")]);
    }
}
