//! What is kept, as it comes back out: rows of whichever database, understood in one way.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::compare::AT_ONCE;
use super::{Answer, Forgotten, Page, Question, chains, output, statistics};
use crate::ledger::audit::AuditRow;
use crate::ledger::session::{Figures, Session, SessionEnd, SessionKind, SessionState, Totals};
use crate::tokens::TokenCounts;
use crate::units::{Bytes, ExitStatus, Money, ProcId, SessionId, Signal, Wall};

/// A row that a statement found, by the numbers of its columns.
pub trait Columns {
    /// Why a column cannot be read.
    type Fault;

    /// Text, if it is not NULL.
    fn text(&self, at: usize) -> Result<Option<String>, Self::Fault>;

    /// A whole number, if it is not NULL.
    fn number(&self, at: usize) -> Result<Option<i64>, Self::Fault>;

    /// Bytes, if they are not NULL.
    fn bytes(&self, at: usize) -> Result<Option<Vec<u8>>, Self::Fault>;

    /// A number, if it is not NULL.
    fn real(&self, at: usize) -> Result<Option<f64>, Self::Fault>;
}

/// A line of a session's history, as it was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptEvent {
    /// Whose history.
    pub session: String,
    /// Its number.
    pub sequence: u64,
    /// When.
    pub at: Wall,
    /// What.
    pub event_type: String,
    /// Which kind of it.
    pub subtype: Option<String>,
    /// The state that it left, where it changed.
    pub previous_state: Option<String>,
    /// The state that it is in from then on.
    pub new_state: Option<String>,
    /// What caused it.
    pub trigger: String,
    /// Everything else.
    pub context: Value,
    /// Whose observation it was.
    pub source: String,
    /// The version of its shape.
    pub version: u64,
}

/// The columns of a session, in the order in which they are read here.
pub const SESSION: &str = "id, kind, parent, process, agent, native_id, state, started_ms, \
    last_activity_ms, pid, start_ticks, CAST(context AS TEXT), events, peak_memory_bytes, \
    mean_memory_bytes, memory_samples, cpu_seconds, tokens_input, tokens_output, \
    tokens_cache_read, tokens_cache_write_5m, tokens_cache_write_1h, tokens_cache_write, \
    cost_nanodollars, unpriced_tokens, ended_ms, duration_ms, exit_status, exit_code, \
    exit_signal, reason, total";

/// The columns of an event, in the order in which they are read here.
pub const EVENT: &str = "session_id, sequence, at_ms, event_type, subtype, previous_state, \
    new_state, cause, CAST(detail AS TEXT), source, version";

/// The columns of a line of the audit trail, in the order in which they are read here.
pub const AUDIT: &str = "id, at_ms, action, target, said, outcome, reason, role, token, remote, uid, \
    pid, name, session_id";

/// What the rows of a question's statement say.
pub fn answer<C: Columns>(question: &Question, rows: &[C]) -> Result<Answer, C::Fault> {
    Ok(match question {
        Question::Sessions(wanted) => Answer::Sessions(page(rows, wanted.limit, session)?),
        Question::Session(_) => {
            let found = rows.first().map(session).transpose()?.flatten();
            Answer::Session(found.map(Box::new))
        }
        Question::Events { limit, .. } => {
            Answer::Events(page(rows, *limit, |row| event(row).map(Some))?)
        }
        Question::Conversations(wanted) => chains::answer(rows, wanted.limit)?,
        Question::Interactions(wanted) => chains::said_answer(rows, wanted.limit)?,
        Question::Output(_) => output::answer(rows)?,
        Question::Statistics { .. } => Answer::Statistics(statistics::groups(rows)?),
        Question::Compare { .. } => Answer::Sessions(page(rows, AT_ONCE, session)?),
        Question::Children { limit, .. } | Question::Descendants { limit, .. } => {
            Answer::Sessions(page(rows, *limit, session)?)
        }
        Question::Audit(wanted) => Answer::Audit(page(rows, wanted.limit, audited)?),
        // Each store forgets in its own way.
        Question::Forget { .. } => Answer::Forgotten(Forgotten::default()),
    })
}

/// One row more than may be told was asked for, to know whether there are more. What no version of
/// ours has written is left out.
pub fn page<C: Columns, T>(
    rows: &[C],
    limit: u32,
    read: impl Fn(&C) -> Result<Option<T>, C::Fault>,
) -> Result<Page<T>, C::Fault> {
    let limit = limit as usize;
    let items: Result<Vec<Option<T>>, _> = rows.iter().take(limit).map(read).collect();
    Ok(Page { items: items?.into_iter().flatten().collect(), more: rows.len() > limit })
}

fn session<C: Columns>(row: &C) -> Result<Option<Session>, C::Fault> {
    let text = |at| Ok(row.text(at)?.unwrap_or_default());
    let known = (
        SessionId::parse(&text(0)?),
        SessionKind::parse(&text(1)?),
        SessionState::parse(&text(6)?),
    );
    let (Some(id), Some(kind), Some(state)) = known else { return Ok(None) };
    let wall = |at| Ok(Wall(row.number(at)?.unwrap_or_default()));
    let context = row.text(11)?.and_then(|text| serde_json::from_str(&text).ok());
    let figures = figures(row)?;
    Ok(Some(Session {
        id,
        kind,
        parent: row.text(2)?.and_then(|parent| SessionId::parse(&parent)),
        process: text(3)?,
        agent: row.text(4)?,
        native_id: row.text(5)?,
        state,
        started: wall(7)?,
        last_activity: wall(8)?,
        main: main(row)?,
        context: context.map(Arc::new),
        events: count(row, 12)?,
        total: totals(row.text(31)?.as_deref(), &figures),
        figures,
        end: end(row)?,
    }))
}

fn main<C: Columns>(row: &C) -> Result<Option<ProcId>, C::Fault> {
    let pid = row.number(9)?.and_then(|pid| i32::try_from(pid).ok());
    let ticks = row.number(10)?.map(i64::cast_unsigned);
    Ok(pid.zip(ticks).map(|(pid, start_ticks)| ProcId { pid, start_ticks }))
}

fn figures<C: Columns>(row: &C) -> Result<Figures, C::Fault> {
    Ok(Figures {
        peak_memory: row.number(13)?.map(|bytes| Bytes(bytes.cast_unsigned())),
        mean_memory: row.number(14)?.map(|bytes| Bytes(bytes.cast_unsigned())),
        samples: count(row, 15)?,
        cpu_seconds: row.real(16)?,
        tokens: TokenCounts {
            input: count(row, 17)?,
            output: count(row, 18)?,
            cache_read: count(row, 19)?,
            cache_write_5m: count(row, 20)?,
            cache_write_1h: count(row, 21)?,
            cache_write: count(row, 22)?,
        },
        cost: Money(row.number(23)?.unwrap_or_default()),
        unpriced_tokens: count(row, 24)?,
    })
}

/// What `columns::total` wrote; where it wrote nothing, what the session used itself.
fn totals(text: Option<&str>, own: &Figures) -> Totals {
    let numbers =
        text.and_then(|text| serde_json::from_str::<(Option<f64>, [u64; 7], i64)>(text).ok());
    match numbers {
        Some((cpu_seconds, counts, cost)) => {
            let [input, output, cache_read, write_5m, write_1h, cache_write, unpriced_tokens] =
                counts;
            let (cache_write_5m, cache_write_1h) = (write_5m, write_1h);
            let tokens = TokenCounts {
                input,
                output,
                cache_read,
                cache_write_5m,
                cache_write_1h,
                cache_write,
            };
            Totals { cpu_seconds, tokens, cost: Money(cost), unpriced_tokens }
        }
        None => Totals {
            cpu_seconds: own.cpu_seconds,
            tokens: own.tokens,
            cost: own.cost,
            unpriced_tokens: own.unpriced_tokens,
        },
    }
}

fn end<C: Columns>(row: &C) -> Result<Option<SessionEnd>, C::Fault> {
    let Some(at) = row.number(25)?.map(Wall) else { return Ok(None) };
    let status = match row.text(27)?.as_deref() {
        Some("code") => {
            let code = row.number(28)?.unwrap_or_default();
            Some(ExitStatus::Code(u8::try_from(code).unwrap_or(u8::MAX)))
        }
        Some("signal") => {
            let signal = row.number(29)?.unwrap_or_default();
            Some(ExitStatus::Signal(Signal(i32::try_from(signal).unwrap_or_default())))
        }
        Some(_) => Some(ExitStatus::Unknown),
        None => None,
    };
    let duration = Duration::from_millis(count(row, 26)?);
    let reason = row.text(30)?.unwrap_or_default();
    Ok(Some(SessionEnd { at, duration, status, reason }))
}

fn event<C: Columns>(row: &C) -> Result<KeptEvent, C::Fault> {
    let text = |at| Ok(row.text(at)?.unwrap_or_default());
    Ok(KeptEvent {
        session: text(0)?,
        sequence: count(row, 1)?,
        at: Wall(row.number(2)?.unwrap_or_default()),
        event_type: text(3)?,
        subtype: row.text(4)?,
        previous_state: row.text(5)?,
        new_state: row.text(6)?,
        trigger: text(7)?,
        context: serde_json::from_str(&text(8)?).unwrap_or_default(),
        source: text(9)?,
        version: count(row, 10)?,
    })
}

fn audited<C: Columns>(row: &C) -> Result<Option<AuditRow>, C::Fault> {
    let text = |at| Ok(row.text(at)?.unwrap_or_default());
    let Some(id) = SessionId::parse(&text(0)?) else { return Ok(None) };
    Ok(Some(AuditRow {
        id,
        at: Wall(row.number(1)?.unwrap_or_default()),
        action: text(2)?,
        target: text(3)?,
        said: text(4)?,
        outcome: row.number(5)?.and_then(|it| u16::try_from(it).ok()).unwrap_or_default(),
        reason: row.text(6)?,
        role: text(7)?,
        token: row.text(8)?,
        remote: row.text(9)?,
        uid: row.number(10)?.and_then(|it| u32::try_from(it).ok()),
        pid: row.number(11)?.and_then(|it| i32::try_from(it).ok()),
        name: row.text(12)?,
        session: row.text(13)?.and_then(|id| SessionId::parse(&id)),
    }))
}

fn count<C: Columns>(row: &C, at: usize) -> Result<u64, C::Fault> {
    Ok(row.number(at)?.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
}
