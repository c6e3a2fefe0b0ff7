//! What commands wrote as columns, which both databases keep in the same way.

use crate::ledger::written::{Part, Raw, Written};
use crate::units::{SessionId, Wall};

/// Outputs that one supervisor keeps, the newest: 64 MiB at what is kept of each unless more is asked for.
pub const MOST_OUTPUTS: i64 = 1_000;

/// How many bytes went to which output, in turns: standard output first.
pub fn stretches(written: &Written) -> String {
    let pairs: Vec<(u8, usize)> =
        written.parts.iter().map(|part| (u8::from(part.stderr), part.bytes.0.len())).collect();
    serde_json::to_string(&pairs).unwrap_or_default()
}

/// All bytes in their order.
pub fn bytes(written: &Written) -> Vec<u8> {
    written.parts.iter().flat_map(|part| &part.bytes.0).copied().collect()
}

/// One output as it is kept.
pub struct OutputColumns {
    pub session: SessionId,
    pub at: i64,
    pub first: i64,
    pub over: i64,
    pub stretches: String,
    pub bytes: Vec<u8>,
}

impl OutputColumns {
    /// As it was written. What cannot be understood was written by no version of ours, and is left out.
    pub fn written(self) -> Written {
        let pairs: Vec<(u8, usize)> = serde_json::from_str(&self.stretches).unwrap_or_default();
        let mut rest = &self.bytes[..];
        let mut parts = Vec::with_capacity(pairs.len());
        for (which, length) in pairs {
            let (own, behind) = rest.split_at(length.min(rest.len()));
            parts.push(Part { stderr: which == 1, bytes: Raw(own.to_vec()) });
            rest = behind;
        }
        Written {
            session: self.session,
            at: Wall(self.at),
            begin: self.first.cast_unsigned(),
            over: self.over != 0,
            parts,
        }
    }
}
