//! Bytes of ours in the middle of what libav writes, without its knowing.

use std::io::{self, Seek, SeekFrom, Write};

/// What is to be inserted, and before which of libav's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Insertion {
    /// Position in libav's own count.
    pub at: u64,
    /// The bytes; none is no insertion.
    pub bytes: Vec<u8>,
}

/// A stream that keeps a place free at the insertion and fills it with the first write behind it.
pub struct Inserting<T> {
    stream: T,
    insertion: Insertion,
    is_filled: bool,
    /// Where libav believes to be.
    position: u64,
}

impl<T: Write + Seek> Inserting<T> {
    /// Nothing is written yet.
    pub fn new(stream: T, insertion: Insertion) -> Self {
        let is_filled = insertion.bytes.is_empty();
        Self { stream, insertion, is_filled, position: 0 }
    }

    fn length(&self) -> u64 {
        self.insertion.bytes.len() as u64
    }

    /// The stream's own position of one of libav's.
    fn placed(&self, position: u64) -> u64 {
        if position < self.insertion.at { position } else { position + self.length() }
    }

    fn fill(&mut self) -> io::Result<()> {
        if !self.is_filled {
            self.stream.seek(SeekFrom::Start(self.insertion.at))?;
            self.stream.write_all(&self.insertion.bytes)?;
            self.is_filled = true;
        }
        Ok(())
    }
}

impl<T: Write + Seek> Write for Inserting<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.insertion.bytes.is_empty() {
            return self.stream.write(bytes);
        }
        // A write never crosses the insertion: the caller comes again with the rest.
        let before = self.insertion.at.checked_sub(self.position).filter(|&room| room > 0);
        let count = match before {
            Some(room) => {
                let room = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
                self.stream.write(&bytes[..room])?
            }
            None => {
                if !self.is_filled {
                    self.fill()?;
                    self.stream.seek(SeekFrom::Start(self.placed(self.position)))?;
                }
                self.stream.write(bytes)?
            }
        };
        let was = self.position;
        self.position += count as u64;
        if was < self.insertion.at && self.position >= self.insertion.at && self.is_filled {
            self.stream.seek(SeekFrom::Start(self.placed(self.position)))?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl<T: Write + Seek> Seek for Inserting<T> {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        if self.insertion.bytes.is_empty() {
            return self.stream.seek(target);
        }
        let wanted = match target {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => {
                let end = self.stream.seek(SeekFrom::End(0))?;
                let end =
                    if end > self.insertion.at { end.saturating_sub(self.length()) } else { end };
                end.checked_add_signed(by)
            }
        };
        let wanted = wanted.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        self.stream.seek(SeekFrom::Start(self.placed(wanted)))?;
        self.position = wanted;
        Ok(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inserting(at: u64) -> Inserting<io::Cursor<Vec<u8>>> {
        Inserting::new(io::Cursor::default(), Insertion { at, bytes: b"<>".to_vec() })
    }

    #[test]
    fn libav_never_sees_what_is_inserted() {
        for at in 0..=6 {
            let mut stream = inserting(at);
            stream.write_all(b"abcdef").expect("written");
            assert_eq!(stream.seek(SeekFrom::End(0)).ok(), Some(6));
            stream.write_all(b"g").expect("written");
            assert_eq!(stream.seek(SeekFrom::Start(1)).ok(), Some(1));
            stream.write_all(b"BCD").expect("written over");
            assert_eq!(stream.stream_position().ok(), Some(4));
            let written = String::from_utf8(stream.stream.into_inner()).expect("text");
            let at = usize::try_from(at).expect("small");
            assert_eq!(written, format!("{}<>{}", &"aBCDefg"[..at], &"aBCDefg"[at..]));
        }
    }
}
