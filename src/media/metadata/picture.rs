//! Pictures in the words of lofty and of FLAC.

use lofty::picture::{MimeType, PictureInformation, PictureType};

use super::Picture;

impl Picture {
    /// The same picture for lofty's encoders.
    #[must_use]
    pub fn to_lofty(&self) -> lofty::picture::Picture {
        lofty::picture::Picture::unchecked(self.bytes.clone())
            .pic_type(PictureType::from_u8(self.kind))
            .mime_type(MimeType::from_str(&self.mime_type))
            .description(self.description.clone())
            .build()
    }

    /// The body of a FLAC PICTURE block (RFC 9639 section 8.8).
    #[must_use]
    pub fn to_flac_block(&self) -> Vec<u8> {
        let picture = self.to_lofty();
        // Sizes are a convenience of the block; a picture that does not tell them says 0.
        let information = PictureInformation::from_picture(&picture).unwrap_or_default();
        picture.as_flac_bytes(information, false)
    }

    /// A file name for containers that attach files.
    #[must_use]
    pub fn file_name(&self) -> String {
        let extension = MimeType::from_str(&self.mime_type).ext().unwrap_or("bin").to_owned();
        let stem = match self.kind {
            4 => "back",
            5 => "leaflet",
            6 => "media",
            8 => "artist",
            _ => "cover",
        };
        format!("{stem}.{extension}")
    }
}
