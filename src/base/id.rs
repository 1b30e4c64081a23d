//! Identifiers: UUIDv7 behind one type per kind, so that a job can never be asked for by a blob's id.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The text is not an identifier as this module prints them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier")]
pub struct NotAnId;

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier; later ones sort after earlier ones (RFC 9562, version 7).
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The sixteen bytes, big-endian as RFC 9562 prints them.
            #[must_use]
            pub fn bytes(self) -> [u8; 16] {
                *self.0.as_bytes()
            }

            /// The identifier of these sixteen bytes.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            /// Takes the printed form only: one job has one address.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let id = Uuid::parse_str(text).map_err(|_| NotAnId)?;
                if id.hyphenated().to_string() == text { Ok(Self(id)) } else { Err(NotAnId) }
            }
        }
    };
}

id_type!(
    /// One job.
    JobId
);
id_type!(
    /// One account.
    UserId
);
id_type!(
    /// One stored file.
    BlobId
);
id_type!(
    /// One result of a job.
    ArtifactId
);
id_type!(
    /// One API key.
    KeyId
);

#[cfg(test)]
mod tests {
    use super::JobId;

    #[test]
    fn only_the_printed_form_of_an_id_is_an_id() {
        let id = JobId::generate();
        assert_eq!(id.to_string().parse::<JobId>().ok(), Some(id));
        assert!(id.to_string().replace('-', "").parse::<JobId>().is_err());
        assert!(id.to_string().to_uppercase().parse::<JobId>().is_err());
        assert!("../../etc/passwd".parse::<JobId>().is_err());
    }
}
