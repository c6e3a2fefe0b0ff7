//! Each row of the history as a statement and its values.
//!
//! Every statement can be run again without harm, because a commit whose outcome is unknown (the
//! connection was lost in the middle of it) is repeated.

use std::os::unix::ffi::OsStrExt;
use std::sync::LazyLock;

use tokio_postgres::types::ToSql;

use super::{chains, output};
use crate::ledger::audit::AuditRow;
use crate::ledger::row::{EVENT_VERSION, Row, SampleRow, SessionClose, SessionEvent};
use crate::ledger::session::Session;
use crate::store::columns::{self, context_json, millis, signed};
use crate::store::life::Life;
use crate::tokens::{Cost, FileProgress, Usage};
use crate::units::{SessionId, Wall};

/// A value of a statement.
pub type Value = Box<dyn ToSql + Sync + Send>;

/// Whose rows are written, and when.
#[derive(Clone, Debug)]
pub struct Stamp {
    life: String,
    instance: String,
    at: Wall,
}

impl Stamp {
    /// Of a life, at a time by our clock.
    pub fn new(life: &Life, at: Wall) -> Self {
        Self { life: life.id.to_string(), instance: life.instance.clone(), at }
    }

    /// The same for all lives with one state folder.
    pub fn instance(&self) -> String {
        self.instance.clone()
    }

    /// The life that writes.
    pub fn life(&self) -> Value {
        Box::new(self.life.clone())
    }
}

/// What one row asks of the database.
pub struct Write {
    /// The statement.
    pub statement: &'static str,
    /// Its values.
    pub values: Vec<Value>,
}

macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as Value),*] };
}

/// What a row asks of the database; nothing where it has no number here, and whoever has one for it
/// makes an event of it.
pub fn write(row: &Row, stamp: &Stamp) -> Option<Write> {
    Some(match row {
        Row::Unheard(_) => return None,
        Row::Event(event) => append(event, &event.detail),
        Row::Session(session) => project(session, stamp),
        Row::Close(close) => closed(close),
        Row::Sample(sample) => sampled(sample),
        Row::Usage { session, process, usage } => counted(*session, process, usage, stamp),
        Row::Progress(progress) => advance(progress, stamp),
        Row::Seen(key) => Write {
            statement: "INSERT INTO seen_responses (instance, key, stored_ms) VALUES ($1, $2, $3) \
                        ON CONFLICT DO NOTHING",
            values: values![stamp.instance.clone(), key.0.cast_signed(), stamp.at.0],
        },
        Row::Audit(row) => audited(row, stamp),
        Row::Link { agent, link } => chains::put_link(agent, link, stamp),
        Row::Interaction(interaction) => chains::put_interaction(interaction, stamp),
        Row::ChainReset(agent) => chains::reset(agent, stamp),
        Row::Output(written) => output::put(written, stamp),
    })
}

/// Text as the database takes it: it knows no NUL character.
pub fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A line of the audit trail; one that is there already is passed over.
fn audited(row: &AuditRow, stamp: &Stamp) -> Write {
    let text_of = |one: &Option<String>| one.as_deref().map(text);
    Write {
        statement: "INSERT INTO audit (id, supervisor, at_ms, action, target, said, outcome, reason, \
                    role, token, remote, uid, pid, name, session_id) VALUES ($1, $2, $3, $4, $5, $6, \
                    $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING",
        values: values![
            row.id.to_string(),
            stamp.life.clone(),
            row.at.0,
            text(&row.action),
            text(&row.target),
            text(&row.said),
            i64::from(row.outcome),
            text_of(&row.reason),
            text(&row.role),
            text_of(&row.token),
            text_of(&row.remote),
            row.uid.map(i64::from),
            row.pid.map(i64::from),
            text_of(&row.name),
            row.session.map(|id| id.to_string()),
        ],
    }
}

/// A new line of a session's history. JSON has no NUL character either, except escaped, and the type `json` keeps that as it is.
pub fn append(event: &SessionEvent, detail: &serde_json::Value) -> Write {
    Write {
        statement: "INSERT INTO session_events (session_id, sequence, at_ms, event_type, \
                    previous_state, new_state, cause, detail, subtype, source, version) \
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::json, $9, $10, $11)",
        values: values![
            event.session.to_string(),
            signed(event.sequence),
            event.at.0,
            event.event_type.clone(),
            event.previous_state.clone(),
            event.new_state.clone(),
            text(&event.trigger),
            detail.to_string(),
            event.subtype.clone(),
            event.source.as_str(),
            i64::from(EVENT_VERSION),
        ],
    }
}

/// The columns of a session, in the order of their values.
const SESSION: [&str; 35] = [
    "id",
    "supervisor",
    "kind",
    "parent",
    "process",
    "agent",
    "native_id",
    "state",
    "started_ms",
    "last_activity_ms",
    "pid",
    "start_ticks",
    "user_name",
    "project",
    "total",
    "context",
    "events",
    "peak_memory_bytes",
    "mean_memory_bytes",
    "memory_samples",
    "cpu_seconds",
    "tokens_input",
    "tokens_output",
    "tokens_cache_read",
    "tokens_cache_write_5m",
    "tokens_cache_write_1h",
    "tokens_cache_write",
    "cost_nanodollars",
    "unpriced_tokens",
    "ended_ms",
    "duration_ms",
    "exit_status",
    "exit_code",
    "exit_signal",
    "reason",
];

/// What a later projection replaces; the rest never changes, or only as below.
const REPLACED: [&str; 4] = ["state", "ended_ms", "duration_ms", "reason"];

/// What a later projection that does not know it leaves as it is.
const KEPT: [&str; 15] = [
    "parent",
    "agent",
    "native_id",
    "pid",
    "start_ticks",
    "user_name",
    "project",
    "total",
    "context",
    "peak_memory_bytes",
    "mean_memory_bytes",
    "cpu_seconds",
    "exit_status",
    "exit_code",
    "exit_signal",
];

/// What only grows.
const GROWING: [&str; 11] = [
    "last_activity_ms",
    "events",
    "memory_samples",
    "tokens_input",
    "tokens_output",
    "tokens_cache_read",
    "tokens_cache_write_5m",
    "tokens_cache_write_1h",
    "tokens_cache_write",
    "cost_nanodollars",
    "unpriced_tokens",
];

/// Replaces what is known of a session, without losing what is known: a later life closes a
/// session of which it knows little, so what it leaves open keeps its value and figures that only
/// grow never shrink. An end is never taken back.
static PROJECT: LazyLock<String> = LazyLock::new(|| {
    let places = SESSION.iter().enumerate().map(|(at, column)| match *column {
        "context" => format!("${}::text::json", at + 1),
        _ => format!("${}", at + 1),
    });
    let replaced = REPLACED.iter().map(|column| format!("{column} = excluded.{column}"));
    let kept = KEPT
        .iter()
        .map(|column| format!("{column} = coalesce(excluded.{column}, sessions.{column})"));
    let growing = GROWING
        .iter()
        .map(|column| format!("{column} = greatest(excluded.{column}, sessions.{column})"));
    format!(
        "INSERT INTO sessions ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {} \
         WHERE sessions.ended_ms IS NULL OR excluded.ended_ms IS NOT NULL",
        SESSION.join(", "),
        places.collect::<Vec<_>>().join(", "),
        replaced.chain(kept).chain(growing).collect::<Vec<_>>().join(", "),
    )
});

fn project(session: &Session, stamp: &Stamp) -> Write {
    let figures = &session.figures;
    let tokens = &figures.tokens;
    let end = session.end.as_ref();
    let (exit_status, exit_code, exit_signal) = columns::exit(end.and_then(|end| end.status));
    let context = session.context.as_deref();
    Write {
        statement: &PROJECT,
        values: values![
            session.id.to_string(),
            stamp.life.clone(),
            session.kind.as_str(),
            session.parent.map(|parent| parent.to_string()),
            text(&session.process),
            session.agent.as_deref().map(text),
            session.native_id.as_deref().map(text),
            session.state.as_str(),
            session.started.0,
            session.last_activity.0,
            session.main.map(|main| i64::from(main.pid)),
            session.main.map(|main| signed(main.start_ticks)),
            session.user().map(text),
            session.project().as_deref().map(text),
            columns::total(session),
            context.and_then(context_json),
            signed(session.events),
            figures.peak_memory.map(|bytes| signed(bytes.0)),
            figures.mean_memory.map(|bytes| signed(bytes.0)),
            signed(figures.samples),
            figures.cpu_seconds,
            signed(tokens.input),
            signed(tokens.output),
            signed(tokens.cache_read),
            signed(tokens.cache_write_5m),
            signed(tokens.cache_write_1h),
            signed(tokens.cache_write),
            figures.cost.0,
            signed(figures.unpriced_tokens),
            end.map(|end| end.at.0),
            end.map(|end| millis(end.duration)),
            exit_status,
            exit_code,
            exit_signal,
            end.map(|end| text(&end.reason)),
        ],
    }
}

/// Ends a session of an earlier life. One that ended already keeps its end.
fn closed(close: &SessionClose) -> Write {
    let (exit_status, exit_code, exit_signal) = columns::exit(close.end.status);
    Write {
        // One that ended already keeps its end; it may have more events.
        statement: "UPDATE sessions SET events = greatest(events, $3), \
                    state = CASE WHEN ended_ms IS NULL THEN $2 ELSE state END, \
                    ended_ms = coalesce(ended_ms, $4), \
                    duration_ms = CASE WHEN ended_ms IS NULL THEN $5 ELSE duration_ms END, \
                    exit_status = CASE WHEN ended_ms IS NULL THEN $6 ELSE exit_status END, \
                    exit_code = CASE WHEN ended_ms IS NULL THEN $7 ELSE exit_code END, \
                    exit_signal = CASE WHEN ended_ms IS NULL THEN $8 ELSE exit_signal END, \
                    reason = CASE WHEN ended_ms IS NULL THEN $9 ELSE reason END WHERE id = $1",
        values: values![
            close.session.to_string(),
            close.state.as_str(),
            signed(close.events),
            close.end.at.0,
            millis(close.end.duration),
            exit_status,
            exit_code,
            exit_signal,
            text(&close.end.reason),
        ],
    }
}

fn sampled(sample: &SampleRow) -> Write {
    Write {
        statement: "INSERT INTO memory_samples (session_id, at_ms, label, resident_bytes, \
                    anonymous_bytes, processes) VALUES ($1, $2, $3, $4, $5, $6) \
                    ON CONFLICT DO NOTHING",
        values: values![
            sample.session.to_string(),
            sample.at.0,
            sample.label.clone(),
            signed(sample.resident.0),
            signed(sample.anonymous.0),
            i64::from(sample.processes),
        ],
    }
}

fn counted(session: Option<SessionId>, process: &str, usage: &Usage, stamp: &Stamp) -> Write {
    let cost = match usage.cost {
        Cost::Priced(money) => Some(money.0),
        Cost::Unpriced | Cost::Estimated(_) => None,
    };
    Write {
        statement: "INSERT INTO token_usage (key, supervisor, session_id, process, agent, provider, \
                    model, conversation, at_ms, tokens_input, tokens_output, tokens_cache_read, \
                    tokens_cache_write_5m, tokens_cache_write_1h, tokens_cache_write, reasoning, \
                    cost_nanodollars, stored_ms, source, withheld) VALUES ($1, $2, $3, $4, $5, \
                    $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20) \
                    ON CONFLICT DO NOTHING",
        values: values![
            usage.key.0.cast_signed(),
            stamp.life.clone(),
            session.map(|session| session.to_string()),
            text(process),
            text(&usage.agent),
            text(&usage.provider),
            text(&usage.model),
            text(&usage.conversation),
            usage.at.0,
            signed(usage.tokens.input),
            signed(usage.tokens.output),
            signed(usage.tokens.cache_read),
            signed(usage.tokens.cache_write_5m),
            signed(usage.tokens.cache_write_1h),
            signed(usage.tokens.cache_write),
            signed(usage.reasoning),
            cost,
            stamp.at.0,
            text(usage.source.as_str()),
            signed(usage.withheld),
        ],
    }
}

fn advance(progress: &FileProgress, stamp: &Stamp) -> Write {
    Write {
        statement: "INSERT INTO file_progress (instance, device, inode, path, read_offset, \
                    stored_ms) VALUES ($1, $2, $3, $4, $5, $6) \
                    ON CONFLICT (instance, device, inode) DO UPDATE SET path = excluded.path, \
                    read_offset = excluded.read_offset, stored_ms = excluded.stored_ms",
        values: values![
            stamp.instance.clone(),
            progress.device.cast_signed(),
            progress.inode.cast_signed(),
            progress.path.as_os_str().as_bytes().to_vec(),
            signed(progress.offset),
            stamp.at.0,
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_of_a_session_is_told_how_to_change() {
        let changing = REPLACED.iter().chain(&KEPT).chain(&GROWING);
        let mut told: Vec<&str> = changing.copied().collect();
        told.extend(["id", "supervisor", "kind", "process", "started_ms"]);
        told.sort_unstable();
        let mut all = SESSION.to_vec();
        all.sort_unstable();
        assert_eq!(told, all);
    }
}
