//! What commands wrote: the last of each, and of the newest commands of this instance.

use super::rows::{Stamp, Value, Write};
use crate::ledger::written::Written;
use crate::store::columns::signed;
use crate::store::output::{MOST_OUTPUTS, bytes, stretches};

macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as Value),*] };
}

/// Replaces what is kept of a command's output, and lets go of the oldest where too much is kept. What
/// goes is chosen among what was there before, so that room is made for the one that comes.
pub fn put(written: &Written, stamp: &Stamp) -> Write {
    Write {
        statement: "WITH gone AS (DELETE FROM session_output WHERE session_id IN (SELECT session_id \
                    FROM session_output WHERE instance = $2 AND session_id <> $1 \
                    ORDER BY at_ms DESC, session_id DESC OFFSET $8)) \
                    INSERT INTO session_output (session_id, instance, at_ms, first, over, \
                    stretches, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7) \
                    ON CONFLICT (session_id) DO UPDATE SET at_ms = excluded.at_ms, \
                    first = excluded.first, over = excluded.over, \
                    stretches = excluded.stretches, bytes = excluded.bytes",
        values: values![
            written.session.to_string(),
            stamp.instance(),
            written.at.0,
            signed(written.begin),
            i64::from(written.over),
            stretches(written),
            bytes(written),
            MOST_OUTPUTS - 1,
        ],
    }
}
