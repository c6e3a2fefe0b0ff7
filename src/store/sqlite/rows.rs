//! Each row of the history as a statement.
//!
//! Every statement can be run again without harm, because a commit whose outcome is unknown (the
//! disk failed in the middle of it) is repeated. Nothing here begins or ends a transaction.

use std::os::unix::ffi::OsStrExt;

use rusqlite::{Connection, OptionalExtension, named_params, params};

use super::fault::Fault;
use super::{chains, output};
use crate::ledger::audit::AuditRow;
use crate::ledger::row::{EVENT_VERSION, Row, SampleRow, SessionClose, SessionEvent};
use crate::ledger::session::Session;
use crate::store::columns::{self, context_json, millis, signed};
use crate::store::life::Life;
use crate::store::spool::{EVENTS_LOST, lost_detail};
use crate::tokens::{Cost, FileProgress, Usage, UsageKey};
use crate::units::{SessionId, Wall};

/// Whose rows are written, and when.
#[derive(Clone, Copy)]
pub struct Stamp<'a> {
    /// The life that writes, as it is kept; absent where nobody said whose.
    pub life: Option<&'a str>,
    /// When, by our clock.
    pub at: Wall,
}

/// Writes one row inside the transaction that is open.
pub fn write(db: &Connection, row: &Row, stamp: Stamp<'_>) -> Result<(), Fault> {
    let stored = stamp.at;
    match row {
        Row::Event(event) => append(db, event),
        // It has no number here; whoever has one for it makes an event of it.
        Row::Unheard(_) => Ok(()),
        Row::Session(session) => Ok(project(db, session, stamp.life)?),
        Row::Close(close) => Ok(closed(db, close)?),
        Row::Sample(sample) => Ok(sampled(db, sample)?),
        Row::Usage { session, process, usage } => Ok(counted(db, *session, process, usage, stamp)?),
        Row::Progress(progress) => Ok(advance(db, progress, stored)?),
        Row::Seen(key) => Ok(seen(db, *key, stored)?),
        Row::Audit(row) => Ok(audited(db, row)?),
        Row::Link { agent, link } => Ok(chains::put_link(db, agent, link)?),
        Row::Interaction(interaction) => Ok(chains::put_interaction(db, interaction)?),
        Row::ChainReset(agent) => Ok(chains::reset(db, agent)?),
        Row::Output(written) => Ok(output::put(db, written)?),
    }
}

/// Adds a line to the audit trail; one that is there already is passed over.
fn audited(db: &Connection, row: &AuditRow) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO audit (id, at_ms, action, target, said, outcome, reason, role, token, remote, \
         uid, pid, name, session_id) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        row.id.to_string(),
        row.at.0,
        row.action,
        row.target,
        row.said,
        row.outcome,
        row.reason,
        row.role,
        row.token,
        row.remote,
        row.uid,
        row.pid,
        row.name,
        row.session.map(|id| id.to_string()),
    ])?;
    Ok(())
}

/// Appends to a session's history. A line that is there already is passed over; one that would
/// leave a gap which nothing tells of, or that differs from the line in its place, is refused.
fn append(db: &Connection, event: &SessionEvent) -> Result<(), Fault> {
    let id = event.session.to_string();
    let next = next_sequence(db, &id)?;
    let tells_of_lost = event.event_type == EVENTS_LOST;
    if event.sequence > next && !tells_of_lost {
        return Err(Fault::Contradiction(format!(
            "event {} of session {id} would leave a gap, since event {next} is not there",
            event.sequence
        )));
    }
    if event.sequence < next {
        return same_event(db, &id, event);
    }
    let detail = if tells_of_lost { &lost_detail(next, event.sequence) } else { &event.detail };
    db.prepare_cached(
        "INSERT INTO session_events (session_id, sequence, at_ms, event_type, previous_state, \
         new_state, cause, detail, subtype, source, version) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        id,
        signed(event.sequence),
        event.at.0,
        event.event_type,
        event.previous_state,
        event.new_state,
        event.trigger,
        detail.to_string(),
        event.subtype,
        event.source.as_str(),
        EVENT_VERSION,
    ])?;
    Ok(())
}

fn next_sequence(db: &Connection, id: &str) -> rusqlite::Result<u64> {
    let last: Option<i64> = db
        .prepare_cached("SELECT max(sequence) FROM session_events WHERE session_id = ?1")?
        .query_row([id], |row| row.get(0))?;
    Ok(last.map_or(0, |last| last.cast_unsigned() + 1))
}

fn same_event(db: &Connection, id: &str, event: &SessionEvent) -> Result<(), Fault> {
    let kept: Option<(i64, String)> = db
        .prepare_cached(
            "SELECT at_ms, event_type FROM session_events WHERE session_id = ?1 AND sequence = ?2",
        )?
        .query_row(params![id, signed(event.sequence)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match kept {
        Some((at, kind)) if at == event.at.0 && kind == event.event_type => Ok(()),
        _ => Err(Fault::Contradiction(format!(
            "event {} of session {id} is there already and says something else",
            event.sequence
        ))),
    }
}

/// Replaces what is known of a session, without losing what is known: a later life closes a
/// session of which it knows little, so what it leaves open keeps its value and figures that only
/// grow never shrink. An end is never taken back.
const PROJECT: &str = "\
INSERT INTO sessions \
  (id, kind, parent, process, agent, native_id, state, started_ms, last_activity_ms, pid, \
  start_ticks, context, events, peak_memory_bytes, mean_memory_bytes, memory_samples, \
  cpu_seconds, tokens_input, tokens_output, tokens_cache_read, tokens_cache_write_5m, \
  tokens_cache_write_1h, tokens_cache_write, cost_nanodollars, unpriced_tokens, ended_ms, \
  duration_ms, exit_status, exit_code, exit_signal, reason, supervisor, user_name, project, total) \
VALUES \
  (:id, :kind, :parent, :process, :agent, :native_id, :state, :started_ms, :last_activity_ms, \
  :pid, :start_ticks, :context, :events, :peak_memory_bytes, :mean_memory_bytes, \
  :memory_samples, :cpu_seconds, :tokens_input, :tokens_output, :tokens_cache_read, \
  :tokens_cache_write_5m, :tokens_cache_write_1h, :tokens_cache_write, :cost_nanodollars, \
  :unpriced_tokens, :ended_ms, :duration_ms, :exit_status, :exit_code, :exit_signal, :reason, \
  :supervisor, :user_name, :project, :total) \
ON CONFLICT (id) DO UPDATE SET \
  parent = coalesce(excluded.parent, sessions.parent), \
  agent = coalesce(excluded.agent, sessions.agent), \
  native_id = coalesce(excluded.native_id, sessions.native_id), \
  state = excluded.state, \
  last_activity_ms = max(excluded.last_activity_ms, sessions.last_activity_ms), \
  pid = coalesce(excluded.pid, sessions.pid), \
  start_ticks = coalesce(excluded.start_ticks, sessions.start_ticks), \
  context = coalesce(excluded.context, sessions.context), \
  user_name = coalesce(excluded.user_name, sessions.user_name), \
  project = coalesce(excluded.project, sessions.project), \
  total = coalesce(excluded.total, sessions.total), \
  events = max(excluded.events, sessions.events), \
  peak_memory_bytes = coalesce(excluded.peak_memory_bytes, sessions.peak_memory_bytes), \
  mean_memory_bytes = coalesce(excluded.mean_memory_bytes, sessions.mean_memory_bytes), \
  memory_samples = max(excluded.memory_samples, sessions.memory_samples), \
  cpu_seconds = coalesce(excluded.cpu_seconds, sessions.cpu_seconds), \
  tokens_input = max(excluded.tokens_input, sessions.tokens_input), \
  tokens_output = max(excluded.tokens_output, sessions.tokens_output), \
  tokens_cache_read = max(excluded.tokens_cache_read, sessions.tokens_cache_read), \
  tokens_cache_write_5m = max(excluded.tokens_cache_write_5m, sessions.tokens_cache_write_5m), \
  tokens_cache_write_1h = max(excluded.tokens_cache_write_1h, sessions.tokens_cache_write_1h), \
  tokens_cache_write = max(excluded.tokens_cache_write, sessions.tokens_cache_write), \
  cost_nanodollars = max(excluded.cost_nanodollars, sessions.cost_nanodollars), \
  unpriced_tokens = max(excluded.unpriced_tokens, sessions.unpriced_tokens), \
  ended_ms = excluded.ended_ms, \
  duration_ms = excluded.duration_ms, \
  exit_status = coalesce(excluded.exit_status, sessions.exit_status), \
  exit_code = coalesce(excluded.exit_code, sessions.exit_code), \
  exit_signal = coalesce(excluded.exit_signal, sessions.exit_signal), \
  reason = excluded.reason \
WHERE sessions.ended_ms IS NULL OR excluded.ended_ms IS NOT NULL";

fn project(db: &Connection, session: &Session, life: Option<&str>) -> rusqlite::Result<()> {
    let figures = &session.figures;
    let tokens = &figures.tokens;
    let end = session.end.as_ref();
    let (exit_status, exit_code, exit_signal) = columns::exit(end.and_then(|end| end.status));
    db.prepare_cached(PROJECT)?.execute(named_params! {
        ":id": session.id.to_string(),
        ":kind": session.kind.as_str(),
        ":parent": session.parent.map(|parent| parent.to_string()),
        ":process": session.process,
        ":agent": session.agent,
        ":native_id": session.native_id,
        ":state": session.state.as_str(),
        ":started_ms": session.started.0,
        ":last_activity_ms": session.last_activity.0,
        ":pid": session.main.map(|main| main.pid),
        ":start_ticks": session.main.map(|main| signed(main.start_ticks)),
        ":context": session.context.as_deref().and_then(context_json),
        ":events": signed(session.events),
        ":peak_memory_bytes": figures.peak_memory.map(|bytes| signed(bytes.0)),
        ":mean_memory_bytes": figures.mean_memory.map(|bytes| signed(bytes.0)),
        ":memory_samples": signed(figures.samples),
        ":cpu_seconds": figures.cpu_seconds,
        ":tokens_input": signed(tokens.input),
        ":tokens_output": signed(tokens.output),
        ":tokens_cache_read": signed(tokens.cache_read),
        ":tokens_cache_write_5m": signed(tokens.cache_write_5m),
        ":tokens_cache_write_1h": signed(tokens.cache_write_1h),
        ":tokens_cache_write": signed(tokens.cache_write),
        ":cost_nanodollars": figures.cost.0,
        ":unpriced_tokens": signed(figures.unpriced_tokens),
        ":ended_ms": end.map(|end| end.at.0),
        ":duration_ms": end.map(|end| millis(end.duration)),
        ":exit_status": exit_status,
        ":exit_code": exit_code,
        ":exit_signal": exit_signal,
        ":reason": end.map(|end| end.reason.as_str()),
        ":supervisor": life,
        ":user_name": session.user(),
        ":project": session.project(),
        ":total": columns::total(session),
    })?;
    Ok(())
}

/// Ends a session of an earlier life. One that ended already keeps its end; it may have more events.
fn closed(db: &Connection, close: &SessionClose) -> rusqlite::Result<()> {
    let (exit_status, exit_code, exit_signal) = columns::exit(close.end.status);
    db.prepare_cached(
        "UPDATE sessions SET events = max(events, :events) \
         WHERE id = :id AND ended_ms IS NOT NULL",
    )?
    .execute(named_params! { ":id": close.session.to_string(), ":events": signed(close.events) })?;
    db.prepare_cached(
        "UPDATE sessions SET state = :state, events = :events, ended_ms = :ended_ms, \
         duration_ms = :duration_ms, exit_status = :exit_status, exit_code = :exit_code, \
         exit_signal = :exit_signal, reason = :reason WHERE id = :id AND ended_ms IS NULL",
    )?
    .execute(named_params! {
        ":id": close.session.to_string(),
        ":state": close.state.as_str(),
        ":events": signed(close.events),
        ":ended_ms": close.end.at.0,
        ":duration_ms": millis(close.end.duration),
        ":exit_status": exit_status,
        ":exit_code": exit_code,
        ":exit_signal": exit_signal,
        ":reason": close.end.reason,
    })?;
    Ok(())
}

fn sampled(db: &Connection, sample: &SampleRow) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO memory_samples (session_id, at_ms, label, resident_bytes, anonymous_bytes, \
         processes) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        sample.session.to_string(),
        sample.at.0,
        sample.label,
        signed(sample.resident.0),
        signed(sample.anonymous.0),
        sample.processes,
    ])?;
    Ok(())
}

fn counted(
    db: &Connection,
    session: Option<SessionId>,
    process: &str,
    usage: &Usage,
    stamp: Stamp<'_>,
) -> rusqlite::Result<()> {
    let cost = match usage.cost {
        Cost::Priced(money) => Some(money.0),
        Cost::Unpriced | Cost::Estimated(_) => None,
    };
    db.prepare_cached(
        "INSERT INTO token_usage (key, session_id, process, agent, provider, model, \
         conversation, at_ms, tokens_input, tokens_output, tokens_cache_read, \
         tokens_cache_write_5m, tokens_cache_write_1h, tokens_cache_write, reasoning, \
         cost_nanodollars, stored_ms, supervisor, source, withheld) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, \
         ?19, ?20) \
         ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        usage.key.0.cast_signed(),
        session.map(|session| session.to_string()),
        process,
        usage.agent,
        usage.provider,
        usage.model,
        usage.conversation,
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
        stamp.life,
        usage.source.as_str(),
        signed(usage.withheld),
    ])?;
    Ok(())
}

fn advance(db: &Connection, progress: &FileProgress, stored: Wall) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO file_progress (device, inode, path, read_offset, stored_ms) \
         VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (device, inode) DO UPDATE SET \
         path = excluded.path, read_offset = excluded.read_offset, stored_ms = excluded.stored_ms",
    )?
    .execute(params![
        progress.device.cast_signed(),
        progress.inode.cast_signed(),
        progress.path.as_os_str().as_bytes(),
        signed(progress.offset),
        stored.0,
    ])?;
    Ok(())
}

fn seen(db: &Connection, key: UsageKey, stored: Wall) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO seen_responses (key, stored_ms) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
    )?
    .execute(params![key.0.cast_signed(), stored.0])?;
    Ok(())
}

/// Says once whose rows those of this life are.
pub fn introduce(db: &Connection, life: &Life) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO supervisors (life, instance, host, boot_id, pid_namespace, pid, start_ticks, \
         began_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING",
    )?
    .execute(params![
        life.id.to_string(),
        life.instance,
        life.host,
        life.owner.boot_id,
        life.owner.pid_namespace,
        life.owner.supervisor.pid,
        signed(life.owner.supervisor.start_ticks),
        life.began.0,
    ])?;
    Ok(())
}
