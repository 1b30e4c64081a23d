//! Boxes of ISO base media files (ISO/IEC 14496-12 section 4.2), in memory.

/// One box: its four letters and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Box<'a> {
    /// Four letters.
    pub name: [u8; 4],
    /// Content behind the header.
    pub body: &'a [u8],
}

/// The boxes of a content, up to the first that does not fit.
pub fn boxes(mut content: &[u8]) -> impl Iterator<Item = Box<'_>> {
    std::iter::from_fn(move || {
        let (found, rest) = split(content)?;
        content = rest;
        Some(found)
    })
}

fn split(content: &[u8]) -> Option<(Box<'_>, &[u8])> {
    let size = u32::from_be_bytes(content.get(..4)?.try_into().ok()?);
    let name = content.get(4..8)?.try_into().ok()?;
    let (header, size) = match size {
        0 => (8, content.len()),
        1 => {
            let size = u64::from_be_bytes(content.get(8..16)?.try_into().ok()?);
            (16, usize::try_from(size).ok()?)
        }
        size => (8, size as usize),
    };
    let body = content.get(header..size)?;
    Some((Box { name, body }, &content[size..]))
}

/// Writes a box.
pub fn put(into: &mut Vec<u8>, name: [u8; 4], body: &[u8]) {
    match u32::try_from(body.len() + 8) {
        Ok(size) => into.extend_from_slice(&size.to_be_bytes()),
        Err(_) => into.extend_from_slice(&1_u32.to_be_bytes()),
    }
    into.extend_from_slice(&name);
    if u32::try_from(body.len() + 8).is_err() {
        into.extend_from_slice(&(body.len() as u64 + 16).to_be_bytes());
    }
    into.extend_from_slice(body);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_found_and_damage_ends_the_walk() {
        let mut content = Vec::new();
        put(&mut content, *b"free", b"");
        put(&mut content, *b"udta", b"abc");
        let found: Vec<_> = boxes(&content).map(|found| (found.name, found.body.len())).collect();
        assert_eq!(found, [(*b"free", 0), (*b"udta", 3)]);
        content.truncate(17);
        assert_eq!(boxes(&content).count(), 1);
        assert_eq!(boxes(b"\0\0\0\x04name").count(), 0);
    }
}
