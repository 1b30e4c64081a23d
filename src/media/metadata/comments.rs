//! Names and texts for containers that keep a plain list: Vorbis comments (FLAC, Ogg, Opus),
//! Matroska tags, RIFF INFO.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lofty::tag::{ItemKey, TagType};

use super::{Chapter, Key, Metadata};

/// The list as Vorbis comments, chapters among them
/// (<https://wiki.xiph.org/Chapter_Extension>).
#[must_use]
pub fn vorbis(metadata: &Metadata) -> Vec<(String, String)> {
    let name = |key: &Key| {
        key.name_in(TagType::VorbisComments).map_or_else(|| key.free_name(), str::to_owned)
    };
    let mut list: Vec<(String, String)> =
        metadata.items.iter().map(|item| (allowed(&name(&item.key)), item.value.clone())).collect();
    for (place, chapter) in metadata.chapters.iter().enumerate() {
        list.push((format!("CHAPTER{place:03}"), clock(chapter)));
        list.push((format!("CHAPTER{place:03}NAME"), chapter.title.clone()));
    }
    list
}

/// The pictures as texts for Ogg, where FLAC has blocks
/// (<https://wiki.xiph.org/VorbisComment#METADATA_BLOCK_PICTURE>).
#[must_use]
pub fn picture_comments(metadata: &Metadata) -> Vec<(String, String)> {
    metadata
        .pictures
        .iter()
        .map(|picture| {
            let block = STANDARD.encode(picture.to_flac_block());
            (String::from("METADATA_BLOCK_PICTURE"), block)
        })
        .collect()
}

/// The list by libav's generic names, which its muxers turn into the container's own.
#[must_use]
pub fn generic(metadata: &Metadata) -> Vec<(String, String)> {
    let mut list: Vec<(String, String)> = Vec::new();
    for item in &metadata.items {
        let total = |key| metadata.first(&Key::Known(key));
        let (name, value) = match item.key {
            Key::Known(ItemKey::TrackTotal) if total(ItemKey::TrackNumber).is_some() => continue,
            Key::Known(ItemKey::DiscTotal) if total(ItemKey::DiscNumber).is_some() => continue,
            Key::Known(ItemKey::TrackNumber) => {
                ("track".to_owned(), numbered(&item.value, total(ItemKey::TrackTotal)))
            }
            Key::Known(ItemKey::DiscNumber) => {
                ("disc".to_owned(), numbered(&item.value, total(ItemKey::DiscTotal)))
            }
            Key::Known(key) => (generic_name(key), item.value.clone()),
            Key::Other(ref name) => (name.clone(), item.value.clone()),
        };
        // These containers keep one text of a name.
        match list.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some((_, known)) => *known = format!("{known}; {value}"),
            None => list.push((name, value)),
        }
    }
    list
}

fn numbered(number: &str, total: Option<&str>) -> String {
    total.map_or_else(|| number.to_owned(), |total| format!("{number}/{total}"))
}

fn generic_name(key: ItemKey) -> String {
    match key {
        ItemKey::TrackTitle => "title".into(),
        ItemKey::AlbumTitle => "album".into(),
        ItemKey::TrackArtist => "artist".into(),
        ItemKey::AlbumArtist => "album_artist".into(),
        ItemKey::RecordingDate => "date".into(),
        ItemKey::CopyrightMessage => "copyright".into(),
        ItemKey::EncodedBy => "encoded_by".into(),
        ItemKey::Genre => "genre".into(),
        ItemKey::Comment => "comment".into(),
        ItemKey::Composer => "composer".into(),
        ItemKey::Lyrics => "lyrics".into(),
        ItemKey::Description => "description".into(),
        key => Key::Known(key).free_name(),
    }
}

/// A field name of Vorbis comments: printable ASCII without `=` (section 5 of the specification).
fn allowed(name: &str) -> String {
    name.chars().map(|c| if (' '..='}').contains(&c) && c != '=' { c } else { '_' }).collect()
}

fn clock(chapter: &Chapter) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` clamps")]
    let milliseconds = (chapter.start_seconds * 1000.0).round() as u64;
    let (seconds, milliseconds) = (milliseconds / 1000, milliseconds % 1000);
    format!("{:02}:{:02}:{:02}.{milliseconds:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}
