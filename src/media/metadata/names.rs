//! Tables of names: what containers and programs call the same thing, and what is no content.

use lofty::tag::ItemKey;

/// Names of libav, of the options, of ASF and of tagging programs that no container has as its own.
pub(super) const GENERIC: [(&str, ItemKey); 41] = [
    ("album_artist", ItemKey::AlbumArtist),
    ("track", ItemKey::TrackNumber),
    ("disc", ItemKey::DiscNumber),
    ("trck", ItemKey::TrackNumber),
    ("tpos", ItemKey::DiscNumber),
    ("part_number", ItemKey::TrackNumber),
    ("date", ItemKey::RecordingDate),
    ("year", ItemKey::RecordingDate),
    ("description", ItemKey::Description),
    ("synopsis", ItemKey::PodcastDescription),
    ("lyrics", ItemKey::Lyrics),
    ("copyright", ItemKey::CopyrightMessage),
    ("encoded_by", ItemKey::EncodedBy),
    ("compilation", ItemKey::FlagCompilation),
    ("sort_name", ItemKey::TrackTitleSortOrder),
    ("sort_artist", ItemKey::TrackArtistSortOrder),
    ("sort_album", ItemKey::AlbumTitleSortOrder),
    ("sort_album_artist", ItemKey::AlbumArtistSortOrder),
    ("sort_composer", ItemKey::ComposerSortOrder),
    ("id3v1 comment", ItemKey::Comment),
    // MP3s have it beside a UFID frame.
    ("musicbrainz recording id", ItemKey::MusicBrainzRecordingId),
    ("wm/albumartist", ItemKey::AlbumArtist),
    ("wm/albumtitle", ItemKey::AlbumTitle),
    ("wm/beatsperminute", ItemKey::Bpm),
    ("wm/composer", ItemKey::Composer),
    ("wm/conductor", ItemKey::Conductor),
    ("wm/encodedby", ItemKey::EncodedBy),
    ("wm/genre", ItemKey::Genre),
    ("wm/initialkey", ItemKey::InitialKey),
    ("wm/isrc", ItemKey::Isrc),
    ("wm/language", ItemKey::Language),
    ("wm/lyrics", ItemKey::Lyrics),
    ("wm/mood", ItemKey::Mood),
    ("wm/originalartist", ItemKey::OriginalArtist),
    ("wm/partofacompilation", ItemKey::FlagCompilation),
    ("wm/partofset", ItemKey::DiscNumber),
    ("wm/publisher", ItemKey::Publisher),
    ("wm/subtitle", ItemKey::TrackSubtitle),
    ("wm/tracknumber", ItemKey::TrackNumber),
    ("wm/writer", ItemKey::Lyricist),
    ("wm/year", ItemKey::RecordingDate),
];

/// Texts that describe the source's file or encoder, not its content: carried over they would lie.
pub(super) const TECHNICAL: [ItemKey; 6] = [
    ItemKey::EncoderSoftware,
    ItemKey::EncoderSettings,
    ItemKey::EncodingTime,
    ItemKey::TaggingTime,
    ItemKey::Length,
    ItemKey::OriginalFileName,
];

/// The same by names.
pub(super) const TECHNICAL_NAMES: [&str; 29] = [
    "asfleakybucketpairs",
    "bps",
    "coding_history",
    "company_name",
    "compatible_brands",
    "creation_time",
    "deviceconformancetemplate",
    "duration",
    "encoder",
    "encoder_options",
    "encoder_settings",
    "encoding_tool",
    "gapless_playback",
    "handler_name",
    "isvbr",
    "major_brand",
    "media_type",
    "metadata_block_picture",
    "minor_version",
    "product_name",
    "product_version",
    "software",
    "time_reference",
    "umid",
    "vendor_id",
    "wm/encodingtime",
    "wm/genreid",
    "wm/mediaclassprimaryid",
    "wm/mediaclasssecondaryid",
];

/// The same by how names begin: Matroska's statistics, private frames of ID3, iTunes' and Windows
/// Media's own business.
pub(super) const TECHNICAL_BEGINNINGS: [&str; 8] = [
    "_statistics_",
    "number_of_",
    "id3v2_priv.",
    "itun",
    "wmfsdk",
    "wm/wmadrc",
    "waveformatextensible",
    "mp3gain_",
];
