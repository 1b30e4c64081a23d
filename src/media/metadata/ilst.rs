//! The item list of MP4 files as iTunes writes it (`moov.udta.meta.ilst`).

use std::borrow::Cow;

use lofty::config::WriteOptions;
use lofty::mp4::{Atom, AtomData, AtomIdent, DataType, Ilst};
use lofty::tag::{ItemKey, ItemValue, Tag, TagExt, TagItem, TagType};

use super::keys::native;
use super::{Key, Metadata, Picture};

/// What an MP4 file is, beyond its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// Music.
    Music,
    /// An audiobook (`stik` 2).
    Audiobook,
}

/// Whether `covr` has a number for this kind of picture.
#[must_use]
pub fn takes(picture: &Picture) -> bool {
    ["image/jpeg", "image/png", "image/gif", "image/bmp"].contains(&picture.mime_type.as_str())
}

/// The bytes of the `ilst` atom; `encoder` is the name of the software.
///
/// # Errors
/// What the encoder says.
pub fn atom(metadata: &Metadata, media: Media, encoder: Option<&str>) -> Result<Vec<u8>, String> {
    let mut common = Tag::new(TagType::Mp4Ilst);
    let mut freeform: Vec<(String, String)> = Vec::new();
    let mut tempo: Option<u16> = None;
    for item in &metadata.items {
        match item.key {
            Key::Known(ItemKey::Bpm) if item.value.parse::<u16>().is_ok() => {
                tempo = item.value.parse().ok();
            }
            Key::Known(key) if is_taken(key, &item.value) => {
                common.push_unchecked(text(key, &item.value));
            }
            Key::Known(_) | Key::Other(_) => {
                freeform.push((item.key.free_name(), item.value.clone()));
            }
        }
    }
    if let Some(encoder) = encoder {
        common.push_unchecked(text(ItemKey::EncoderSoftware, encoder));
    }
    for picture in metadata.pictures.iter().filter(|picture| takes(picture)) {
        common.push_picture(picture.to_lofty());
    }
    let mut list = Ilst::from(common);
    for (name, value) in freeform {
        let ident =
            AtomIdent::Freeform { mean: Cow::Borrowed("com.apple.iTunes"), name: Cow::Owned(name) };
        list.insert(Atom::new(ident, AtomData::UTF8(value)));
    }
    if let Some(tempo) = tempo {
        let ident = AtomIdent::Fourcc(*b"tmpo");
        list.insert(Atom::new(ident, AtomData::SignedInteger(i32::from(tempo))));
    }
    if media == Media::Audiobook {
        let ident = AtomIdent::Fourcc(*b"stik");
        // One byte, as iTunes writes it: libav reads no more.
        let data = AtomData::Unknown { code: DataType::BeSignedInteger, data: vec![2] };
        list.insert(Atom::new(ident, data));
    }
    if list.is_empty() {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::new();
    list.dump_to(&mut bytes, WriteOptions::new().preferred_padding(0))
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn text(key: ItemKey, value: &str) -> TagItem {
    TagItem::new(native(key, TagType::Mp4Ilst), ItemValue::Text(value.to_owned()))
}

/// Whether lofty makes an atom of this text: one that wants a number leaves "about 120" out.
fn is_taken(key: ItemKey, value: &str) -> bool {
    let mut alone = Tag::new(TagType::Mp4Ilst);
    alone.push_unchecked(text(key, value));
    !Ilst::from(alone).is_empty()
}
