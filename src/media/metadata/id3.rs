//! ID3v2.4 tags (<https://id3.org/id3v2.4.0-structure>) with chapters
//! (<https://id3.org/id3v2-chapters-1.0>), all texts in UTF-8.

use std::borrow::Cow;

use lofty::TextEncoding;
use lofty::config::WriteOptions;
use lofty::id3::v2::{BinaryFrame, ExtendedTextFrame, Frame, FrameId, Id3v2Tag};
use lofty::tag::{ItemKey, ItemValue, Tag, TagExt, TagItem, TagType};

use super::keys::native;
use super::{Chapter, Key, Metadata};

/// The tag's bytes; empty when there is nothing to say.
///
/// # Errors
/// What the encoder says: a text or picture too large for a frame.
pub fn tag(metadata: &Metadata) -> Result<Vec<u8>, String> {
    if *metadata == Metadata::default() {
        return Ok(Vec::new());
    }
    let mut common = Tag::new(TagType::Id3v2);
    let mut own_names: Vec<(String, String)> = Vec::new();
    let mut frames: Vec<(&str, ItemKey)> = Vec::new();
    for item in &metadata.items {
        // Two kinds of text may share a frame (label and publisher): the second goes by its own name.
        let is_taken = |key: ItemKey| {
            let frame = item.key.name_in(TagType::Id3v2);
            let is_total = matches!(key, ItemKey::TrackTotal | ItemKey::DiscTotal);
            !is_total && frames.iter().any(|(name, by)| Some(*name) == frame && *by != key)
        };
        match item.key {
            // A UFID frame wants an owner; players read this one.
            Key::Known(ItemKey::MusicBrainzRecordingId) => {
                own_names.push(("MusicBrainz Recording Id".into(), item.value.clone()));
                common.push_unchecked(text(ItemKey::MusicBrainzRecordingId, &item.value));
            }
            Key::Known(ItemKey::Popularimeter) => {
                let value = format!("|{}|0", item.value);
                common.push_unchecked(text(ItemKey::Popularimeter, &value));
            }
            Key::Known(key) if item.key.name_in(TagType::Id3v2).is_some() && !is_taken(key) => {
                frames.extend(item.key.name_in(TagType::Id3v2).map(|name| (name, key)));
                common.push_unchecked(text(native(key, TagType::Id3v2), &item.value));
            }
            Key::Known(_) | Key::Other(_) => {
                own_names.push((item.key.free_name(), item.value.clone()));
            }
        }
    }
    for picture in &metadata.pictures {
        common.push_picture(picture.to_lofty());
    }
    let mut tag = Id3v2Tag::from(common);
    for (name, value) in joined(own_names) {
        let frame = ExtendedTextFrame::new(TextEncoding::UTF8, name, value);
        drop(tag.insert(Frame::UserText(frame)));
    }
    if !metadata.chapters.is_empty() {
        drop(tag.insert(table_of_contents(metadata.chapters.len())?));
        for (place, chapter) in metadata.chapters.iter().enumerate() {
            drop(tag.insert(chapter_frame(place, chapter)?));
        }
    }
    let mut bytes = Vec::new();
    tag.dump_to(&mut bytes, WriteOptions::new().preferred_padding(0))
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// Several values of one name are one frame, parted by a zero byte (section 4.2).
fn joined(names: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut joined: Vec<(String, String)> = Vec::new();
    for (name, value) in names {
        match joined.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some((_, known)) => *known = format!("{known}\0{value}"),
            None => joined.push((name, value)),
        }
    }
    joined
}

fn text(key: ItemKey, value: &str) -> TagItem {
    TagItem::new(key, ItemValue::Text(value.to_owned()))
}

fn binary(id: &'static str, data: Vec<u8>) -> Result<Frame<'static>, String> {
    let id = FrameId::new(Cow::Borrowed(id)).map_err(|error| error.to_string())?;
    Ok(Frame::Binary(BinaryFrame::new(id, data)))
}

/// CTOC: top level, ordered, then the number of chapters and their element names.
fn table_of_contents(count: usize) -> Result<Frame<'static>, String> {
    // The frame counts in one byte.
    let listed = count.min(255);
    let mut data = b"toc\0\x03".to_vec();
    data.extend(u8::try_from(listed));
    for place in 0..listed {
        data.extend_from_slice(element_name(place).as_bytes());
    }
    binary("CTOC", data)
}

fn element_name(place: usize) -> String {
    format!("ch{place}\0")
}

/// CHAP: element name, start and end in milliseconds, no byte offsets, the title as a TIT2 frame.
fn chapter_frame(place: usize, chapter: &Chapter) -> Result<Frame<'static>, String> {
    let mut data = element_name(place).into_bytes();
    for seconds in [chapter.start_seconds, chapter.end_seconds] {
        data.extend_from_slice(&milliseconds(seconds).to_be_bytes());
    }
    data.extend_from_slice(&[0xff; 8]);
    if !chapter.title.is_empty() {
        let text = [b"\x03", chapter.title.as_bytes()].concat();
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX).min((1 << 28) - 1);
        data.extend_from_slice(b"TIT2");
        data.extend_from_slice(&synchsafe(length));
        data.extend_from_slice(&[0, 0]);
        data.extend_from_slice(&text);
    }
    binary("CHAP", data)
}

fn milliseconds(seconds: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` clamps")]
    let milliseconds = (seconds * 1000.0).round() as u32;
    milliseconds
}

/// Seven bits to a byte (section 6.2).
fn synchsafe(value: u32) -> [u8; 4] {
    [21, 14, 7, 0].map(|shift| u8::try_from(value >> shift & 0x7f).unwrap_or(0))
}
