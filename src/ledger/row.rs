//! What is kept: rows, in the order they are to be committed in.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::chains::chain::Link;
use crate::chains::interaction::Interaction;
use crate::ledger::audit::AuditRow;
use crate::ledger::session::{Session, SessionEnd, SessionState};
use crate::ledger::written::Written;
use crate::tokens::{FileProgress, Usage, UsageKey};
use crate::units::{Bytes, SessionId, Wall};

/// A word of ours, or the same one read back.
pub type Word = Cow<'static, str>;

/// One thing to keep. Rows of one [`Batch`] are committed together or not at all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Row {
    /// A line of a session's append-only history.
    Event(SessionEvent),
    /// A line of a session that goes on, counted from where this life took it over: what was kept of it
    /// is not known yet. No store takes it: either we learn that and tell all of them again under
    /// their numbers, or the next life finds it in the spool and puts it behind what was kept.
    Unheard(Box<SessionEvent>),
    /// The projection of one session, replacing the one that was kept.
    Session(Box<Session>),
    /// The end of a session that an earlier life left open: changes the projection that was kept.
    Close(Box<SessionClose>),
    /// A memory sample.
    Sample(SampleRow),
    /// A response that was counted.
    Usage {
        /// The session that it counts for, if one is known.
        session: Option<SessionId>,
        /// The process that it counts for.
        process: String,
        /// The response.
        usage: Box<Usage>,
    },
    /// How far a log file was read.
    Progress(FileProgress),
    /// A response that is known without having been counted.
    Seen(UsageKey),
    /// A line of the audit trail.
    Audit(Box<AuditRow>),
    /// What is known of one conversation of a chain, replacing what was kept.
    Link {
        /// Whose chain.
        agent: String,
        /// The conversation.
        link: Arc<Link>,
    },
    /// A prompt with its answer, replacing what was kept.
    Interaction(Arc<Interaction>),
    /// The chain of an agent begins anew: nothing of it is kept.
    ChainReset(String),
    /// The last of what a command wrote, masked, replacing what was kept.
    Output(Arc<Written>),
}

/// Rows that belong together: all of them are committed, or none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The rows, in order.
    pub rows: Vec<Row>,
}

impl Batch {
    /// Whether it would be the first to be given up, so that nobody need be woken for it.
    pub fn is_only_samples(&self) -> bool {
        self.rows.iter().all(|row| matches!(row, Row::Sample(_)))
    }

    /// Whether a session's start, change or end is among the rows: such batches are kept when
    /// others have to be dropped.
    pub fn is_lifecycle(&self) -> bool {
        let is_lifecycle = |row: &Row| {
            matches!(row, Row::Event(_) | Row::Unheard(_) | Row::Session(_) | Row::Close(_))
        };
        self.rows.iter().any(is_lifecycle)
    }
}

/// A line of a session's append-only history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionEvent {
    /// Whose history.
    pub session: SessionId,
    /// 0, 1, 2, … without a gap, per session.
    pub sequence: u64,
    /// When.
    pub at: Wall,
    /// What: `opened`, `started`, `stopping`, `ended`, `memory_warning`, `leak_suspected`, …
    pub event_type: Word,
    /// Which of the kinds that this type has, where it has some.
    pub subtype: Option<Word>,
    /// The state that it left, where it changed.
    pub previous_state: Option<Word>,
    /// The state that it is in from now on.
    pub new_state: Option<Word>,
    /// What caused it, in a few words.
    pub trigger: String,
    /// Whose observation it is.
    pub source: EventSource,
    /// Everything else that is known, as one JSON object: the `context` of the event, where it is
    /// told.
    pub detail: serde_json::Value,
}

impl SessionEvent {
    /// The first event of a life that took a session over, where that was in this state.
    pub fn goes_on_from(&mut self, kept: SessionState) {
        let changed = kept != SessionState::Active;
        self.event_type = RESUMED.into();
        self.source = EventSource::Recovery;
        self.previous_state = changed.then(|| kept.as_str().into());
        self.new_state = self.new_state.take().filter(|_| changed);
    }
}

/// The type of the event that says that a session of an earlier life goes on.
pub const RESUMED: &str = "resumed";

/// The version of the shape of events: what a type and its context mean.
pub const EVENT_VERSION: u32 = 1;

/// Whose observation an event is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventSource {
    /// The loop that starts, stops and reaps.
    Init,
    /// What samples memory and CPU time.
    Probe,
    /// What reads the agents' logs.
    Tail,
    /// Somebody who asked over the API.
    Api,
    /// What looks after the sessions of an earlier life.
    Recovery,
    /// The ledger itself.
    #[default]
    Ledger,
}

impl EventSource {
    /// As it is kept and told.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Probe => "probe",
            Self::Tail => "tail",
            Self::Api => "api",
            Self::Recovery => "recovery",
            Self::Ledger => "ledger",
        }
    }
}

/// The end of a session of which only its identity is known in this life.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionClose {
    /// Which one.
    pub session: SessionId,
    /// The end that it came to.
    pub state: SessionState,
    /// Events so far, those in the same batch included.
    pub events: u64,
    /// When and why.
    pub end: SessionEnd,
}

/// A kept memory sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleRow {
    /// Whose tree.
    pub session: SessionId,
    /// When.
    pub at: Wall,
    /// Resident bytes of the tree.
    pub resident: Bytes,
    /// Anonymous bytes of the tree.
    pub anonymous: Bytes,
    /// Living processes of the tree.
    pub processes: u32,
    /// What the sample stands for: `interval`, or `session_end` for the last one.
    pub label: Word,
}
