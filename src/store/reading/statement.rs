//! Each question as one statement, in the SQL that both databases understand.

use std::fmt::Write;

use super::audit::AuditWanted;
use super::chains;
use super::compare::AT_ONCE;
use super::kept::{AUDIT, EVENT, SESSION};
use super::wanted::{Standing, Wanted};
use super::{MOST, Question, output, statistics};
use crate::ledger::session::Session;
use crate::store::columns::{self, signed};
use crate::store::retention;
use crate::units::SessionId;

/// A statement with the values of its `$1`, `$2`, ….
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Statement {
    /// The statement.
    pub text: String,
    /// Its values.
    pub values: Vec<Value>,
}

/// A value of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Text, without a NUL character.
    Text(String),
    /// A whole number.
    Number(i64),
}

/// Generations of a tree that are looked for.
const DEEPEST: u32 = 32;

/// As [`of`], where many instances share a database.
pub fn of_instance(question: &Question, instance: &str) -> Statement {
    match question {
        Question::Conversations(wanted) => chains::statement(wanted, Some(instance)),
        Question::Interactions(wanted) => chains::said(wanted, Some(instance)),
        question => of(question),
    }
}

/// The statement that finds what is asked for.
pub fn of(question: &Question) -> Statement {
    match question {
        Question::Sessions(wanted) => sessions(wanted),
        Question::Session(name) => session(name),
        Question::Events { session, from, limit } => {
            let mut it = Statement::from(format!("SELECT {EVENT} FROM session_events WHERE "));
            it.and_text("session_id =", &session.to_string());
            it.push(" AND ");
            it.and_number("sequence >=", signed(*from));
            it.ordered("sequence", *limit);
            it
        }
        Question::Conversations(wanted) => chains::statement(wanted, None),
        Question::Interactions(wanted) => chains::said(wanted, None),
        Question::Output(session) => output::statement(*session),
        Question::Children { parent, limit } => {
            let mut it = Statement::from(format!("SELECT {SESSION} FROM sessions WHERE "));
            it.and_text("parent =", &parent.to_string());
            it.ordered("started_ms, id", *limit);
            it
        }
        Question::Audit(wanted) => audited(wanted),
        Question::Forget { whose, .. } => retention::meant(whose, "count(*)"),
        Question::Descendants { root, limit } => descendants(*root, *limit),
        Question::Statistics { by, since, until } => statistics::statement(*by, *since, *until),
        // It is more than one; what is asked first is which sessions come next.
        Question::Compare { after } => {
            let mut it = sessions(&Wanted { after: *after, limit: AT_ONCE, ..Wanted::default() });
            // Of an outline no events are left to hold it against.
            it.text = it.text.replacen("1 = 1", "archived_ms IS NULL", 1);
            it
        }
    }
}

fn audited(wanted: &AuditWanted) -> Statement {
    let mut it = Statement::from(format!("SELECT {AUDIT} FROM audit WHERE 1 = 1"));
    for (compared, bound) in [("at_ms >=", wanted.since), ("at_ms <", wanted.until)] {
        if let Some(bound) = bound {
            it.push(" AND ");
            it.and_number(compared, bound.0);
        }
    }
    // In small letters, since only one of the databases compares without regard to them.
    let part = |it: &String| format!("%{}%", escaped(it).to_lowercase());
    let texts = [("lower(action) LIKE", wanted.action.as_ref().map(part))]
        .into_iter()
        .chain([("target =", wanted.target.clone()), ("role =", wanted.role.clone())]);
    for (compared, text) in texts {
        if let Some(text) = text {
            it.push(" AND ");
            it.and_text(compared, &text);
            it.push(if compared.ends_with("LIKE") { " ESCAPE '!'" } else { "" });
        }
    }
    if let Some(uid) = wanted.uid {
        it.push(" AND ");
        it.and_number("uid =", uid.into());
    }
    if wanted.refused {
        it.push(" AND outcome >= 400");
    }
    if let Some((at, id)) = wanted.after {
        let at = it.value(Value::Number(at.0));
        let id = it.value(Value::Text(id.to_string()));
        let _ = write!(it.text, " AND (at_ms, id) < ({at}, {id})");
    }
    it.ordered("at_ms DESC, id DESC", wanted.limit);
    it
}

/// Text in which the signs of `LIKE` mean themselves.
fn escaped(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}

/// Generations are bounded, so that rows which name one another as their parent end it, too.
fn descendants(root: SessionId, limit: u32) -> Statement {
    let mut it = Statement::from("WITH RECURSIVE tree (member, depth) AS (SELECT ".to_owned());
    let place = it.value(Value::Text(root.to_string()));
    let _ = write!(
        it.text,
        "CAST({place} AS TEXT), 0 UNION ALL SELECT id, depth + 1 FROM tree \
         JOIN sessions ON parent = member WHERE depth < {DEEPEST}) \
         SELECT {SESSION} FROM tree JOIN sessions ON id = member"
    );
    it.ordered("depth, started_ms, id", limit);
    it
}

fn session(name: &str) -> Statement {
    let mut it = Statement::from(format!("SELECT {SESSION} FROM sessions WHERE "));
    let place = it.value(Value::Text(plain(name).to_ascii_uppercase()));
    let native = it.value(Value::Text(plain(name)));
    let _ = write!(
        it.text,
        "id = {place} OR native_id = {native} \
         ORDER BY CASE WHEN id = {place} THEN 0 ELSE 1 END, started_ms DESC LIMIT 1"
    );
    it
}

/// What is kept of a session, made to be what its events tell.
pub fn repair(told: &Session) -> Statement {
    let mut it = Statement::from("UPDATE sessions SET ".to_owned());
    let end = told.end.as_ref();
    let (exit_status, exit_code, exit_signal) = columns::exit(end.and_then(|end| end.status));
    it.set_text("kind", Some(told.kind.as_str()));
    it.set_text("process", Some(&told.process));
    it.set_text("parent", told.parent.map(|parent| parent.to_string()).as_deref());
    it.set_text("agent", told.agent.as_deref());
    it.set_text("native_id", told.native_id.as_deref());
    it.set_text("state", Some(told.state.as_str()));
    it.set_text("reason", end.map(|end| end.reason.as_str()));
    it.set_text("exit_status", exit_status);
    it.set_number("exit_code", exit_code);
    it.set_number("exit_signal", exit_signal);
    it.set_number("started_ms", Some(told.started.0));
    it.set_number("ended_ms", end.map(|end| end.at.0));
    it.set_number("duration_ms", end.map(|end| columns::millis(end.duration)));
    let events = it.value(Value::Number(signed(told.events)));
    let id = it.value(Value::Text(told.id.to_string()));
    let _ = write!(it.text, "events = {events} WHERE id = {id}");
    it
}

fn sessions(wanted: &Wanted) -> Statement {
    let mut it = Statement::from(format!("SELECT {SESSION} FROM sessions WHERE 1 = 1"));
    let words = |states: Vec<&str>| states.into_iter().map(str::to_owned).collect::<Vec<_>>();
    it.one_of("state", &words(wanted.states.iter().map(|it| it.as_str()).collect()));
    it.one_of("kind", &words(wanted.kinds.iter().map(|it| it.as_str()).collect()));
    it.one_of("process", &wanted.processes);
    it.one_of("user_name", &wanted.users);
    it.one_of("agent", &wanted.agents);
    it.one_of("parent", wanted.parent.map(|id| id.to_string()).as_slice());
    it.one_of("project", wanted.project.as_slice());
    if let Some(since) = wanted.since {
        it.push(" AND ");
        it.and_number("started_ms >=", since.0);
    }
    if let Some(until) = wanted.until {
        it.push(" AND ");
        it.and_number("started_ms <", until.0);
    }
    match wanted.standing {
        Some(Standing::Live) => it.push(" AND ended_ms IS NULL"),
        Some(Standing::Ended) => it.push(" AND ended_ms IS NOT NULL"),
        None => {}
    }
    if let Some(prefix) = &wanted.prefix {
        it.begins(prefix);
    }
    if let Some(place) = wanted.after {
        let started = it.value(Value::Number(place.started.0));
        let id = it.value(Value::Text(place.id.to_string()));
        let _ = write!(it.text, " AND (started_ms, id) < ({started}, {id})");
    }
    it.ordered("started_ms DESC, id DESC", wanted.limit);
    it
}

impl Statement {
    pub(super) fn from(text: String) -> Self {
        Self { text, values: Vec::new() }
    }

    pub(in crate::store) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Takes a value in, and answers with what stands for it.
    pub(in crate::store) fn value(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }

    fn and_text(&mut self, compared: &str, text: &str) {
        let value = self.value(Value::Text(plain(text)));
        let _ = write!(self.text, "{compared} {value}");
    }

    fn and_number(&mut self, compared: &str, number: i64) {
        let value = self.value(Value::Number(number));
        let _ = write!(self.text, "{compared} {value}");
    }

    fn set_text(&mut self, column: &str, text: Option<&str>) {
        let value = text.map(|text| self.value(Value::Text(plain(text))));
        let _ = write!(self.text, "{column} = {}, ", value.as_deref().unwrap_or("NULL"));
    }

    fn set_number(&mut self, column: &str, number: Option<i64>) {
        let value = number.map(|number| self.value(Value::Number(number)));
        let _ = write!(self.text, "{column} = {}, ", value.as_deref().unwrap_or("NULL"));
    }

    /// One of the words, where there are any. A single one is found by the index that has the order
    /// of the answer as well. Several would be read by it in whole and sorted, so they are hidden from
    /// it, and what is read in order is looked through until there is enough.
    fn one_of(&mut self, column: &str, words: &[String]) {
        let values: Vec<String> =
            words.iter().map(|word| self.value(Value::Text(plain(word)))).collect();
        let _ = match &values[..] {
            [] => Ok(()),
            [one] => write!(self.text, " AND {column} = {one}"),
            several => write!(self.text, " AND ({column} || '') IN ({})", several.join(", ")),
        };
    }

    fn begins(&mut self, prefix: &str) {
        let upper = prefix.to_ascii_uppercase();
        // No identity has a letter behind `Z`.
        let last = format!("{}{}", plain(&upper), "Z".repeat(26));
        let (from, to) = (self.value(Value::Text(plain(&upper))), self.value(Value::Text(last)));
        let length = i64::try_from(prefix.chars().count()).unwrap_or(i64::MAX);
        let native = self.value(Value::Text(plain(prefix)));
        let _ = write!(
            self.text,
            " AND ((id >= {from} AND id <= {to}) OR substr(native_id, 1, {length}) = {native})"
        );
    }

    /// In this order, and one more than are told, to know whether there are more.
    fn ordered(&mut self, order: &str, limit: u32) {
        let limit = limit.min(MOST) + 1;
        let _ = write!(self.text, " ORDER BY {order} LIMIT {limit}");
    }
}

/// Nothing that is kept has a NUL character.
fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
