//! What both databases keep in the same way: values as columns, for which neither has a type.

use std::time::Duration;

use crate::context::Context;
use crate::ledger::session::{Session, Totals};
use crate::units::ExitStatus;

/// The three columns that tell a code, a signal, an unknown status and none at all apart.
pub fn exit(status: Option<ExitStatus>) -> (Option<&'static str>, Option<i64>, Option<i64>) {
    match status {
        Some(ExitStatus::Code(code)) => (Some("code"), Some(code.into()), None),
        Some(ExitStatus::Signal(signal)) => (Some("signal"), None, Some(signal.0.into())),
        Some(ExitStatus::Unknown) => (Some("unknown"), None, None),
        None => (None, None, None),
    }
}

/// A context as it is kept.
pub fn context_json(context: &Context) -> Option<String> {
    serde_json::to_string(context).ok()
}

/// What a session used with all below it, as JSON; nothing where that is what it used itself.
pub fn total(session: &Session) -> Option<String> {
    let Totals { cpu_seconds, tokens, cost, unpriced_tokens } = &session.total;
    let own = &session.figures;
    let same = (cpu_seconds, tokens, cost, unpriced_tokens)
        == (&own.cpu_seconds, &own.tokens, &own.cost, &own.unpriced_tokens);
    let counts = [
        tokens.input,
        tokens.output,
        tokens.cache_read,
        tokens.cache_write_5m,
        tokens.cache_write_1h,
        tokens.cache_write,
        *unpriced_tokens,
    ];
    let text = || serde_json::to_string(&(cpu_seconds, counts, cost.0)).ok();
    (!same).then(text).flatten()
}

/// Milliseconds; what is too long for them is pinned.
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A count as the databases keep it. Counts stay far below the limit; one that does not is pinned
/// there.
pub fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
