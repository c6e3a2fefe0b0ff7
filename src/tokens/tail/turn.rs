//! One file in its turn: its lines, its messages or its rows, whichever it has.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;

use crate::tokens::agents::opencode::{self, Row};
use crate::tokens::agents::{Decoder, Shape};
use crate::tokens::tail::document;
use crate::tokens::tail::ears::Ears;
use crate::tokens::tail::file::Tracked;
use crate::tokens::tail::parts;
use crate::tokens::tail::read::{Found, Position, Reader};

/// Read of one file before the next has its turn.
const BYTES_IN_TURN: u64 = 4 << 20;

/// Reads what the ears did not hear yet; how many bytes that were, and whether the end was reached.
pub fn read(
    reader: &mut Reader,
    file: &File,
    tracked: &mut Tracked,
    ears: &mut Ears<'_>,
) -> io::Result<(u64, bool)> {
    match tracked.shape {
        Shape::Lines => lines(reader, file, tracked, ears),
        Shape::Document => document(file, tracked, ears),
        Shape::Database => rows(tracked, ears),
    }
}

fn lines(
    reader: &mut Reader,
    file: &File,
    tracked: &mut Tracked,
    ears: &mut Ears<'_>,
) -> io::Result<(u64, bool)> {
    let before = tracked.position.read;
    let position = &mut tracked.position;
    let ended = reader.read(file, position, BYTES_IN_TURN, |found| ears.take_in(found))?;
    Ok((position.read - before, ended))
}

/// A document is written anew, so that it is read anew; what is known of it is not told again.
fn document(file: &File, tracked: &mut Tracked, ears: &mut Ears<'_>) -> io::Result<(u64, bool)> {
    let length = match ears.decoder {
        Decoder::Opencode => message(file, &tracked.path, ears)?,
        _ => document::messages(file, |found: Found<'_>| ears.take_in(found))?,
    };
    tracked.position = Position::at(length);
    Ok((length, true))
}

/// A message of opencode's that has a file of its own, with what its parts say, which have theirs.
fn message(file: &File, path: &Path, ears: &mut Ears<'_>) -> io::Result<u64> {
    document::whole(file, |found| match found {
        Found::Line(_, text) => {
            let (id, session) =
                (named(path.file_stem()), named(path.parent().and_then(Path::file_name)));
            let parts = parts::of_message(path);
            opencode::decode(text, Row { id, session }, parts, |told| ears.hear(0, told));
        }
        other => ears.take_in(other),
    })
}

fn named(name: Option<&OsStr>) -> &str {
    name.and_then(OsStr::to_str).unwrap_or_default()
}

/// The rows that were written since the newest that was read, and that one again: several may have
/// been written within its millisecond.
#[cfg(feature = "sqlite")]
fn rows(tracked: &mut Tracked, ears: &mut Ears<'_>) -> io::Result<(u64, bool)> {
    use crate::tokens::tail::database;

    let (mut bytes, mut next) = (0, tracked.position.line);
    let since = next.saturating_sub(1);
    database::messages(&tracked.path, since, tracked.history, |message, parts| {
        bytes += message.data.len() as u64;
        next = next.max(message.updated.saturating_add(1));
        let row = Row { id: &message.id, session: &message.session };
        opencode::decode(&message.data, row, parts, |told| ears.hear(message.updated, told));
    })?;
    tracked.position.line = next;
    Ok((bytes, true))
}

#[cfg(not(feature = "sqlite"))]
fn rows(_: &mut Tracked, _: &mut Ears<'_>) -> io::Result<(u64, bool)> {
    Err(io::Error::other("this build reads no databases"))
}

/// A decoder for the part of a file that is still to be read: one that remembers reads what stands
/// before again, for itself alone.
pub fn decoder(
    reader: &mut Reader,
    file: &File,
    tracked: &Tracked,
    mut fresh: Decoder,
) -> io::Result<Decoder> {
    let end = tracked.position.line;
    if tracked.shape == Shape::Lines && fresh.remembers() && end > 0 {
        reader.read(file, &mut Position::default(), end, |found| match found {
            Found::Line(at, line) if at < end => fresh.decode(line, false, |_| {}),
            _ => {}
        })?;
    }
    Ok(fresh)
}
