//! The projection of a session, rebuilt from its events alone. Pure.
//!
//! What is kept of a session beside its events must be what they tell; whoever finds a difference has
//! found a fault of ours or of the disk. What only a clock, a probe or a log would know is as of the
//! last event that sums it up: a snapshot, or the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::ledger::outcome::wall_span;
use crate::ledger::row::SessionEvent;
use crate::ledger::session::{Figures, Session, SessionEnd, SessionKind, SessionState, Totals};
use crate::ledger::transition::{allowed, may_open_as};
use crate::tokens::TokenKind;
use crate::units::{Bytes, ExitStatus, Money, SessionId, Signal, Wall};

/// The type of the event that stands for those which had to be given up.
const EVENTS_LOST: &str = "events_lost";

/// The types of events that sum up what a session used.
const SUMMARIES: [&str; 3] = ["ended", "tokens_late", "snapshot"];

/// A line of a session's history, wherever it was read from.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its number.
    pub sequence: u64,
    /// When.
    pub at: Wall,
    /// What.
    pub event_type: String,
    /// The state that it left.
    pub previous_state: Option<String>,
    /// The state that it is in from then on.
    pub new_state: Option<String>,
    /// What caused it.
    pub trigger: String,
    /// Everything else.
    pub context: Value,
}

/// What the events of a session tell of it so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// The session.
    pub session: Session,
    /// Whether the figures are told.
    pub summed_up: bool,
    /// Whether some of the story had to be given up, so that nothing can be held against what is
    /// told.
    pub is_partial: bool,
    /// What of the story cannot have been.
    pub faults: Vec<String>,
    identified: bool,
}

/// What is kept and not what is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Of what.
    pub field: &'static str,
    /// What the events say.
    pub told: String,
    /// What is kept.
    pub kept: String,
}

/// The story of a session by all of its lines; `None` where there are none.
pub fn replay(id: SessionId, lines: &[Line]) -> Option<Replay> {
    let (first, rest) = lines.split_first()?;
    let mut told = Replay::begin(id, first);
    rest.iter().for_each(|line| told.take(line));
    Some(told)
}

/// The same from the last snapshot on, with what happened since.
pub fn replay_from_snapshot(id: SessionId, lines: &[Line]) -> Option<Replay> {
    let last = lines.iter().rposition(|line| line.event_type == "snapshot").unwrap_or(0);
    replay(id, lines.get(last..)?)
}

/// Adds what was used before to the summary of an end, which a life wrote that took the session over and
/// did not know yet what was kept of it: so many events, and these figures.
pub fn add_before(end: &mut SessionEvent, kept: &Session, events: u64) {
    let all = figures(&end.detail).behind(&kept.figures);
    let duration = wall_span(kept.started, end.at).as_secs_f64();
    let Some(fields) = end.detail.as_object_mut() else { return };
    let counted = fields.get("events").and_then(Value::as_u64).unwrap_or(0);
    let kinds = TokenKind::ALL.iter();
    let kinds = kinds.map(|kind| (kind.as_str().to_owned(), all.tokens.of(*kind).into())).collect();
    fields.extend([
        ("events".to_owned(), (counted + events).into()),
        ("duration_seconds".to_owned(), duration.into()),
        ("tokens".to_owned(), Value::Object(kinds)),
        ("tokens_total".to_owned(), all.tokens.total().into()),
        ("unpriced_tokens".to_owned(), all.unpriced_tokens.into()),
        ("cost_nano_usd".to_owned(), all.cost.0.into()),
        ("peak_memory_bytes".to_owned(), all.peak_memory.map(|bytes| bytes.0).into()),
        ("mean_memory_bytes".to_owned(), all.mean_memory.map(|bytes| bytes.0).into()),
        ("memory_samples".to_owned(), all.samples.into()),
    ]);
}

impl Replay {
    fn begin(id: SessionId, line: &Line) -> Self {
        let session = Session::opened(id, String::new(), line.at);
        let mut told = Self {
            session,
            summed_up: false,
            is_partial: line.event_type == EVENTS_LOST,
            faults: Vec::new(),
            identified: false,
        };
        told.session.events = line.sequence;
        let opens = line.event_type == "opened" && line.sequence == 0;
        if !opens && !told.is_partial && line.event_type != "snapshot" {
            told.faults.push(format!("it begins with {:?}", line.event_type));
        }
        if let Some(state) = state_of(line.new_state.as_ref()).filter(|_| opens) {
            if !may_open_as(state) {
                told.faults.push(format!("it is opened as {}", state.as_str()));
            }
            told.session.state = state;
            told.identify(&line.context);
            told.session.events = 1;
        } else {
            told.take(line);
        }
        told
    }

    /// Takes the next line in.
    fn take(&mut self, line: &Line) {
        let expected = self.session.events;
        self.is_partial |= line.event_type == EVENTS_LOST;
        if line.sequence != expected && line.event_type != EVENTS_LOST {
            self.faults.push(format!("event {expected} is not there"));
        }
        self.session.events = line.sequence + 1;
        match line.event_type.as_str() {
            "snapshot" => self.snapshot(&line.context),
            "context_captured" => {
                self.session.context =
                    serde_json::from_value(line.context.clone()).ok().map(Arc::new);
            }
            _ => {}
        }
        self.change(line);
        if SUMMARIES.contains(&line.event_type.as_str()) {
            self.session.figures = figures(&line.context);
            self.session.total = totals(&line.context, &self.session.figures);
            self.summed_up = line.event_type != "snapshot";
        }
    }

    fn change(&mut self, line: &Line) {
        let (from, to) =
            (state_of(line.previous_state.as_ref()), state_of(line.new_state.as_ref()));
        let Some(to) = to else { return };
        let before = self.session.state;
        if from.is_some_and(|from| from != before) && !self.is_partial {
            let from = from.map(SessionState::as_str).unwrap_or_default();
            self.faults.push(format!(
                "event {} leaves {from} in {}",
                line.sequence,
                before.as_str()
            ));
        }
        // A run that was being ended goes on where nobody was left to end it.
        let goes_on = line.event_type == "resumed" && !before.is_end();
        if !allowed(before, to) && !goes_on && !self.is_partial {
            let (before, to) = (before.as_str(), to.as_str());
            self.faults.push(format!("event {} goes from {before} to {to}", line.sequence));
        }
        self.session.state = to;
        if to.is_end() {
            self.session.end = Some(self.end(line));
        }
    }

    fn end(&self, line: &Line) -> SessionEnd {
        let context = &line.context;
        let reason = context["reason"].as_str().unwrap_or(&line.trigger).to_owned();
        let seconds = context["duration_seconds"].as_f64();
        let by_wall = || {
            let millis = line.at.0.saturating_sub(self.session.started.0);
            Duration::from_millis(u64::try_from(millis).unwrap_or(0))
        };
        let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let duration = duration.unwrap_or_else(by_wall);
        SessionEnd { at: line.at, duration, status: status(context), reason }
    }

    fn identify(&mut self, context: &Value) {
        let text = |name: &str| context[name].as_str().map(str::to_owned);
        if let Some(kind) = text("kind").and_then(|kind| SessionKind::parse(&kind)) {
            self.session.kind = kind;
            self.identified = true;
        }
        self.session.process = text("process").unwrap_or_default();
        self.session.parent = text("parent").and_then(|parent| SessionId::parse(&parent));
        self.session.agent = text("agent");
        self.session.native_id = text("native_id");
    }

    fn snapshot(&mut self, context: &Value) {
        self.identify(context);
        if let Some(started) = context["started"].as_str().and_then(Wall::parse) {
            self.session.started = started;
        }
        if let Some(state) = context["state"].as_str().and_then(SessionState::parse) {
            self.session.state = state;
        }
    }

    /// Where what is kept of the session is not what its events tell.
    pub fn differences(&self, kept: &Session) -> Vec<Difference> {
        if self.is_partial {
            return Vec::new();
        }
        let (ours, theirs) = (self.outline(&self.session), self.outline(kept));
        let differ = |(field, told): (&&'static str, &String)| {
            let kept = theirs.get(*field).cloned().unwrap_or_default();
            (*told != kept).then(|| Difference { field, told: told.clone(), kept })
        };
        ours.iter().filter_map(differ).collect()
    }

    /// What can be held against what is kept.
    fn outline(&self, session: &Session) -> BTreeMap<&'static str, String> {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let mut all = BTreeMap::from([
            ("state", session.state.as_str().to_owned()),
            ("started", session.started.to_string()),
            ("events", session.events.to_string()),
        ]);
        if self.identified {
            all.insert("kind", session.kind.as_str().to_owned());
            all.insert("process", session.process.clone());
            all.insert("parent", or_none(session.parent.map(|parent| parent.to_string())));
            all.insert("agent", or_none(session.agent.clone()));
            all.insert("native_id", or_none(session.native_id.clone()));
        }
        let end = session.end.as_ref();
        all.insert("ended", or_none(end.map(|end| end.at.to_string())));
        all.insert("reason", or_none(end.map(|end| end.reason.clone())));
        all.insert("duration", or_none(end.map(|end| format!("{} ms", end.duration.as_millis()))));
        all.insert("status", or_none(end.and_then(|end| end.status).map(|it| it.to_string())));
        if self.session.end.is_some() && self.summed_up {
            let Figures {
                peak_memory, mean_memory, samples, tokens, cost, unpriced_tokens, ..
            } = &session.figures;
            let memory = format!("{peak_memory:?} {mean_memory:?} {samples}");
            all.insert("memory", memory);
            all.insert("tokens", format!("{tokens:?} {unpriced_tokens} unpriced"));
            all.insert("cost", cost.0.to_string());
        }
        all
    }
}

fn state_of(text: Option<&String>) -> Option<SessionState> {
    SessionState::parse(text?)
}

fn status(context: &Value) -> Option<ExitStatus> {
    match context["exit_status"].as_str()? {
        "code" => context["exit_code"]
            .as_u64()
            .and_then(|code| u8::try_from(code).ok())
            .map(ExitStatus::Code),
        "signal" => {
            let signal = context["exit_signal"].as_i64().and_then(|it| i32::try_from(it).ok());
            signal.map(|signal| ExitStatus::Signal(Signal(signal)))
        }
        _ => Some(ExitStatus::Unknown),
    }
}

fn figures(context: &Value) -> Figures {
    let bytes = |name: &str| context[name].as_u64().map(Bytes);
    let count = |name: &str| context[name].as_u64().unwrap_or(0);
    let mut figures = Figures {
        peak_memory: bytes("peak_memory_bytes"),
        mean_memory: bytes("mean_memory_bytes"),
        samples: count("memory_samples"),
        cpu_seconds: context["cpu_seconds"].as_f64(),
        cost: Money(context["cost_nano_usd"].as_i64().unwrap_or(0)),
        unpriced_tokens: count("unpriced_tokens"),
        ..Figures::default()
    };
    let tokens = &mut figures.tokens;
    for kind in TokenKind::ALL {
        let count = context["tokens"][kind.as_str()].as_u64().unwrap_or(0);
        *match kind {
            TokenKind::Input => &mut tokens.input,
            TokenKind::Output => &mut tokens.output,
            TokenKind::CacheRead => &mut tokens.cache_read,
            TokenKind::CacheWrite5m => &mut tokens.cache_write_5m,
            TokenKind::CacheWrite1h => &mut tokens.cache_write_1h,
            TokenKind::CacheWrite => &mut tokens.cache_write,
        } = count;
    }
    figures
}

/// A session that has no parts used what it used itself; the sum of those that have is not told by
/// kind.
fn totals(context: &Value, own: &Figures) -> Totals {
    let total = &context["total"];
    Totals {
        cpu_seconds: total["cpu_seconds"].as_f64().or(own.cpu_seconds),
        tokens: own.tokens,
        cost: Money(total["cost_nano_usd"].as_i64().unwrap_or(own.cost.0)),
        unpriced_tokens: total["unpriced_tokens"].as_u64().unwrap_or(own.unpriced_tokens),
    }
}

#[cfg(test)]
mod tests;
