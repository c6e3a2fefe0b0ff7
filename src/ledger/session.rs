//! A session: a span of activity with an identity, a parent, a state, events and an end.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::tokens::TokenCounts;
use crate::units::{Bytes, ExitStatus, Money, ProcId, SessionId, Wall};

/// What a session is a span of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// One run of a process.
    Process,
    /// An agent's own conversation inside a run.
    Conversation,
    /// Opened by an application.
    External,
}

impl SessionKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Process, Self::Conversation, Self::External];

    /// Reads what [`SessionKind::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// The value of the `kind` label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Conversation => "conversation",
            Self::External => "external",
        }
    }
}

/// Where a session stands. The last six are ends: nothing follows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Opened, not running yet.
    Initializing,
    /// Running.
    Active,
    /// Running without a sign of activity.
    Idle,
    /// Being ended.
    Stopping,
    /// Ended well, or on request.
    Completed,
    /// Ended badly by itself.
    Failed,
    /// Ended because its time was up.
    TimedOut,
    /// Ended by force.
    Killed,
    /// Ended by the kernel, for want of memory.
    OutOfMemory,
    /// Nobody saw its end.
    Lost,
}

impl SessionState {
    /// Every state, in the order of a life.
    pub const ALL: [Self; 10] = [
        Self::Initializing,
        Self::Active,
        Self::Idle,
        Self::Stopping,
        Self::Completed,
        Self::Failed,
        Self::TimedOut,
        Self::Killed,
        Self::OutOfMemory,
        Self::Lost,
    ];

    /// Reads what [`SessionState::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// The value of the `state` label, and of `outcome` for an end.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Active => "active",
            Self::Idle => "idle",
            Self::Stopping => "stopping",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Killed => "killed",
            Self::OutOfMemory => "oom",
            Self::Lost => "lost",
        }
    }

    /// Whether nothing follows.
    pub fn is_end(self) -> bool {
        self >= Self::Completed
    }
}

/// A session as far as it is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Its identity.
    pub id: SessionId,
    /// What it is a span of.
    pub kind: SessionKind,
    /// The session that it is a part of.
    pub parent: Option<SessionId>,
    /// The process that it belongs to.
    pub process: String,
    /// The agent, for a conversation.
    pub agent: Option<String>,
    /// The agent's own id of it, for a conversation.
    pub native_id: Option<String>,
    /// Where it stands.
    pub state: SessionState,
    /// When it was opened.
    pub started: Wall,
    /// The last sign of activity.
    pub last_activity: Wall,
    /// Its main process, for a run that was forked.
    pub main: Option<ProcId>,
    /// Where and as whom it runs; filled in shortly after the opening.
    pub context: Option<Arc<Context>>,
    /// Events so far; the next one's sequence number.
    pub events: u64,
    /// Figures so far.
    pub figures: Figures,
    /// What it and everything below it used so far.
    pub total: Totals,
    /// Its end, once it ended.
    pub end: Option<SessionEnd>,
}

impl Session {
    /// A run's session, as it is when it is opened; what else is known is put beside.
    pub fn opened(id: SessionId, process: String, at: Wall) -> Self {
        Self {
            id,
            kind: SessionKind::Process,
            parent: None,
            process,
            agent: None,
            native_id: None,
            state: SessionState::Initializing,
            started: at,
            last_activity: at,
            main: None,
            context: None,
            events: 0,
            figures: Figures::default(),
            total: Totals::default(),
            end: None,
        }
    }

    /// The name of the user that it runs as, once that is known.
    pub fn user(&self) -> Option<&str> {
        self.context.as_ref()?.user.as_deref()
    }

    /// What it works on: the checkout that its folder lies in, or the folder itself.
    pub fn project(&self) -> Option<String> {
        let context = self.context.as_ref()?;
        let root = context.git.as_ref().and_then(|git| git.root.clone());
        let folder = || Some(context.working_dir.as_ref()?.to_string_lossy().into_owned());
        root.or_else(folder)
    }
}

/// What a session used so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The largest resident size of its tree that was sampled.
    pub peak_memory: Option<Bytes>,
    /// The mean of all samples.
    pub mean_memory: Option<Bytes>,
    /// Samples that the two above are made of.
    pub samples: u64,
    /// User and system CPU seconds.
    pub cpu_seconds: Option<f64>,
    /// Tokens by kind.
    pub tokens: TokenCounts,
    /// What the priced part of them cost.
    pub cost: Money,
    /// Tokens that no price is known for.
    pub unpriced_tokens: u64,
}

impl Figures {
    /// Of the same session in a later life, with what an earlier one knew. Amounts are added; of memory
    /// the peak is that of both, and what only the earlier one saw is its own.
    pub fn behind(&self, before: &Self) -> Self {
        Self {
            peak_memory: self.peak_memory.max(before.peak_memory),
            mean_memory: self.mean_memory.or(before.mean_memory),
            samples: self.samples.max(before.samples),
            cpu_seconds: self.cpu_seconds,
            tokens: self.tokens.plus(&before.tokens),
            cost: self.cost.saturating_add(before.cost),
            unpriced_tokens: self.unpriced_tokens.saturating_add(before.unpriced_tokens),
        }
    }
}

/// What a session and everything below it used so far. Memory is not among it: a tree's own size
/// counts all that runs in it already.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// User and system CPU seconds.
    pub cpu_seconds: Option<f64>,
    /// Tokens by kind.
    pub tokens: TokenCounts,
    /// What the priced part of them cost.
    pub cost: Money,
    /// Tokens that no price is known for.
    pub unpriced_tokens: u64,
}

impl Totals {
    /// What it used itself: everything, where nothing is known to lie below it.
    pub fn of(figures: &Figures) -> Self {
        Self {
            cpu_seconds: figures.cpu_seconds,
            tokens: figures.tokens,
            cost: figures.cost,
            unpriced_tokens: figures.unpriced_tokens,
        }
    }
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionEnd {
    /// When.
    pub at: Wall,
    /// By the monotonic clock where we saw both ends, else by the wall clock.
    pub duration: Duration,
    /// What the kernel said of its main process, for a run.
    pub status: Option<ExitStatus>,
    /// Why, in a few words that a person understands.
    pub reason: String,
}

/// What becomes of a session when its parent ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnParentEnd {
    /// It ends as well, in the same way.
    #[default]
    End,
    /// It goes on by itself.
    Orphan,
    /// Its parent is held open, as stopping, until it is over.
    Wait,
}

impl OnParentEnd {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::End, Self::Orphan, Self::Wait];

    /// Reads what [`OnParentEnd::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == text)
    }

    /// As it is written in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Orphan => "orphan",
            Self::Wait => "wait",
        }
    }
}
