//! `procession schema`: the JSON Schema of a configuration, for editors.

use std::io::{Write, stderr, stdout};

use super::{EXIT_FAILED, say, unwritten};

/// Prints the schema and answers 0, or 1 where it cannot be written: whoever keeps it in a file must
/// not take half of it for all.
pub(super) fn schema() -> u8 {
    let mut out = stdout().lock();
    let printed = writeln!(out, "{}", crate::config::schema::schema()).and_then(|()| out.flush());
    let Some(why) = printed.err().and_then(|error| unwritten(&error)) else { return 0 };
    say(&mut stderr(), &format!("procession: {why}"));
    EXIT_FAILED
}
