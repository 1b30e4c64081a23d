//! What a file says of its sound: tags, pictures and chapters, and how each container says it.
//!
//! Owns: reading them from a source, their common form, their bytes in every container.
//! Never: the sound, a decision on what is carried over.
//! Used by: `probe`, `convert`, `stage::mux`, `wrap`.

pub mod ape;
pub mod comments;
mod gain;
pub mod id3;
pub mod ilst;
pub mod keys;
mod names;
mod picture;
pub mod read;

use std::collections::HashSet;

pub use keys::Key;

use super::limits::MetadataLimits;

/// Everything a file says of its sound.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Texts, in order; a key may come more than once (two artists).
    pub items: Vec<Item>,
    /// Pictures, in order.
    pub pictures: Vec<Picture>,
    /// Chapters, by time.
    pub chapters: Vec<Chapter>,
}

/// One text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What it is.
    pub key: Key,
    /// The text itself.
    pub value: String,
}

/// A picture; its bytes are carried as they are and never decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// The type's number of ID3v2 (APIC) and FLAC; 3 is the front cover.
    pub kind: u8,
    /// MIME type.
    pub mime_type: String,
    /// What somebody wrote beside it.
    pub description: String,
    /// The file of the picture.
    pub bytes: Vec<u8>,
}

/// One chapter.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Chapter {
    /// Where it starts, from the start of the sound.
    pub start_seconds: f64,
    /// Where it ends.
    pub end_seconds: f64,
    /// Its title; may be empty.
    pub title: String,
}

/// The front cover's number in [`Picture::kind`].
pub const FRONT_COVER: u8 = 3;

impl Metadata {
    /// The first text of a key.
    #[must_use]
    pub fn first(&self, key: &Key) -> Option<&str> {
        self.items.iter().find(|item| item.key == *key).map(|item| item.value.as_str())
    }

    /// This, and of `other` what is not said here. Pictures and chapters are taken whole from the
    /// first that has any.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        let known: HashSet<Key> = self.items.iter().map(|item| item.key.clone()).collect();
        self.items.extend(other.items.into_iter().filter(|item| !known.contains(&item.key)));
        if self.pictures.is_empty() {
            self.pictures = other.pictures;
        }
        if self.chapters.is_empty() {
            self.chapters = other.chapters;
        }
        self
    }

    /// Leaves out what is too much to carry; how many texts, pictures and chapters that were.
    pub fn limit(&mut self, limits: &MetadataLimits) -> [usize; 3] {
        let before = [self.items.len(), self.pictures.len(), self.chapters.len()];
        // A file of the FLAC test suite says everything 410 times.
        let mut said = HashSet::new();
        self.items.retain(|item| said.insert((item.key.clone(), item.value.clone())));
        let before = [self.items.len(), before[1], before[2]];
        let mut bytes = 0;
        let fitting = self.items.iter().take(limits.tags).take_while(|item| {
            bytes += item.value.len();
            bytes <= limits.tag_bytes
        });
        let kept = fitting.count();
        self.items.truncate(kept);
        self.pictures.retain(|picture| (1..=limits.cover_bytes).contains(&picture.bytes.len()));
        self.pictures.truncate(limits.covers);
        self.chapters.truncate(limits.chapters);
        let after = [self.items.len(), self.pictures.len(), self.chapters.len()];
        std::array::from_fn(|which| before[which] - after[which])
    }

    /// The same with the texts a person gave in place of the source's.
    #[must_use]
    pub fn overridden(mut self, overrides: &[(&'static str, String)]) -> Self {
        for (name, text) in overrides {
            let given = keys::items_of(name, text);
            // "3" in place of "3/12" leaves no total behind.
            let replaced = keys::keys_of(name);
            self.items.retain(|item| !replaced.contains(&item.key));
            self.items.extend(given);
        }
        self
    }

    /// Without what was measured of the sound before its loudness was changed.
    pub fn forget_gain(&mut self) {
        self.items.retain(|item| !item.key.is_gain());
    }

    /// The chapters that lie in a part of the recording, counted from its start.
    pub fn cut_chapters(&mut self, start_seconds: f64, end_seconds: Option<f64>) {
        let end = end_seconds.unwrap_or(f64::INFINITY);
        self.chapters.retain_mut(|chapter| {
            // A chapter may be a mere mark, without a length.
            let reaches_in =
                chapter.end_seconds > start_seconds || chapter.start_seconds >= start_seconds;
            let inside = chapter.start_seconds < end && reaches_in;
            chapter.start_seconds = (chapter.start_seconds - start_seconds).max(0.0);
            chapter.end_seconds = chapter.end_seconds.min(end) - start_seconds;
            inside
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chapters_of_a_part_are_counted_from_its_start() {
        let chapter = |start_seconds, end_seconds| Chapter {
            start_seconds,
            end_seconds,
            title: String::new(),
        };
        let mut metadata = Metadata {
            chapters: vec![chapter(0.0, 10.0), chapter(10.0, 20.0), chapter(20.0, 30.0)],
            ..Metadata::default()
        };
        metadata.cut_chapters(5.0, Some(15.0));
        assert_eq!(metadata.chapters, [chapter(0.0, 5.0), chapter(5.0, 10.0)]);
    }
}
