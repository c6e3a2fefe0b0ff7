//! Sessions as they leave us: page by page, in the form that is asked for, with nobody's name if that
//! is asked for as well.

use std::fmt::Write;
use std::sync::Arc;

use hyper::body::Bytes;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;

use super::answer::{Answer, JSON, JSON_LINES, streamed};
use super::problem::Problem;
use super::query::Query;
use super::{Desk, reading, rights};
use crate::ledger::session::Session;
use crate::ledger::written::{Part, Written};
use crate::secret::keyed::Salt;
use crate::store::reading::kept::KeptEvent;
use crate::store::reading::place::Place;
use crate::store::reading::reader::Unanswered;
use crate::store::reading::wanted::Wanted;
use crate::store::reading::{Answer as Told, Question};
use crate::units::SessionId;

/// What can be asked for.
pub(super) const PARAMETERS: [&str; 9] =
    ["format", "user", "agent", "process", "since", "until", "anonymise", "events", "output"];

const CSV: &str = "text/csv; charset=utf-8";

/// Sessions, and events of one session, that are read at once.
const PAGE: u32 = 200;

/// The columns of a table.
const COLUMNS: [&str; 16] = [
    "id",
    "kind",
    "parent",
    "process",
    "agent",
    "native_id",
    "user",
    "state",
    "started",
    "ended",
    "duration_seconds",
    "exit_code",
    "peak_memory_bytes",
    "cpu_seconds",
    "tokens",
    "cost_nano_usd",
];

/// How sessions are written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One array.
    Json,
    /// An object in each line.
    Lines,
    /// A table, as RFC 4180 has it.
    Csv,
}

/// What is asked for.
struct Asked {
    form: Form,
    wanted: Wanted,
    events: bool,
    output: bool,
    /// Where nobody's name is to be in it.
    salt: Option<Salt>,
}

/// Begins to tell all that is asked for.
pub(super) async fn answer(desk: &Arc<Desk>, query: &Query) -> Result<Answer, Problem> {
    let form = match query.one_of("format", &["json", "jsonl", "csv"])? {
        Some("json") => Form::Json,
        Some("csv") => Form::Csv,
        _ => Form::Lines,
    };
    let (events, output) = (query.is_set("events")?, query.is_set("output")?);
    if (events || output) && form == Form::Csv {
        let problem = Problem::invalid("a table has sessions only");
        return Err(problem.suggest("ask for the rest as `format=jsonl` or `format=json`"));
    }
    let anonymise = query.is_set("anonymise")?;
    if output && anonymise {
        let problem = Problem::invalid("nobody knows whose names are in what commands wrote");
        return Err(problem.suggest("ask for `output` without `anonymise`, or for one of them"));
    }
    let own = |name| query.words(name).into_iter().map(str::to_owned).collect();
    let (named, picture) = (query.words("process"), desk.picture());
    let meant = named.iter().flat_map(|name| reading::meant(name, &picture));
    let wanted = Wanted {
        users: own("user"),
        agents: own("agent"),
        processes: meant.map(str::to_owned).collect(),
        since: rights::time(query, "since")?,
        until: rights::time(query, "until")?,
        limit: PAGE,
        ..Wanted::default()
    };
    let salt = if anonymise { Some(salt(desk).await?) } else { None };
    let turn = desk.streams.clone().try_acquire_owned();
    let turn = turn.map_err(|_| Problem::busy("too many answers are streamed"))?;
    let kind = match form {
        Form::Json => JSON,
        Form::Lines => JSON_LINES,
        Form::Csv => CSV,
    };
    let (pieces, answer) = streamed(kind);
    let (desk, asked) = (Arc::clone(desk), Asked { form, wanted, events, output, salt });
    tokio::spawn(async move {
        // Who stops listening is told no more.
        let _ = tell(&desk, asked, &pieces).await;
        drop(turn);
    });
    Ok(answer)
}

/// The salt of this instance.
pub(super) async fn salt(desk: &Desk) -> Result<Salt, Problem> {
    let read = Arc::clone(&desk.sources.salt);
    tokio::task::spawn_blocking(move || read()).await.map_err(|_| Problem::no_reply())
}

/// Why no more is told.
enum Stop {
    /// Nobody listens.
    Unread,
    /// The history does not answer.
    Unanswered(Unanswered),
}

impl From<mpsc::error::SendError<Bytes>> for Stop {
    fn from(_: mpsc::error::SendError<Bytes>) -> Self {
        Self::Unread
    }
}

async fn tell(desk: &Desk, asked: Asked, pieces: &mpsc::Sender<Bytes>) -> Result<(), Stop> {
    let first = match asked.form {
        Form::Json => "[".to_owned(),
        Form::Lines => String::new(),
        Form::Csv => COLUMNS.join(",") + "\r\n",
    };
    if !first.is_empty() {
        pieces.send(first.into()).await?;
    }
    match tell_all(desk, &asked, pieces).await {
        Ok(()) if asked.form == Form::Json => Ok(pieces.send("\n]\n".into()).await?),
        // What breaks off must not look whole: an array stays open, lines end with the fault.
        Err(Stop::Unanswered(why)) => {
            let why = why.to_string();
            let last = match asked.form {
                Form::Csv => format!("# broken off: {why}\r\n"),
                _ => json!({ "type": "error", "detail": why }).to_string() + "\n",
            };
            Ok(pieces.send(last.into()).await?)
        }
        other => other,
    }
}

async fn tell_all(desk: &Desk, asked: &Asked, pieces: &mpsc::Sender<Bytes>) -> Result<(), Stop> {
    let (mut wanted, mut first) = (asked.wanted.clone(), true);
    loop {
        let (sessions, more) = page(desk, &wanted).await?;
        for session in &sessions {
            let piece = piece(desk, asked, session, std::mem::take(&mut first)).await?;
            pieces.send(piece.into()).await?;
        }
        match sessions.last().filter(|_| more) {
            Some(last) => wanted.after = Some(Place::of(last)),
            None => return Ok(()),
        }
    }
}

/// Some sessions, newest first, and whether there are more. Where history is in memory the picture is
/// all there is.
async fn page(desk: &Desk, wanted: &Wanted) -> Result<(Vec<Session>, bool), Stop> {
    let question = Question::Sessions(Box::new(wanted.clone()));
    match rights::ask(desk, question).await {
        Ok(Told::Sessions(page)) => Ok((page.items, page.more)),
        Ok(_) => Err(Stop::Unanswered(Unanswered::Busy)),
        Err(Unanswered::InMemory) => {
            let picture = desk.picture();
            let all = picture.sessions.iter().chain(&picture.ended);
            let mut found: Vec<Session> =
                all.filter(|it| wanted.admits(it)).map(|it| (**it).clone()).collect();
            found.sort_by_key(|it| std::cmp::Reverse(Place::of(it)));
            Ok((found, false))
        }
        Err(error) => Err(Stop::Unanswered(error)),
    }
}

/// A session with its events, as they are written down.
async fn piece(desk: &Desk, asked: &Asked, it: &Session, first: bool) -> Result<String, Stop> {
    let mut session = serde_json::to_value(reading::session(it)).unwrap_or_default();
    if let Some(salt) = &asked.salt {
        anonymise_session(&mut session, salt);
    }
    if asked.form == Form::Csv {
        return Ok(row(&session));
    }
    let mut events = if asked.events { events(desk, it.id).await? } else { Vec::new() };
    if let Some(salt) = &asked.salt {
        events.iter_mut().for_each(|event| anonymise_event(event, salt));
    }
    let written = if asked.output { written(desk, it.id).await? } else { None };
    let mut text = String::new();
    if asked.form == Form::Json {
        if asked.events {
            session["history"] = Value::Array(events);
        }
        if let Some(written) = written {
            session["output"] = written;
        }
        text.push_str(if first { "\n" } else { ",\n" });
        let _ = write!(text, "{session}");
        return Ok(text);
    }
    let _ = writeln!(text, "{}", typed("session", session));
    for event in events {
        let _ = writeln!(text, "{}", typed("event", event));
    }
    if let Some(written) = written {
        let _ = writeln!(text, "{}", typed("output", written));
    }
    Ok(text)
}

/// All events of a session: they were kept in order, page by page.
async fn events(desk: &Desk, session: SessionId) -> Result<Vec<Value>, Stop> {
    let (mut told, mut from) = (Vec::new(), 0);
    loop {
        let question = Question::Events { session, from, limit: PAGE };
        match rights::ask(desk, question).await {
            Ok(Told::Events(page)) => {
                from = page.items.last().map_or(from, |last| last.sequence + 1);
                told.extend(page.items.into_iter().map(event));
                if !page.more || told.len() >= MOST_EVENTS {
                    return Ok(told);
                }
            }
            // In memory only sessions are kept, not what happened to them.
            Ok(_) | Err(Unanswered::InMemory) => return Ok(told),
            Err(error) => return Err(Stop::Unanswered(error)),
        }
    }
}

/// Events of one session that are told at most; they are held in memory until they are sent.
const MOST_EVENTS: usize = 100_000;

fn event(it: KeptEvent) -> Value {
    json!({
        "session_id": it.session,
        "sequence": it.sequence,
        "timestamp": it.at.to_string(),
        "event_type": it.event_type,
        "subtype": it.subtype,
        "previous_state": it.previous_state,
        "new_state": it.new_state,
        "trigger": it.trigger,
        "context": it.context,
        "source": it.source,
        "version": it.version,
    })
}

/// What a command wrote last, as it is kept: masked, and as text whatever it was.
async fn written(desk: &Desk, session: SessionId) -> Result<Option<Value>, Stop> {
    match rights::ask(desk, Question::Output(session)).await {
        Ok(Told::Output(found)) => Ok(found.map(|found| output(&found))),
        Ok(_) | Err(Unanswered::InMemory) => Ok(None),
        Err(error) => Err(Stop::Unanswered(error)),
    }
}

fn output(it: &Written) -> Value {
    let part = |part: &Part| {
        let stream = if part.stderr { "stderr" } else { "stdout" };
        json!({ "stream": stream, "text": String::from_utf8_lossy(&part.bytes.0) })
    };
    json!({
        "session_id": it.session.to_string(),
        "timestamp": it.at.to_string(),
        "missed": it.begin,
        "ended": it.over,
        "parts": it.parts.iter().map(part).collect::<Vec<_>>(),
    })
}

/// An object that says first what it is.
fn typed(kind: &str, value: Value) -> Value {
    let mut typed = Map::from_iter([("type".to_owned(), Value::from(kind))]);
    if let Value::Object(fields) = value {
        typed.extend(fields);
    }
    Value::Object(typed)
}

/// Puts hashes in the place of whatever could say who, where and on what: the same everywhere for the
/// same, so that what belongs together still does. Free words go.
fn anonymise_session(session: &mut Value, salt: &Salt) {
    for (field, kind) in [
        ("id", "session"),
        ("parent", "session"),
        ("native_id", "native_id"),
        ("process", "process"),
    ] {
        hash(&mut session[field], kind, salt);
    }
    if let Some(fields) = session.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
        fields.remove("pid");
        if let Some(end) = fields.get_mut("end").and_then(Value::as_object_mut) {
            end.remove("reason");
        }
        if let Some(context) = fields.get_mut("context") {
            anonymise_context(context, salt);
        }
    }
}

/// Of the context only figures and what is of ourselves stay as they are.
fn anonymise_context(context: &mut Value, salt: &Salt) {
    let Some(fields) = context.as_object_mut() else { return };
    for (name, value) in fields.iter_mut() {
        if name != "version" {
            anonymise_texts(value, name, salt);
        }
    }
}

fn anonymise_event(event: &mut Value, salt: &Salt) {
    hash(&mut event["session_id"], "session", salt);
    anonymise_texts(&mut event["context"], "event", salt);
    if let Some(fields) = event.as_object_mut() {
        fields.remove("trigger");
    }
}

/// Every text in a value, whatever is around it. Names of fields are ours where we wrote them, and
/// those of labels may be anything.
fn anonymise_texts(value: &mut Value, kind: &str, salt: &Salt) {
    match value {
        Value::String(_) => hash(value, kind, salt),
        Value::Array(values) => {
            values.iter_mut().for_each(|value| anonymise_texts(value, kind, salt));
        }
        Value::Object(fields) if kind == "labels" => {
            let all = std::mem::take(fields).into_iter();
            fields.extend(all.map(|(name, mut value)| {
                anonymise_texts(&mut value, "label", salt);
                (salt.hash("label", &name), value)
            }));
        }
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                anonymise_texts(value, name, salt);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn hash(value: &mut Value, kind: &str, salt: &Salt) {
    if let Value::String(text) = value {
        *text = salt.hash(kind, text);
    }
}

/// A session as a line of a table.
fn row(session: &Value) -> String {
    let end = &session["end"];
    let cells = COLUMNS.map(|column| match column {
        "user" => cell(&session["context"]["user"]),
        "ended" => cell(&end["at"]),
        "duration_seconds" | "exit_code" => cell(&end[column]),
        column => cell(&session[column]),
    });
    cells.join(",") + "\r\n"
}

/// A value in a table. What a program for tables would take for a formula is kept from that.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        value => return value.to_string(),
    };
    let guarded = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if guarded { format!("'{text}") } else { text };
    match text.contains(['"', ',', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::written::Raw;
    use crate::units::Wall;

    #[test]
    fn a_table_has_no_formula_and_no_broken_line() {
        assert_eq!(cell(&json!("a,\"b\"\n")), "\"a,\"\"b\"\"\n\"");
        assert_eq!(cell(&json!("=1+1")), "'=1+1");
        assert_eq!(cell(&json!(-5)), "-5");
        assert_eq!(cell(&Value::Null), "");
        let session = json!({
            "id": "X", "kind": "process", "process": "web", "state": "failed", "started": "T",
            "tokens": 5, "cost_nano_usd": 0, "context": { "user": "jane" },
            "end": { "at": "U", "duration_seconds": 1.5, "reason": "no", "exit_code": 1 },
        });
        assert_eq!(row(&session), "X,process,,web,,,jane,failed,T,U,1.5,1,,,5,0\r\n");
    }

    #[test]
    fn what_a_command_wrote_is_told_with_where_it_went_and_what_is_missing() {
        let part = |stderr, bytes: &[u8]| Part { stderr, bytes: Raw(bytes.to_vec()) };
        let session = SessionId::new(Wall(5), 7);
        let parts = vec![part(false, b"a\xff\n"), part(true, b"no")];
        let told = output(&Written { session, at: Wall(0), begin: 9, over: true, parts });
        assert_eq!(told["session_id"], session.to_string());
        assert_eq!((&told["missed"], &told["ended"]), (&json!(9), &json!(true)));
        let parts = json!([
            { "stream": "stdout", "text": "a\u{fffd}\n" }, { "stream": "stderr", "text": "no" }
        ]);
        assert_eq!(told["parts"], parts);
    }

    #[test]
    fn nothing_says_who_or_where_once_it_is_anonymous() {
        let salt = Salt([3; 32]);
        let whole = || {
            json!({
                "id": "jane-1", "parent": "jane-0", "kind": "external", "process": "jane-web",
                "native_id": "jane-chat", "state": "failed", "started": "T", "pid": 7, "tokens": 5,
                "context": {
                    "command": ["jane", "x"], "working_dir": "/home/jane", "user": "jane",
                    "git": { "branch": "jane/1", "dirty": true }, "hostname": "jane-box",
                    "labels": { "jane": "jane" }, "uid": 5, "version": "0.1.0",
                },
                "end": { "at": "U", "reason": "jane left", "exit_code": 1 },
            })
        };
        let mut one = whole();
        anonymise_session(&mut one, &salt);
        assert!(!one.to_string().contains("jane"), "{one}");
        assert_eq!((&one["state"], &one["tokens"]), (&json!("failed"), &json!(5)));
        assert_eq!(one["context"]["git"]["dirty"], json!(true));
        let mut other = whole();
        other["id"] = json!("jane-0");
        anonymise_session(&mut other, &salt);
        assert_eq!(other["id"], one["parent"], "what belongs together still does");
        let mut event = json!({
            "session_id": "jane-1", "trigger": "by jane", "event_type": "opened",
            "context": { "native_id": "jane-chat", "list": ["jane"], "n": 1 },
        });
        anonymise_event(&mut event, &salt);
        assert!(!event.to_string().contains("jane"), "{event}");
        assert_eq!((&event["session_id"], &event["context"]["n"]), (&one["id"], &json!(1)));
    }
}
