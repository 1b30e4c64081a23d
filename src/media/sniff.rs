//! What the first bytes prove, before any parser of libav sees them.

/// What a file's beginning says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Starts as a container or stream of sound (or video with sound) does.
    Media {
        /// MIME type by content.
        mime_type: &'static str,
        /// Extension of our own table, for storing.
        extension: &'static str,
    },
    /// Certainly something else.
    Other {
        /// What, with its article: `a PNG picture`.
        name: &'static str,
    },
    /// A text that names other files or addresses to play.
    Playlist {
        /// What, with its article.
        name: &'static str,
    },
    /// Nothing known; only a decoder can tell.
    Unknown,
}

/// How many bytes of the beginning [`sniff`] wants to see.
pub const HEAD_BYTES: usize = 4096;

const fn media(mime_type: &'static str, extension: &'static str) -> Kind {
    Kind::Media { mime_type, extension }
}

/// Judges the first bytes of a file (up to [`HEAD_BYTES`]).
#[must_use]
pub fn sniff(head: &[u8]) -> Kind {
    by_magic(head).or_else(|| by_text(head)).unwrap_or(Kind::Unknown)
}

fn by_magic(head: &[u8]) -> Option<Kind> {
    let at = |offset: usize, magic: &[u8]| {
        head.get(offset..).is_some_and(|rest| rest.starts_with(magic))
    };
    let riff = |form: &[u8]| (at(0, b"RIFF") || at(0, b"RF64") || at(0, b"RIFX")) && at(8, form);
    const MEDIA: &[(&[u8], Kind)] = &[
        (b"fLaC", media("audio/flac", "flac")),
        (b"OggS", media("audio/ogg", "ogg")),
        (b"ID3", media("audio/mpeg", "mp3")),
        (b"FORM", media("audio/aiff", "aiff")),
        (b".snd", media("audio/basic", "au")),
        (b"caff", media("audio/x-caf", "caf")),
        (b"wvpk", media("audio/x-wavpack", "wv")),
        (b"MAC ", media("audio/x-ape", "ape")),
        (b"TTA1", media("audio/x-tta", "tta")),
        (b"MPCK", media("audio/x-musepack", "mpc")),
        (b"MP+", media("audio/x-musepack", "mpc")),
        (b"tBaK", media("audio/x-tak", "tak")),
        (b"DSD ", media("audio/x-dsf", "dsf")),
        (b"ajkg", media("audio/x-shorten", "shn")),
        (b"#!AMR", media("audio/amr", "amr")),
        (b"riff\x2e\x91\xcf\x11", media("audio/x-w64", "w64")),
        (b"Creative Voice File", media("audio/x-voc", "voc")),
        (b"\x1a\x45\xdf\xa3", media("video/x-matroska", "mka")),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", media("audio/x-ms-wma", "wma")),
        (b"FLV\x01", media("video/x-flv", "flv")),
        (b"\x00\x00\x01\xba", media("video/mpeg", "mpg")),
        (b"\x0b\x77", media("audio/ac3", "ac3")),
        (b"\x7f\xfe\x80\x01", media("audio/vnd.dts", "dts")),
        (b"DTSHDHDR", media("audio/vnd.dts", "dts")),
    ];
    const OTHERS: &[(&[u8], &str)] = &[
        (b"\x89PNG\r\n", "a PNG picture"),
        (b"\xff\xd8\xff", "a JPEG picture"),
        (b"GIF8", "a GIF picture"),
        (b"BM", "a BMP picture"),
        (b"II*\0", "a TIFF picture"),
        (b"MM\0*", "a TIFF picture"),
        (b"%PDF-", "a PDF document"),
        (b"PK\x03\x04", "a ZIP archive"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"7z\xbc\xaf", "a 7-Zip archive"),
        (b"Rar!", "a RAR archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\xfd7zXZ\0", "an xz archive"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive"),
        (b"\x7fELF", "a program"),
        (b"MZ", "a program"),
        (b"MThd", "a MIDI file, which holds notes and no sound"),
        (b"SQLite format 3\0", "a database"),
        (b"\xd0\xcf\x11\xe0", "an Office document"),
    ];
    if riff(b"WAVE") {
        return Some(media("audio/wav", "wav"));
    }
    if riff(b"AVI ") {
        return Some(media("video/x-msvideo", "avi"));
    }
    if riff(b"WEBP") {
        return Some(Kind::Other { name: "a WebP picture" });
    }
    if at(4, b"ftyp") {
        if [b"heic", b"heix", b"mif1", b"avif"].iter().any(|brand| at(8, *brand)) {
            return Some(Kind::Other { name: "a HEIF picture" });
        }
        let audio_brand = at(8, b"M4A ") || at(8, b"M4B ");
        return Some(if audio_brand {
            media("audio/mp4", "m4a")
        } else {
            media("video/mp4", "mp4")
        });
    }
    if at(4, b"moov") || at(4, b"mdat") || at(4, b"wide") || at(4, b"free") || at(4, b"skip") {
        return Some(media("video/quicktime", "mov"));
    }
    if let Some((_, kind)) = MEDIA.iter().find(|(magic, _)| at(0, magic)) {
        return Some(*kind);
    }
    if is_mpeg_audio(head) {
        return Some(media("audio/mpeg", "mp3"));
    }
    if is_adts(head) {
        return Some(media("audio/aac", "aac"));
    }
    if at(0, b"\x47") && at(188, b"\x47") && at(376, b"\x47") {
        return Some(media("video/mp2t", "ts"));
    }
    OTHERS.iter().find(|(magic, _)| at(0, magic)).map(|(_, name)| Kind::Other { name })
}

/// A frame header of ISO/IEC 11172-3 with no reserved value in it.
fn is_mpeg_audio(head: &[u8]) -> bool {
    let [0xff, second, third, ..] = head else { return false };
    let (version, layer) = (second >> 3 & 3, second >> 1 & 3);
    second & 0xe0 == 0xe0 && version != 1 && layer != 0 && third >> 4 != 15 && third >> 2 & 3 != 3
}

/// An ADTS header of ISO/IEC 13818-7: sync word, layer 0, a known rate.
fn is_adts(head: &[u8]) -> bool {
    matches!(head, [0xff, second, third, ..] if second & 0xf6 == 0xf0 && third >> 2 & 15 < 13)
}

fn by_text(head: &[u8]) -> Option<Kind> {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let starts = |word: &str| {
        text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()))
    };
    const PLAYLISTS: &[(&str, &str)] = &[
        ("#EXTM3U", "an M3U playlist"),
        ("ffconcat", "an ffconcat script"),
        ("[playlist]", "a PLS playlist"),
        ("v=0", "an SDP session description"),
        ("[Reference]", "a reference playlist"),
        ("<asx", "an ASX playlist"),
        ("<MPD", "a DASH manifest"),
        ("<smil", "a SMIL playlist"),
        (";FFMETADATA", "a metadata script"),
    ];
    if let Some((_, name)) = PLAYLISTS.iter().find(|(word, _)| starts(word)) {
        return Some(Kind::Playlist { name });
    }
    if starts("<") {
        let shown = String::from_utf8_lossy(text).to_ascii_lowercase();
        let has = |needle: &str| shown.contains(needle);
        return Some(match () {
            () if has("<mpd") => Kind::Playlist { name: "a DASH manifest" },
            () if has("<playlist") || has("xspf") => Kind::Playlist { name: "an XSPF playlist" },
            () if has("<smil") => Kind::Playlist { name: "a SMIL playlist" },
            () if has("<svg") => Kind::Other { name: "an SVG picture" },
            () if has("<!doctype html") || has("<html") => Kind::Other { name: "a web page" },
            () => Kind::Other { name: "an XML text" },
        });
    }
    is_text(head).then(|| {
        let is_cue = text.split(|&b| b == b'\n').any(|line| {
            let line = line.trim_ascii_start();
            line.starts_with(b"FILE \"") || line.starts_with(b"TRACK ")
        });
        if is_cue { Kind::Playlist { name: "a cue sheet" } } else { Kind::Other { name: "a text" } }
    })
}

/// Whether every byte is text: valid UTF-8 (a cut last character aside) without control characters.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    valid.len() >= 4 && valid.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_media(head: &[u8]) -> bool {
        matches!(sniff(head), Kind::Media { .. })
    }

    #[test]
    fn sound_is_known_by_its_first_bytes() {
        assert!(is_media(b"RIFF\x24\0\0\0WAVEfmt "));
        assert!(is_media(b"\xff\xfb\x90\x64\0\0"));
        assert!(is_media(b"\0\0\0\x20ftypM4A \0\0"));
        assert_eq!(sniff(b"\xff\xf1\x50\x80\x02\x1f"), media("audio/aac", "aac"));
    }

    #[test]
    fn what_is_not_sound_is_named() {
        assert_eq!(sniff(b"\x89PNG\r\n\x1a\n"), Kind::Other { name: "a PNG picture" });
        assert_eq!(sniff(b"hello there"), Kind::Other { name: "a text" });
        assert_eq!(sniff(b"\xef\xbb\xbf#EXTM3U\n"), Kind::Playlist { name: "an M3U playlist" });
        assert_eq!(
            sniff(b"<?xml version=\"1.0\"?>\n<MPD>"),
            Kind::Playlist { name: "a DASH manifest" }
        );
        assert_eq!(
            sniff(b"PERFORMER \"x\"\nFILE \"a.wav\" WAVE\n"),
            Kind::Playlist { name: "a cue sheet" }
        );
    }

    #[test]
    fn noise_and_nothing_are_unknown() {
        assert_eq!(sniff(b""), Kind::Unknown);
        assert_eq!(sniff(&[0x13, 0x80, 0xfe, 0x02, 0x99]), Kind::Unknown);
    }
}
