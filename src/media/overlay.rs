//! Other bytes in place of a stream's own, for whoever reads it through here.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

/// Bytes that stand in for others, as many as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlay {
    /// Where.
    pub at: u64,
    /// What is read there.
    pub bytes: Vec<u8>,
}

impl Overlay {
    fn end(&self) -> u64 {
        self.at + self.bytes.len() as u64
    }
}

/// A stream with overlays. It must stand at its start when it comes in.
pub struct Overlaid<T> {
    stream: T,
    overlays: Arc<[Overlay]>,
    position: u64,
}

impl<T> Overlaid<T> {
    /// A stream that is read with `overlays` over it, which do not touch and stand in the stream's
    /// order.
    pub fn new(stream: T, overlays: Arc<[Overlay]>) -> Self {
        Self { stream, overlays, position: 0 }
    }
}

impl<T: Read> Read for Overlaid<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        let (start, end) = (self.position, self.position + count as u64);
        let first = self.overlays.partition_point(|overlay| overlay.end() <= start);
        for overlay in self.overlays[first..].iter().take_while(|overlay| overlay.at < end) {
            for (at, byte) in (overlay.at..).zip(&overlay.bytes) {
                if let Ok(place) = usize::try_from(at.wrapping_sub(start))
                    && (start..end).contains(&at)
                {
                    buffer[place] = *byte;
                }
            }
        }
        self.position = end;
        Ok(count)
    }
}

impl<T: Seek> Seek for Overlaid<T> {
    fn seek(&mut self, target: SeekFrom) -> io::Result<u64> {
        self.position = self.stream.seek(target)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_overlay_is_seen_however_it_is_read() {
        let overlays: Arc<[Overlay]> = Arc::new([
            Overlay { at: 2, bytes: b"CDE".to_vec() },
            Overlay { at: 7, bytes: b"HIJ".to_vec() },
        ]);
        for step in 1..9 {
            let mut stream =
                Overlaid::new(io::Cursor::new(b"abcdefgh".to_vec()), Arc::clone(&overlays));
            let mut read = Vec::new();
            let mut buffer = vec![0; step];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                read.extend_from_slice(&buffer[..count]);
            }
            assert_eq!(read, b"abCDEfgH");
            stream.seek(SeekFrom::Start(3)).expect("there");
            stream.read_exact(&mut buffer[..1]).expect("a byte");
            assert_eq!(buffer[0], b'D');
        }
    }
}
