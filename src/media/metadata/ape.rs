//! APEv2 tags, as WavPack and TTA files end with.

use lofty::ape::{APE_PICTURE_TYPES, ApeItem, ApeTag};
use lofty::config::WriteOptions;
use lofty::picture::PictureType;
use lofty::tag::{ItemValue, TagExt, TagType};

use super::{Key, Metadata};

/// The tag's bytes; empty when there is nothing to say.
///
/// # Errors
/// What the encoder says.
pub fn tag(metadata: &Metadata) -> Result<Vec<u8>, String> {
    let mut tag = ApeTag::new();
    let total_of = |key| metadata.first(&Key::Known(key));
    let mut values: Vec<(String, String)> = Vec::new();
    for item in &metadata.items {
        use lofty::tag::ItemKey::{DiscNumber, DiscTotal, TrackNumber, TrackTotal};
        let total = match item.key {
            Key::Known(TrackNumber) => total_of(TrackTotal),
            Key::Known(DiscNumber) => total_of(DiscTotal),
            Key::Known(TrackTotal) if total_of(TrackNumber).is_some() => continue,
            Key::Known(DiscTotal) if total_of(DiscNumber).is_some() => continue,
            Key::Known(_) | Key::Other(_) => None,
        };
        let name = item
            .key
            .name_in(TagType::Ape)
            .map_or_else(|| allowed(&item.key.free_name()), str::to_owned);
        let value =
            total.map_or_else(|| item.value.clone(), |total| format!("{}/{total}", item.value));
        // Several values of one key are one item, parted by a zero byte.
        match values.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&name)) {
            Some((_, known)) => *known = format!("{known}\0{value}"),
            None => values.push((name, value)),
        }
    }
    for (name, value) in values {
        if let Ok(item) = ApeItem::new(name, ItemValue::Text(value)) {
            tag.push(item);
        }
    }
    for picture in &metadata.pictures {
        // Readers tell the kind of picture by the name before its bytes.
        let mut picture = picture.clone();
        picture.description = picture.file_name();
        let picture = picture.to_lofty();
        let Some(name) = free_picture_key(&tag, picture.pic_type()) else { continue };
        if let Ok(item) = ApeItem::new(name, ItemValue::Binary(picture.as_ape_bytes())) {
            tag.push(item);
        }
    }
    if tag.is_empty() {
        return Ok(Vec::new());
    }
    let mut bytes = Vec::new();
    tag.dump_to(&mut bytes, WriteOptions::new()).map_err(|error| error.to_string())?;
    say_footer(&mut bytes);
    Ok(bytes)
}

/// A name as the specification allows it: 2 to 255 printable ASCII characters, none of four words.
fn allowed(name: &str) -> String {
    const RESERVED: [&str; 4] = ["id3", "tag", "oggs", "mp+"];
    let mut plain: String =
        name.chars().map(|c| if (' '..='~').contains(&c) { c } else { '_' }).take(200).collect();
    if plain.len() < 2 || RESERVED.iter().any(|word| plain.eq_ignore_ascii_case(word)) {
        plain.push_str("_TEXT");
    }
    plain
}

/// Header and footer are 32 bytes each, their flags at byte 20. Bit 30 means that there is no
/// footer; lofty sets it all the same.
fn say_footer(tag: &mut [u8]) {
    const EDGE: usize = 32;
    for edge in [0, tag.len().saturating_sub(EDGE)] {
        if let Some(highest) = tag.get_mut(edge + 23) {
            *highest &= !0x40;
        }
    }
}

/// The key of a kind of picture; APEv2 has one picture of a kind, so the next free one for a second.
fn free_picture_key(tag: &ApeTag, kind: PictureType) -> Option<String> {
    kind.as_ape_key()
        .into_iter()
        .chain(APE_PICTURE_TYPES)
        .find(|key| tag.get(key).is_none())
        .map(str::to_owned)
}
