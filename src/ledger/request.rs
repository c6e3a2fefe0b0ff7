//! What an application asks of the ledger, and what it is answered: external sessions are opened,
//! kept alive and closed by it. Folded like every entry, so that the same requests give the same
//! history.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::ledger::chain_request::{ChainReply, ChainRequest};
use crate::ledger::session::{OnParentEnd, Session, SessionState};
use crate::memory::MemoryLevel;
use crate::tokens::TokenCounts;
use crate::tokens::call::Call;
use crate::tokens::otlp::{self, Figures};
use crate::units::{Bytes, Money, SessionId, Signal, Wall};

/// The longest id that an application may give its session.
pub const LONGEST_ID: usize = 128;

/// Something that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// That a session is opened, or that the live one of the same own id is answered.
    Open(Box<Opening>),
    /// That a session counts as active.
    Beat {
        /// Which one.
        session: Named,
        /// What is told along.
        beat: Beat,
    },
    /// That a session ends.
    Close {
        /// Which one.
        session: Named,
        /// How it went.
        closing: Closing,
    },
    /// The connection that a session was bound to is gone.
    Dropped(SessionId),
    /// Whether one more command may be spawned beside the sessions that are open.
    Admit,
    /// That processes which were left behind were ended, so many by asking and so many by force.
    OrphansEnded {
        /// By asking.
        asked: u64,
        /// By force.
        killed: u64,
    },
    /// Something about the chain of an agent.
    Chain(ChainRequest),
    /// That the last memory sample of a process is said to stand for something.
    Label {
        /// The process.
        process: String,
        /// What for.
        label: String,
    },
    /// That calls of models are counted.
    Count {
        /// The calls, each counted or refused by itself.
        calls: Vec<Call>,
        /// Whose they are where they name nobody, and the only session that they may be of.
        within: Option<SessionId>,
        /// What else came with them, where they were sent over OpenTelemetry's protocol.
        heard: Option<Heard>,
    },
}

/// A body that was sent over OpenTelemetry's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What it told of.
    pub signal: otlp::Signal,
    /// What became of it.
    pub figures: Figures,
    /// Whether it could not be read.
    pub broken: bool,
}

/// Whose sessions somebody is limited to: those of one of the users, where some are named, and of one
/// of the agents, where some are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// The users; anybody's where there are none.
    pub users: Vec<String>,
    /// The agents; any where there are none.
    pub agents: Vec<String>,
}

impl Limits {
    /// Whether what is this user's and this agent's is inside.
    pub fn admit(&self, user: Option<&str>, agent: Option<&str>) -> bool {
        let among = |names: &[String], name: Option<&str>| {
            names.is_empty() || name.is_some_and(|name| names.iter().any(|known| known == name))
        };
        among(&self.users, user) && among(&self.agents, agent)
    }

    /// Whether everybody's are meant.
    pub fn are_none(&self) -> bool {
        self.users.is_empty() && self.agents.is_empty()
    }
}

/// A session as somebody means it, and what they may mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Its identity, or the id that its application gave it.
    pub id: String,
    /// Only what belongs to this session is seen; everything where nothing is said.
    pub within: Option<SessionId>,
    /// Whose sessions are seen.
    pub limits: Limits,
}

/// A session that is to be opened.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Opening {
    /// The application's own id of it.
    pub native_id: Option<String>,
    /// The session that it is a part of, by identity or own id.
    pub parent: Option<String>,
    /// The session that the asker is a part of: the parent where none is named, and the only tree
    /// that a parent may be of.
    pub within: Option<SessionId>,
    /// Whose sessions the asker may touch, its parent and one that is open already among them.
    pub limits: Limits,
    /// What becomes of it when its parent ends.
    pub on_parent_end: OnParentEnd,
    /// Whether it ends with the connection that opened it.
    pub bound: bool,
    /// What it does not inherit from its parent.
    pub own: OwnContext,
}

/// What a session says of itself rather than to inherit it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnContext {
    /// The agent.
    pub agent: Option<String>,
    /// The user's name.
    pub user: Option<String>,
    /// As whom the asker runs, for a session that inherits nothing.
    pub uid: Option<u32>,
    /// The project's folder.
    pub working_dir: Option<PathBuf>,
    /// Names and values of the application's own; added to those that are inherited.
    pub labels: BTreeMap<String, String>,
}

/// A sign of life with what was used since the last one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beat {
    /// Tokens.
    pub tokens: TokenCounts,
    /// What they cost.
    pub cost: Option<Money>,
    /// What is done, in a few words.
    pub note: Option<String>,
}

impl Beat {
    /// Whether it says more than that the session lives.
    pub fn tells(&self) -> bool {
        *self != Self::default()
    }
}

/// How a session went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Whether it failed; else it completed.
    pub failed: bool,
    /// Why, in words.
    pub reason: Option<String>,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It is open: a new one, or the one that was.
    Opened {
        /// The session.
        session: Arc<Session>,
        /// Whether it was opened by this request.
        new: bool,
    },
    /// It was done.
    Done(Arc<Session>),
    /// One more command may be spawned.
    Admitted,
    /// It was counted.
    Noted,
    /// What became of a chain.
    Chain(ChainReply),
    /// What became of calls.
    Spent(Spent),
    /// It was not done.
    Refused(Refusal),
}

/// What became of the calls that were told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Counted.
    pub counted: u64,
    /// Known already, or told by a source that is not believed.
    pub known: u64,
    /// Not counted: which ones, by their place, and why.
    pub refused: Vec<(usize, Refusal)>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered {
    /// What it says.
    pub reply: Reply,
    /// Whether it outlives us: false where the store was away for too long.
    pub durable: bool,
}

/// Why it was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing that the asker may mean has this id.
    Unknown(String),
    /// A session that the asker has nothing to do with has this own id.
    Taken(String),
    /// It has ended.
    Ended {
        /// Which one.
        session: SessionId,
        /// How.
        state: SessionState,
    },
    /// It is no session that applications open and close.
    NotExternal(SessionId),
    /// It is being ended.
    Stopping(SessionId),
    /// As many are open as may be.
    Limit {
        /// So many.
        limit: u32,
    },
    /// A budget that is spent refuses what is new.
    BudgetSpent {
        /// Which one.
        budget: String,
        /// When something can be spent again, where that is known.
        until: Option<Wall>,
    },
    /// Everything is being stopped.
    GoingDown,
}

/// A command of the plan that is to be run for what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hooked {
    /// The process that it is about, as which it runs.
    pub process: Option<String>,
    /// What happened.
    pub cause: HookCause,
}

/// Why a command is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookCause {
    /// Memory rose to a level.
    Memory {
        /// This one.
        level: MemoryLevel,
        /// To this size.
        size: Bytes,
    },
    /// A budget is spent.
    Budget {
        /// Its name.
        name: String,
        /// What was spent, in tokens or nano-dollars.
        spent: u64,
        /// What may be, in the same.
        limit: u64,
    },
}

/// What the ledger asks for at the control door, like any operator: it ends nothing by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knock {
    /// That the run which is this session ends.
    End(SessionId),
    /// That a process ends and runs again.
    Restart(String),
    /// That a process ends and stays ended.
    Stop(String),
    /// That whoever was left behind by the runs of a process that are over ends.
    EndOrphans {
        /// Its name.
        process: String,
        /// Its last run.
        session: SessionId,
    },
    /// That a command is run.
    Hook(Hooked),
    /// That a process gets a signal.
    Signal {
        /// Its name.
        process: String,
        /// Which one.
        signal: Signal,
    },
}
