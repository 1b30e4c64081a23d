//! What a text is: one word for what every container calls differently.

use lofty::tag::{ItemKey, TagType};

use super::Item;
use super::names::{GENERIC, TECHNICAL, TECHNICAL_BEGINNINGS, TECHNICAL_NAMES};

/// What a text is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    /// Something that containers have words of their own for.
    Known(ItemKey),
    /// Anything else, by the name the source gave it.
    Other(String),
}

/// Containers whose names are tried for a key that is not generic, the most telling first.
const NAMES: [TagType; 4] =
    [TagType::VorbisComments, TagType::Id3v2, TagType::Ape, TagType::RiffInfo];

impl Key {
    /// The key of a name, as libav or any container spells it.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let generic = GENERIC.iter().find(|(generic, _)| generic.eq_ignore_ascii_case(name));
        if let Some((_, key)) = generic {
            return Self::Known(*key);
        }
        // libav writes the language of lyrics into the key ("lyrics-eng").
        if name.len() == 10 && name.to_ascii_lowercase().starts_with("lyrics-") {
            return Self::Known(ItemKey::Lyrics);
        }
        let freeform = format!("----:com.apple.iTunes:{name}");
        NAMES
            .into_iter()
            .find_map(|container| ItemKey::from_key(container, name))
            .or_else(|| ItemKey::from_key(TagType::Mp4Ilst, &freeform))
            .map_or_else(|| Self::Other(name.to_owned()), Self::known)
    }

    /// The key, with what lofty tells apart by container alone made one.
    #[must_use]
    pub fn known(key: ItemKey) -> Self {
        Self::Known(match key {
            ItemKey::UnsyncLyrics => ItemKey::Lyrics,
            ItemKey::Year => ItemKey::RecordingDate,
            ItemKey::IntegerBpm => ItemKey::Bpm,
            key => key,
        })
    }

    /// What `container` calls it, or `None` where it has no word of its own.
    #[must_use]
    pub fn name_in(&self, container: TagType) -> Option<&'static str> {
        match self {
            Self::Known(key) => native(*key, container).map_key(container),
            Self::Other(_) => None,
        }
    }

    /// A name for containers that take any: Vorbis' own, else the source's.
    #[must_use]
    pub fn free_name(&self) -> String {
        match self {
            Self::Known(key) => NAMES
                .into_iter()
                .find_map(|container| key.map_key(container))
                .map_or_else(|| format!("{key:?}").to_ascii_uppercase(), str::to_owned),
            Self::Other(name) => name.clone(),
        }
    }

    /// Whether it tells the loudness of the sound (ReplayGain, R128 gain).
    #[must_use]
    pub const fn is_gain(&self) -> bool {
        matches!(
            self,
            Self::Known(
                ItemKey::ReplayGainAlbumGain
                    | ItemKey::ReplayGainAlbumPeak
                    | ItemKey::ReplayGainTrackGain
                    | ItemKey::ReplayGainTrackPeak
                    | ItemKey::R128TrackGain
                    | ItemKey::R128AlbumGain
            )
        )
    }

    /// Whether it describes the source's file, not its content.
    #[must_use]
    pub fn is_technical(&self) -> bool {
        match self {
            Self::Known(key) => TECHNICAL.contains(key),
            Self::Other(name) => {
                let name = name.to_ascii_lowercase();
                TECHNICAL_NAMES.contains(&name.as_str())
                    || TECHNICAL_BEGINNINGS.iter().any(|known| name.starts_with(known))
            }
        }
    }
}

/// The key by which `container` knows what [`Key::known`] has made one.
#[must_use]
pub fn native(key: ItemKey, container: TagType) -> ItemKey {
    let other = match key {
        ItemKey::Lyrics => ItemKey::UnsyncLyrics,
        ItemKey::Bpm => ItemKey::IntegerBpm,
        key => key,
    };
    if key.map_key(container).is_some() { key } else { other }
}

/// The items of a name and its text; `track` "3/12" is a number and a total.
#[must_use]
pub fn items_of(name: &str, text: &str) -> Vec<Item> {
    let key = Key::of(name);
    let total = match key {
        Key::Known(ItemKey::TrackNumber) => Some(ItemKey::TrackTotal),
        Key::Known(ItemKey::DiscNumber) => Some(ItemKey::DiscTotal),
        Key::Known(_) | Key::Other(_) => None,
    };
    let item = |key, value: &str| Item { key, value: value.trim().to_owned() };
    match (total, text.split_once('/')) {
        (Some(total), Some((number, of))) => [item(key, number), item(Key::Known(total), of)]
            .into_iter()
            .filter(|item| !item.value.is_empty())
            .collect(),
        _ => vec![Item { key, value: text.to_owned() }],
    }
}

/// The keys that a name's text may set.
#[must_use]
pub fn keys_of(name: &str) -> Vec<Key> {
    items_of(name, "1/1").into_iter().map(|item| item.key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_containers_word_is_one_key() {
        for name in ["album_artist", "ALBUMARTIST", "TPE2", "Album Artist"] {
            assert_eq!(Key::of(name), Key::Known(ItemKey::AlbumArtist), "{name}");
        }
        for name in ["lyrics-eng", "LYRICS", "UNSYNCEDLYRICS", "USLT"] {
            assert_eq!(Key::of(name), Key::Known(ItemKey::Lyrics), "{name}");
        }
        assert_eq!(Key::of("MusicBrainz Album Id"), Key::Known(ItemKey::MusicBrainzReleaseId));
        assert_eq!(Key::of("My own"), Key::Other("My own".into()));
        for name in ["encoder", "TSSE", "iTunSMPB", "_STATISTICS_TAGS", "handler_name", "TLEN"] {
            assert!(Key::of(name).is_technical(), "{name}");
        }
    }

    #[test]
    fn a_number_and_its_total_are_two_items() {
        let item = |key, value: &str| Item { key: Key::Known(key), value: value.into() };
        assert_eq!(
            items_of("track", "3/12"),
            [item(ItemKey::TrackNumber, "3"), item(ItemKey::TrackTotal, "12")]
        );
        assert_eq!(items_of("TPOS", "1/"), [item(ItemKey::DiscNumber, "1")]);
        assert_eq!(items_of("title", "1/2"), [item(ItemKey::TrackTitle, "1/2")]);
    }
}
