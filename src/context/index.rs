//! The index of a git checkout: what git noted about each tracked file when it last looked.
//!
//! Understands versions 2, 3 and 4 as `gitformat-index(5)` describes them, far enough to compare
//! files with it. Takes any bytes: what it does not understand is no index.

/// Extended flag: the file is left out of a sparse checkout.
const SKIP_WORKTREE: u16 = 1 << 14;
/// Extended flag: the file is to be added, but its content is not staged yet.
const INTENT_TO_ADD: u16 = 1 << 13;
/// Flag: git was told not to look.
const ASSUME_VALID: u16 = 1 << 15;
/// Flag: two more bytes of flags follow.
const EXTENDED: u16 = 1 << 14;
/// Flags: the side of a merge that is not resolved.
const STAGE: u16 = 3 << 12;
/// What `type` bits of a mode say, as in `stat`.
const TYPE: u32 = 0o170_000;

/// What git noted about a tracked file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tracked {
    /// The path below the root of the checkout.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Seconds of the time at which its content changed, as far as they fit 32 bits.
    pub mtime_seconds: u32,
    /// The nanoseconds of that time; zero also where git did not note any.
    pub mtime_nanos: u32,
    /// Its size, as far as it fits 32 bits.
    pub size: u32,
    /// Whether it differs from what is staged without a look: it is unmerged or yet to be added.
    pub unsettled: bool,
    /// Whether git does not look at it either.
    pub unwatched: bool,
}

/// What a tracked file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A regular file.
    File {
        /// Whether it may be executed.
        executable: bool,
    },
    /// A symbolic link.
    Link,
    /// A submodule, or a directory that is left out of a sparse checkout.
    Directory,
}

/// Every tracked file, if there are at most `most` and the bytes are an index that lies in one
/// file. `hash_len` is the length of an object id in bytes.
pub(super) fn parse(bytes: &[u8], hash_len: usize, most: usize) -> Option<Vec<Tracked>> {
    let mut reader = Reader { bytes, at: 0 };
    if reader.take(4)? != b"DIRC" {
        return None;
    }
    let version = reader.u32().filter(|version| (2..=4).contains(version))?;
    let count = usize::try_from(reader.u32()?).ok().filter(|count| *count <= most)?;
    // Not reserved by the count alone, which nothing vouches for.
    let mut tracked: Vec<Tracked> = Vec::new();
    for _ in 0..count {
        let before = tracked.last().map_or(&[][..], |entry| &entry.path);
        let entry = reader.entry(version, hash_len, before)?;
        tracked.push(entry);
    }
    (!reader.is_split(hash_len)?).then_some(tracked)
}

/// A cursor over the bytes of an index.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn entry(&mut self, version: u32, hash_len: usize, before: &[u8]) -> Option<Tracked> {
        let start = self.at;
        let _changed = self.take(8)?;
        let (mtime_seconds, mtime_nanos) = (self.u32()?, self.u32()?);
        let _device_and_inode = self.take(8)?;
        let kind = kind(self.u32()?)?;
        let _owner = self.take(8)?;
        let size = self.u32()?;
        let _object = self.take(hash_len)?;
        let flags = self.u16()?;
        let more = if flags & EXTENDED != 0 { self.u16()? } else { 0 };
        let path = if version == 4 { self.shortened_path(before)? } else { self.path(start)? };
        Some(Tracked {
            path: lies_below(&path).then_some(path)?,
            kind,
            mtime_seconds,
            mtime_nanos,
            size,
            unsettled: flags & STAGE != 0 || more & INTENT_TO_ADD != 0,
            unwatched: flags & ASSUME_VALID != 0 || more & SKIP_WORKTREE != 0,
        })
    }

    /// A path that is filled up with zeros until the length of the entry is a multiple of eight.
    fn path(&mut self, start: usize) -> Option<Vec<u8>> {
        let path = self.until_zero()?;
        let length = (self.at - start).next_multiple_of(8);
        self.at = start.checked_add(length).filter(|at| *at <= self.bytes.len())?;
        Some(path.to_vec())
    }

    /// A path that says how much of the one before it is left away, and what comes instead.
    fn shortened_path(&mut self, before: &[u8]) -> Option<Vec<u8>> {
        let kept = before.len().checked_sub(self.offset()?)?;
        let mut path = before.get(..kept)?.to_vec();
        path.extend_from_slice(self.until_zero()?);
        Some(path)
    }

    /// A number in the encoding of pack offsets: seven bits a byte, each further byte adding one.
    fn offset(&mut self) -> Option<usize> {
        let mut byte = self.byte()?;
        let mut value = usize::from(byte & 0x7f);
        while byte & 0x80 != 0 {
            byte = self.byte()?;
            value =
                value.checked_add(1)?.checked_mul(128)?.checked_add(usize::from(byte & 0x7f))?;
        }
        Some(value)
    }

    /// Whether the extensions say that most entries lie in another file.
    fn is_split(&mut self, hash_len: usize) -> Option<bool> {
        let end = self.bytes.len().checked_sub(hash_len)?;
        while self.at + 8 <= end {
            if self.take(4)? == b"link" {
                return Some(true);
            }
            let length = usize::try_from(self.u32()?).ok()?;
            self.take(length)?;
        }
        Some(false)
    }

    fn until_zero(&mut self) -> Option<&'a [u8]> {
        let length = memchr::memchr(0, self.bytes.get(self.at..)?)?;
        let text = self.take(length)?;
        self.take(1)?;
        Some(text)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2)?.try_into().ok().map(u16::from_be_bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }
}

fn kind(mode: u32) -> Option<Kind> {
    match mode & TYPE {
        0o100_000 => Some(Kind::File { executable: mode & 0o100 != 0 }),
        0o120_000 => Some(Kind::Link),
        0o160_000 | 0o040_000 => Some(Kind::Directory),
        _ => None,
    }
}

/// Whether the path stays below the root: a forged index must not have us look elsewhere.
fn lies_below(path: &[u8]) -> bool {
    !path.is_empty()
        && path.split(|byte| *byte == b'/').all(|part| part != b".." && part != b".")
        && path[0] != b'/'
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An index of version 2 with these flags and path, and what follows it.
    fn index(mode: u32, flags: u16, path: &[u8], behind: &[u8]) -> Vec<u8> {
        let mut bytes = b"DIRC\0\0\0\x02\0\0\0\x01".to_vec();
        for word in [0, 0, 7, 8, 0, 0, mode, 0, 0, 9] {
            bytes.extend_from_slice(&u32::to_be_bytes(word));
        }
        bytes.extend_from_slice(&[1; 20]);
        bytes.extend_from_slice(&flags.to_be_bytes());
        bytes.extend_from_slice(path);
        bytes.push(0);
        bytes.resize(12 + (bytes.len() - 12).next_multiple_of(8), 0);
        bytes.extend_from_slice(behind);
        bytes.extend_from_slice(&[2; 20]);
        bytes
    }

    #[test]
    fn an_entry_is_what_git_noted() {
        let tracked = parse(&index(0o100_755, 3, b"a/b", b""), 20, 1).unwrap();
        let expected = Tracked {
            path: b"a/b".to_vec(),
            kind: Kind::File { executable: true },
            mtime_seconds: 7,
            mtime_nanos: 8,
            size: 9,
            unsettled: false,
            unwatched: false,
        };
        assert_eq!(tracked, [expected]);
    }

    #[test]
    fn what_is_no_index_that_we_can_judge_is_refused() {
        let refused = |bytes: &[u8]| assert_eq!(parse(bytes, 20, 1), None, "{bytes:?}");
        let good = || index(0o100_644, 3, b"a/b", b"");
        let changed = |at: usize, byte: u8| {
            let mut bytes = good();
            bytes[at] = byte;
            bytes
        };
        refused(b"");
        refused(&changed(0, b'X'));
        refused(&changed(7, 5));
        refused(&changed(11, 2));
        refused(&good()[..60]);
        refused(&index(0o010_644, 3, b"a/b", b""));
        refused(&index(0o100_644, 3, b"", b""));
        refused(&index(0o100_644, 3, b"/etc/passwd", b""));
        refused(&index(0o100_644, 3, b"a/../../b", b""));
        refused(&index(0o100_644, 3, b"a", b"link\0\0\0\x14"));
        refused(&index(0o100_644, 3, b"a", b"TREE\0\0\0\xff"));
        assert!(parse(&index(0o100_644, 3, b"a", b"TREE\0\0\0\x01xlink"), 20, 1).is_some());
        assert_eq!(parse(&good(), 20, 0), None);
    }

    #[test]
    fn flags_say_what_is_unsettled_and_what_is_not_watched() {
        let check = |flags: u16, unsettled: bool, unwatched: bool| {
            let tracked = parse(&index(0o120_000, flags, b"a", b""), 20, 1).unwrap();
            assert_eq!((tracked[0].unsettled, tracked[0].unwatched), (unsettled, unwatched));
            assert_eq!(tracked[0].kind, Kind::Link);
        };
        check(1, false, false);
        check(1 | ASSUME_VALID, false, true);
        check(1 | 2 << 12, true, false);
    }
}
