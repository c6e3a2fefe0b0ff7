//! What of the history is said in the log as well: whoever reads only that must not wonder why a
//! process was stopped, or hear of a leak from the kernel.

use std::sync::Arc;

use tokio::sync::watch;

use crate::ledger::notice::{Gravity, notice};
use crate::ledger::row::{Batch, Row};
use crate::ledger::snapshot::Snapshot;
use crate::units::SessionId;

/// Says what of a batch is worth a line.
pub(super) fn tell(batch: &Batch, pictures: &watch::Receiver<Arc<Snapshot>>) {
    for row in &batch.rows {
        let Row::Event(event) = row else { continue };
        let Some(notice) = notice(event) else { continue };
        let (whose, text) = (whose(event.session, &pictures.borrow()), notice.text);
        match notice.gravity {
            Gravity::Note => tracing::info!(target: "sessions", "{whose}: {text}"),
            Gravity::Warning => tracing::warn!(target: "sessions", "{whose}: {text}"),
        }
    }
}

/// The process of a session and what the agent calls it, as far as that is known.
fn whose(id: SessionId, picture: &Snapshot) -> String {
    let mut sessions = picture.sessions.iter().chain(&picture.ended);
    let Some(session) = sessions.find(|session| session.id == id) else { return id.to_string() };
    match (session.process.as_str(), &session.native_id) {
        ("", None) => id.to_string(),
        ("", Some(own)) => own.clone(),
        (process, None) => process.to_owned(),
        (process, Some(own)) => format!("{process} ({own})"),
    }
}
