//! Each question as one statement, in the SQL that both databases understand.

use std::fmt::Write;

use super::kept::{EVENT, SESSION};
use super::wanted::{Standing, Wanted};
use super::{MOST, Question};
use crate::store::columns::signed;

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
        Question::Children { parent, limit } => {
            let mut it = Statement::from(format!("SELECT {SESSION} FROM sessions WHERE "));
            it.and_text("parent =", &parent.to_string());
            it.ordered("started_ms, id", *limit);
            it
        }
    }
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

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Takes a value in, and answers with what stands for it.
    pub(super) fn value(&mut self, value: Value) -> String {
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
