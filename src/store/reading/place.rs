//! Where a page of sessions ended, as text that goes out and comes back.
//!
//! A place is the key of the last session that was told, so that it means the same in every life that
//! shares a store, however many sessions came and went. Where history is in memory it belongs to the
//! life that gave it.

use std::fmt;

use crate::units::{SessionId, Wall};

/// The session behind which a page begins: all that are older follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it was opened.
    pub started: Wall,
    /// Which one of those that were opened then.
    pub id: SessionId,
}

/// A place with the question that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Tells questions apart that ask for other sessions.
    pub shape: u32,
    /// The life that gave it, where history ends with a life.
    pub life: Option<Wall>,
    /// The place.
    pub place: Place,
}

/// Why a cursor cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It is no cursor of ours.
    Unreadable,
    /// It belongs to a question for other sessions.
    OtherShape,
    /// It belongs to a life whose history is over.
    OtherLife,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, life, place } = self;
        let life = life.map_or(0, |life| life.0);
        write!(f, "{shape:08x}.{life:x}.{:x}.{}", place.started.0, place.id)
    }
}

impl Cursor {
    /// Reads what [`fmt::Display`] writes, for a question of this shape in this life.
    pub fn read(text: &str, shape: u32, life: Option<Wall>) -> Result<Place, Unusable> {
        let cursor = Self::parse(text).ok_or(Unusable::Unreadable)?;
        if cursor.shape != shape {
            return Err(Unusable::OtherShape);
        }
        if cursor.life != life {
            return Err(Unusable::OtherLife);
        }
        Ok(cursor.place)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let mut part = || parts.next();
        let shape = u32::from_str_radix(part()?, 16).ok()?;
        let life = i64::from_str_radix(part()?, 16).ok()?;
        let started = Wall(i64::from_str_radix(part()?, 16).ok()?);
        let id = SessionId::parse(part()?)?;
        let life = Some(Wall(life)).filter(|life| life.0 != 0);
        part().is_none().then_some(Self { shape, life, place: Place { started, id } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_of_no_other_question_or_life() {
        let place = Place { started: Wall(1_790_000_000_000), id: SessionId::new(Wall(5), 7) };
        for life in [None, Some(Wall(99))] {
            let text = Cursor { shape: 0xbeef, life, place }.to_string();
            assert_eq!(Cursor::read(&text, 0xbeef, life), Ok(place));
            assert_eq!(Cursor::read(&text, 0xbee, life), Err(Unusable::OtherShape));
            assert_eq!(Cursor::read(&text, 0xbeef, Some(Wall(1))), Err(Unusable::OtherLife));
        }
        for odd in ["", "x", "1.2.3", "1.2.3.4", "\u{0}"] {
            assert_eq!(Cursor::read(odd, 0, None), Err(Unusable::Unreadable), "{odd:?}");
        }
        let longer = Cursor { shape: 1, life: None, place }.to_string() + ".1";
        assert_eq!(Cursor::read(&longer, 1, None), Err(Unusable::Unreadable));
    }
}
