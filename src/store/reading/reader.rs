//! Asking the store's thread, from anywhere.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Answer, Question};
use crate::store::shelf::Shelf;

/// How long a question may take, with those before it and with the commit that is under way.
const PATIENCE: Duration = Duration::from_secs(3);

/// Questions that may wait; each is answered within milliseconds.
pub const MOST_QUESTIONS: usize = 32;

/// Asks what is kept. Its copies ask the same thread.
#[derive(Clone, Default)]
pub struct Reader {
    /// Absent where history is in memory.
    shelf: Option<Arc<Shelf>>,
}

/// A question on its way, with whom it is to be answered to.
pub struct Asked {
    /// What is asked.
    pub question: Question,
    /// Who waits for it.
    pub reply: oneshot::Sender<Result<Answer, Unanswered>>,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// History is in memory: what the picture shows is all there is.
    InMemory,
    /// Too much is asked or written at once; it may be answered in a moment.
    Busy,
    /// The store is away, for this reason.
    Away(String),
    /// It could not be answered, for this reason.
    Failed(String),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InMemory => f.write_str("history is kept in memory: only live sessions and those that ended lately are known"),
            Self::Busy => f.write_str("the store is busy"),
            Self::Away(why) => write!(f, "the store is away: {why}"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl Reader {
    /// Of whatever the thread of this shelf keeps.
    pub(in crate::store) fn of(shelf: Arc<Shelf>) -> Self {
        Self { shelf: Some(shelf) }
    }

    /// Where there is nothing to ask.
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Whether anything outlives us, so that there is something to ask.
    pub fn keeps(&self) -> bool {
        self.shelf.is_some()
    }

    /// Asks, and waits for the answer for a few seconds at most.
    pub async fn ask(&self, question: Question) -> Result<Answer, Unanswered> {
        let Some(shelf) = &self.shelf else { return Err(Unanswered::InMemory) };
        let (reply, answer) = oneshot::channel();
        shelf.ask(Asked { question, reply })?;
        match timeout(PATIENCE, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Unanswered::Away("its thread is gone".to_owned())),
            Err(_) => Err(Unanswered::Busy),
        }
    }
}
