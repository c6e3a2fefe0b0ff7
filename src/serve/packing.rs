//! Gzip of expositions. What belongs to the picture alone is packed once and shared by all scrapes
//! of that picture, and what processes wrote by all until somebody writes more; what is asked anew at
//! each scrape, our own figures among it, is packed anew.
//!
//! The pieces are one member of one gzip stream, because not every reader takes several: each piece
//! is deflated by itself and ends on a whole byte, and the checksums are combined.
//! <https://www.rfc-editor.org/rfc/rfc1952>

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use hyper::body::Bytes;

use crate::ledger::snapshot::Snapshot;
use crate::metrics::families::{Chapter, Seen, Source};
use crate::metrics::negotiate::Format;
use crate::output::figures::OutputFigures;

/// Deflate, no flags, no time, fastest, system unknown.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// A last block with nothing in it.
const LAST: [u8; 2] = [3, 0];

/// Deflated text with its checksum.
struct Piece {
    deflated: Vec<u8>,
    crc: Crc,
}

/// Chapters of one picture, packed; two for each format, a tenth of their text.
#[derive(Default)]
pub struct Packed {
    kept: Mutex<Kept>,
}

/// What is kept, and of which picture: not by its number, because it is the same picture only
/// where it is the same one in memory.
#[derive(Default)]
struct Kept {
    picture: Weak<Snapshot>,
    pieces: Vec<((Format, Chapter), Arc<Piece>)>,
    /// What was written when the next were packed.
    output: Vec<(Arc<str>, OutputFigures)>,
    written: Vec<((Format, Chapter), Arc<Piece>)>,
}

impl Packed {
    /// The exposition as gzip.
    pub fn gzip(&self, format: Format, seen: Seen) -> Bytes {
        let chapters = Chapter::ALL.map(|chapter| match chapter.source() {
            Source::Moment => Arc::new(packed(format, chapter, seen)),
            Source::Picture | Source::Output => self.shared(format, chapter, seen),
        });
        let end = pack(|take| take(format.end()));
        member(chapters.iter().map(Arc::as_ref).chain([&end]))
    }

    /// Whoever comes while it is being packed waits for it, which takes less than to pack it too.
    fn shared(&self, format: Format, chapter: Chapter, seen: Seen) -> Arc<Piece> {
        // What a panic left is whole: a piece is added when it is done.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let pieces = match chapter.source() {
            Source::Output => kept.of_the_output(seen),
            _ => kept.of_the_picture(seen),
        };
        let known = pieces.iter().find(|(key, _)| *key == (format, chapter));
        if let Some((_, piece)) = known {
            return Arc::clone(piece);
        }
        let piece = Arc::new(packed(format, chapter, seen));
        pieces.push(((format, chapter), Arc::clone(&piece)));
        piece
    }
}

impl Kept {
    fn of_the_picture(&mut self, seen: Seen) -> &mut Vec<((Format, Chapter), Arc<Piece>)> {
        let picture = Arc::downgrade(seen.snapshot);
        if !self.picture.ptr_eq(&picture) {
            (self.picture, self.pieces) = (picture, Vec::new());
        }
        &mut self.pieces
    }

    fn of_the_output(&mut self, seen: Seen) -> &mut Vec<((Format, Chapter), Arc<Piece>)> {
        if self.output != seen.output {
            (self.output, self.written) = (seen.output.to_vec(), Vec::new());
        }
        &mut self.written
    }
}

/// Family by family, so that the whole text is never there.
fn packed(format: Format, chapter: Chapter, seen: Seen) -> Piece {
    pack(|take| chapter.write(format, seen, take))
}

/// Fast rather than small: it shrinks to a tenth all the same. Writing to memory cannot fail.
fn pack(write: impl FnOnce(&mut dyn FnMut(&str))) -> Piece {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
    let mut crc = Crc::new();
    write(&mut |text| {
        crc.update(text.as_bytes());
        let _ = packer.write_all(text.as_bytes());
    });
    let _ = packer.flush();
    Piece { deflated: std::mem::take(packer.get_mut()), crc }
}

fn member<'a>(pieces: impl Iterator<Item = &'a Piece>) -> Bytes {
    let mut bytes = HEAD.to_vec();
    let mut crc = Crc::new();
    for piece in pieces {
        bytes.extend_from_slice(&piece.deflated);
        crc.combine(&piece.crc);
    }
    bytes.extend_from_slice(&LAST);
    bytes.extend_from_slice(&crc.sum().to_le_bytes());
    bytes.extend_from_slice(&crc.amount().to_le_bytes());
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::SelfFigures;

    #[test]
    fn scrapes_of_one_picture_share_what_is_packed_of_it_and_those_of_another_do_not() {
        let (packed, own) = (Packed::default(), SelfFigures::default());
        let [one, other] = [(); 2].map(|()| Arc::new(Snapshot::default()));
        let piece = |snapshot, format, chapter| {
            packed.shared(format, chapter, Seen { snapshot, own: &own, output: &[], store: None })
        };
        let first = piece(&one, Format::Text004, Chapter::Figures);
        for _ in 0..9 {
            assert!(Arc::ptr_eq(&first, &piece(&one, Format::Text004, Chapter::Figures)));
        }
        for another in [
            piece(&one, Format::OpenMetrics100, Chapter::Figures),
            piece(&one, Format::Text004, Chapter::Processes),
            piece(&other, Format::Text004, Chapter::Figures),
            piece(&one, Format::Text004, Chapter::Figures),
        ] {
            assert!(!Arc::ptr_eq(&first, &another));
        }
    }

    #[test]
    fn scrapes_share_what_was_written_over_pictures_until_more_is_written() {
        let (packed, own) = (Packed::default(), SelfFigures::default());
        let [one, other] = [(); 2].map(|()| Arc::new(Snapshot::default()));
        let piece = |snapshot, lines| {
            let figures = OutputFigures { lines, ..OutputFigures::default() };
            let output = [(Arc::from("web"), figures)];
            let seen = Seen { snapshot, own: &own, output: &output, store: None };
            packed.shared(Format::Text004, Chapter::Output, seen)
        };
        let first = piece(&one, 1);
        assert!(Arc::ptr_eq(&first, &piece(&other, 1)));
        let more = piece(&other, 2);
        assert!(!Arc::ptr_eq(&first, &more) && more.deflated != first.deflated);
        assert!(!Arc::ptr_eq(&more, &piece(&other, 3)));
    }
}
