//! Reading what is kept: closed questions with closed answers.
//!
//! ```text
//!   who asks ── Reader::ask ──► shelf ──► the store's thread ──► Store::answer
//!       ▲                                        │
//!       └──────────── one shot, in time ◄────────┘
//! ```
//!
//! There is one connection, because a file is locked by whoever writes it. So questions wait with the
//! rows and are answered between two commits, never in the place of one. What is asked is data, and
//! each question is one statement ([`statement`]) whose rows are understood in one way ([`kept`]) for
//! every database. An answer is bounded by its question.

pub mod audit;
pub mod compare;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod chains;
pub mod kept;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod output;
pub mod place;
pub mod reader;
pub mod statement;
pub mod statistics;
pub mod wanted;

use self::audit::AuditWanted;
use self::compare::Compared;
use self::kept::KeptEvent;
use self::place::Place;
use self::statistics::{By, Groups};
use self::wanted::Wanted;
use crate::chains::chain::Link;
use crate::chains::interaction::Interaction;
use crate::ledger::audit::AuditRow;
use crate::ledger::forget::Whose;
use crate::ledger::session::Session;
use crate::ledger::written::Written;
use crate::store::{Store, StoreError};
use crate::units::{SessionId, Wall};

/// Answers a question by however many statements it takes.
pub(in crate::store) fn answer(
    store: &mut dyn Store,
    question: &Question,
) -> Result<Answer, StoreError> {
    match question {
        Question::Compare { after } => compare::compare(store, *after).map(Answer::Compared),
        question => store.answer(question),
    }
}

/// The most sessions or events of one answer.
pub const MOST: u32 = 1000;

/// What can be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Question {
    /// Sessions of a kind, newest first, page by page.
    Sessions(Box<Wanted>),
    /// The session of this identity, else the newest one that is called so by whoever opened it.
    Session(String),
    /// What happened to a session, in order.
    Events {
        /// To which one.
        session: SessionId,
        /// The first sequence number.
        from: u64,
        /// How many at most.
        limit: u32,
    },
    /// The sessions that are a part of one, oldest first.
    Children {
        /// Of which one.
        parent: SessionId,
        /// How many at most.
        limit: u32,
    },
    /// Lines of the audit trail, newest first, page by page.
    Audit(Box<AuditWanted>),
    /// Ended sessions are to be forgotten, in one short step after another; the one question that
    /// changes something.
    Forget {
        /// Which ones.
        whose: Whose,
        /// Whether a step is taken; else they are only counted.
        step: bool,
    },
    /// A session and all that are a part of it or of one of those, nearest first.
    Descendants {
        /// Of which one.
        root: SessionId,
        /// How many at most.
        limit: u32,
    },
    /// What is kept of the sessions behind a place, held against their events.
    Compare {
        /// Behind which one.
        after: Option<Place>,
    },
    /// What a command wrote.
    Output(SessionId),
    /// Conversations in the chain of an agent, newest first, page by page.
    Conversations(Box<LinksWanted>),
    /// What was asked and answered in the conversations of an agent, newest first, page by page.
    Interactions(Box<SaidWanted>),
    /// Sessions that were opened in a span of time, counted by what they have in common.
    Statistics {
        /// What they have in common.
        by: By,
        /// Opened then or later.
        since: Option<Wall>,
        /// Opened before.
        until: Option<Wall>,
    },
}

/// Which conversations of an agent are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinksWanted {
    /// Whose chain.
    pub agent: String,
    /// Only the one that the agent calls so.
    pub id: Option<String>,
    /// Only the one with this number.
    pub number: Option<u64>,
    /// Only those with a lower number.
    pub before: Option<u64>,
    /// How many at most.
    pub limit: u32,
}

/// What that was asked and answered in the conversations of an agent is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaidWanted {
    /// Whose.
    pub agent: String,
    /// Only in the conversation that the agent calls so.
    pub conversation: Option<String>,
    /// Only those before this time, and those of that time with a lower key, as the store orders keys.
    pub before: Option<(Wall, i64)>,
    /// How many at most.
    pub limit: u32,
}

/// What is answered, each to the question of its name.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Sessions, in the order of the question.
    Sessions(Page<Session>),
    /// The session, if there is one.
    Session(Option<Box<Session>>),
    /// Events, in order.
    Events(Page<KeptEvent>),
    /// What came of a comparison.
    Compared(Compared),
    /// Sessions, counted.
    Statistics(Groups),
    /// What a command wrote, if that is kept.
    Output(Option<Box<Written>>),
    /// Conversations, newest first.
    Conversations(Page<Link>),
    /// What was asked and answered, newest first.
    Interactions(Page<Interaction>),
    /// Lines of the audit trail, newest first.
    Audit(Page<AuditRow>),
    /// What was forgotten, or would be.
    Forgotten(Forgotten),
}

/// What was forgotten, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Sessions.
    pub sessions: u64,
    /// Whether there may be more, for another step.
    pub more: bool,
}

/// Some of what was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// So many as were asked for, or all.
    pub items: Vec<T>,
    /// Whether there are more behind them.
    pub more: bool,
}
