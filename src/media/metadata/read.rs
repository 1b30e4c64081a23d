//! Tags and pictures of a source, read by lofty where it knows the container.
//!
//! libav forgets the second artist of an ID3v2.4 frame and every UFID frame; lofty does not. What
//! only libav understands (Matroska, ASF, names nobody else knows) is added from its dictionaries.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};

use lofty::aac::AacFile;
use lofty::config::{GlobalOptions, ParseOptions, ParsingMode, apply_global_options};
use lofty::file::{AudioFile, FileType, TaggedFileExt};
use lofty::flac::FlacFile;
use lofty::id3::v2::{Frame, Id3v2Tag};
use lofty::iff::aiff::AiffFile;
use lofty::iff::wav::WavFile;
use lofty::mp4::{AtomData, AtomIdent, Ilst, Mp4File};
use lofty::mpeg::MpegFile;
use lofty::ogg::tag::VorbisComments;
use lofty::ogg::{OpusFile, VorbisFile};
use lofty::probe::Probe;
use lofty::tag::{ItemKey, ItemValue, Tag};

use ffmpeg_next::format::context::Input;

use super::{Chapter, FRONT_COVER, Item, Key, Metadata, Picture, keys};
use crate::media::ffi::input;
use crate::media::io::ReadSeek;

/// Largest frame or picture that is read, in bytes. One that is larger than a server's limit is left
/// out with a warning; one that lofty refuses would cost the whole tag.
const ALLOCATION_MAX: usize = 64 << 20;
/// Chapters that are looked at; a limit of the server's says how many are carried over.
const CHAPTERS_MAX: usize = 1 << 16;
/// Junk before the first frame of an MPEG stream that is looked through.
const JUNK_MAX: usize = 4096;

/// What lofty reads, or nothing where it does not know the container or stumbles. The stream
/// stands at its start afterwards.
///
/// Blocks while it reads. A panic of the parser is a file without tags.
///
/// # Errors
/// Only of rewinding.
pub fn tagged(stream: &mut dyn ReadSeek) -> std::io::Result<Metadata> {
    let metadata = catch_unwind(AssertUnwindSafe(|| parse(stream))).ok().flatten();
    stream.seek(SeekFrom::Start(0))?;
    Ok(metadata.unwrap_or_default())
}

fn parse(stream: &mut dyn ReadSeek) -> Option<Metadata> {
    // Kept per thread by lofty, so set on each.
    apply_global_options(GlobalOptions::new().allocation_limit(ALLOCATION_MAX));
    let options = ParseOptions::new()
        .read_properties(false)
        .parsing_mode(ParsingMode::Relaxed)
        .max_junk_bytes(JUNK_MAX);
    let guessed = Probe::new(BufReader::new(stream)).options(options).guess_file_type().ok()?;
    let kind = guessed.file_type()?;
    let mut reader = guessed.into_inner();
    reader.seek(SeekFrom::Start(0)).ok()?;
    let left_out = left_out(&mut reader, kind, options);
    reader.seek(SeekFrom::Start(0)).ok()?;
    let file = Probe::with_file_type(reader, kind).options(options).read().ok()?;
    let primary = file.primary_tag();
    let others =
        file.tags().iter().filter(|tag| primary.map(Tag::tag_type) != Some(tag.tag_type()));
    let tags = primary.into_iter().chain(others).map(of_tag);
    let mut metadata = tags.fold(Metadata::default(), Metadata::or);
    match kind {
        FileType::Wav | FileType::Aiff | FileType::Mpeg | FileType::Aac => {
            // A comment, a text and a link may bear one name.
            let new = left_out.items.into_iter().filter(|item| !metadata.items.contains(item));
            let new: Vec<Item> = new.collect();
            metadata.items.extend(new);
        }
        _ => metadata = metadata.or(left_out),
    }
    if kind == FileType::Mp4 {
        // MP4 does not say what a picture shows; the first is what players show.
        if let Some(first) = metadata.pictures.first_mut() {
            first.kind = FRONT_COVER;
        }
    }
    Some(metadata)
}

/// What lofty's common form leaves out of a container's own tag: texts under names of their own
/// (libav tells them, but only the first value), links, numbers.
fn left_out(reader: &mut (impl Read + Seek), kind: FileType, options: ParseOptions) -> Metadata {
    let items = match kind {
        FileType::Wav => WavFile::read_from(reader, options).ok().map(|file| of_id3(file.id3v2())),
        FileType::Aiff => {
            AiffFile::read_from(reader, options).ok().map(|file| of_id3(file.id3v2()))
        }
        FileType::Mpeg => {
            MpegFile::read_from(reader, options).ok().map(|file| of_id3(file.id3v2()))
        }
        FileType::Aac => AacFile::read_from(reader, options).ok().map(|file| of_id3(file.id3v2())),
        FileType::Flac => FlacFile::read_from(reader, options)
            .ok()
            .map(|file| of_comments(file.vorbis_comments())),
        FileType::Vorbis => VorbisFile::read_from(reader, options)
            .ok()
            .map(|file| of_comments(Some(file.vorbis_comments()))),
        FileType::Opus => OpusFile::read_from(reader, options)
            .ok()
            .map(|file| of_comments(Some(file.vorbis_comments()))),
        FileType::Mp4 => Mp4File::read_from(reader, options).ok().map(|file| of_ilst(file.ilst())),
        _ => None,
    };
    let items = items.unwrap_or_default().into_iter();
    let items = items.filter(|item| !item.value.is_empty() && !item.key.is_technical()).collect();
    Metadata { items, ..Metadata::default() }
}

fn of_id3(tag: Option<&Id3v2Tag>) -> Vec<Item> {
    let named = |name: &str, values: &str| {
        let key = Key::of(name);
        let items = values
            .split('\0')
            .map(|value| Item { key: key.clone(), value: value.trim().to_owned() });
        items.collect::<Vec<_>>()
    };
    let items = tag.into_iter().flatten().flat_map(|frame| match frame {
        Frame::UserText(text) => named(&text.description, &text.content),
        Frame::UserUrl(link) => named(&link.description, &link.content),
        _ => Vec::new(),
    });
    items.collect()
}

fn of_comments(comments: Option<&VorbisComments>) -> Vec<Item> {
    let items = comments.into_iter().flat_map(VorbisComments::items);
    let is_chapter = |name: &str| {
        let name = name.to_ascii_uppercase();
        name.strip_prefix("CHAPTER")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    items
        .filter(|(name, _)| !is_chapter(name))
        .flat_map(|(name, value)| keys::items_of(name, value.trim()))
        .collect()
}

fn of_ilst(list: Option<&Ilst>) -> Vec<Item> {
    const TEMPO: AtomIdent<'_> = AtomIdent::Fourcc(*b"tmpo");
    let tempo = list.and_then(|list| list.get(&TEMPO)).and_then(|atom| atom.data().next());
    let value = match tempo {
        Some(AtomData::SignedInteger(number)) => number.to_string(),
        Some(AtomData::UnsignedInteger(number)) => number.to_string(),
        _ => return Vec::new(),
    };
    vec![Item { key: Key::Known(ItemKey::Bpm), value }]
}

fn of_tag(tag: &Tag) -> Metadata {
    let items = tag.items().filter_map(|item| {
        // "A3/12" of a record's side comes back as number and total both.
        let is_total = matches!(item.key(), ItemKey::TrackTotal | ItemKey::DiscTotal);
        let value = match item.value() {
            ItemValue::Text(text) | ItemValue::Locator(text) => text,
            ItemValue::Binary(_) => return None,
        };
        let key = match (item.key(), item.description()) {
            // iTunes' and other programs' own business comes as comments with a name.
            (ItemKey::Comment, name) if !name.is_empty() => Key::of(name),
            (key, _) => Key::known(key),
        };
        let value = plain(&key, value.replace('\0', " ").trim());
        let is_double = is_total && value.contains('/');
        (!value.is_empty() && !is_double && !key.is_technical()).then_some(Item { key, value })
    });
    let pictures = tag.pictures().iter().map(|picture| Picture {
        kind: picture.pic_type().as_u8(),
        // What the bytes prove counts, not what somebody wrote beside them.
        mime_type: mime_type_of(picture.data()).to_owned(),
        description: picture.description().unwrap_or_default().to_owned(),
        bytes: picture.data().to_vec(),
    });
    Metadata { items: items.collect(), pictures: pictures.collect(), chapters: Vec::new() }
}

/// A text without what only one container means by it.
fn plain(key: &Key, value: &str) -> String {
    match key {
        // lofty's form of ID3's POPM: who, how many stars, how often played.
        Key::Known(ItemKey::Popularimeter) => value.split('|').nth(1).unwrap_or(value).to_owned(),
        Key::Known(ItemKey::FlagCompilation)
            if ["yes", "true"].iter().any(|yes| value.eq_ignore_ascii_case(yes)) =>
        {
            String::from("1")
        }
        Key::Known(_) | Key::Other(_) => value.to_owned(),
    }
}

/// Pictures and chapters as libav tells them.
#[must_use]
pub fn of_input(input: &Input) -> Metadata {
    let text = |tags: &[(String, String)], name: &str| {
        let found = tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let pictures = input::pictures(input, ALLOCATION_MAX).into_iter().map(|picture| Picture {
        kind: kind_of(&text(&picture.tags, "comment")),
        mime_type: mime_type_of(&picture.bytes).to_owned(),
        description: text(&picture.tags, "title"),
        bytes: picture.bytes,
    });
    let chapters = input::chapters(input, CHAPTERS_MAX).into_iter().map(|chapter| Chapter {
        start_seconds: chapter.start_seconds,
        end_seconds: chapter.end_seconds,
        title: text(&chapter.tags, "title"),
    });
    let mut chapters: Vec<Chapter> = chapters.collect();
    // ID3 frames come in any order, and most muxers take them as they come.
    chapters.sort_by(|one, other| one.start_seconds.total_cmp(&other.start_seconds));
    Metadata { items: Vec::new(), pictures: pictures.collect(), chapters }
}

/// The number of libav's words for the kind of a picture (`ff_id3v2_picture_types`).
fn kind_of(words: &str) -> u8 {
    match words {
        "Cover (back)" => 4,
        "Leaflet page" => 5,
        "Media (e.g. label side of CD)" => 6,
        "Artist/performer" => 8,
        "Other" => 0,
        // Most containers say nothing: one picture is the front cover.
        _ => FRONT_COVER,
    }
}

/// The texts of libav's dictionaries; the container's word stands before the stream's.
#[must_use]
pub fn of_dictionaries(container: &[(String, String)], stream: &[(String, String)]) -> Metadata {
    let items = |dictionary: &[(String, String)]| {
        // The language of a stream is the container's business, not the recording's. One behind a
        // name ("location-eng") says the same a second time.
        let is_again = |name: &str| {
            let plain = name.len().checked_sub(4).and_then(|end| name.split_at_checked(end));
            plain.is_some_and(|(plain, language)| {
                language.starts_with('-') && dictionary.iter().any(|(other, _)| other == plain)
            })
        };
        let texts = dictionary
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("language") && !is_again(name));
        let items = texts.flat_map(|(name, text)| keys::items_of(name, text));
        let items = items.filter(|item| !item.value.is_empty() && !item.key.is_technical());
        Metadata { items: items.collect(), ..Metadata::default() }
    };
    items(container).or(items(stream))
}

/// The MIME type that a picture's first bytes prove.
#[must_use]
pub fn mime_type_of(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'G', b'I', b'F', b'8', ..] => "image/gif",
        [b'B', b'M', ..] => "image/bmp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::Key;
    use super::*;

    #[test]
    fn stream_texts_join_those_of_the_container_and_technical_ones_stay_behind() {
        let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let container = [tag("title", "A"), tag("major_brand", "M4A "), tag("date", "")];
        let stream =
            [tag("TITLE", "B"), tag("artist", "C"), tag("encoder", "Lavc"), tag("language", "eng")];
        let read = of_dictionaries(&container, &stream);
        assert_eq!(read.items.len(), 2);
        assert_eq!(read.first(&Key::of("title")), Some("A"));
        assert_eq!(read.first(&Key::of("artist")), Some("C"));
    }

    #[test]
    fn a_stream_that_is_nothing_has_no_tags() {
        let mut stream = std::io::Cursor::new(vec![7_u8; 5000]);
        assert_eq!(tagged(&mut stream).ok(), Some(Metadata::default()));
        assert_eq!(stream.position(), 0);
    }
}
