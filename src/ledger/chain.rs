//! The chain: every row's hash covers the row and the hash before it.

use ring::digest::{Context, SHA256};

/// SHA-256 over a row and the one before it.
pub type Link = [u8; 32];

/// What stands before the first row.
pub const START: Link = [0; 32];

/// The hash of a row of these fields behind `before`. Each field comes with its length: no two rows
/// make the same bytes.
#[must_use]
pub fn link(before: &Link, fields: &[Option<&str>]) -> Link {
    let mut hash = Context::new(&SHA256);
    hash.update(before);
    for field in fields {
        match field {
            None => hash.update(&[0]),
            Some(text) => {
                hash.update(&[1]);
                hash.update(&(text.len() as u64).to_be_bytes());
                hash.update(text.as_bytes());
            }
        }
    }
    let mut link = START;
    link.copy_from_slice(hash.finish().as_ref());
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_and_every_border_between_fields_counts() {
        let of = |fields: &[Option<&str>]| link(&START, fields);
        let whole = of(&[Some("a"), Some("bc"), None]);
        assert_eq!(whole, of(&[Some("a"), Some("bc"), None]));
        for other in [&[Some("ab"), Some("c"), None], &[Some("a"), Some("bc"), Some("")]] {
            assert_ne!(whole, of(other));
        }
        assert_ne!(whole, link(&whole, &[Some("a"), Some("bc"), None]));
    }
}
