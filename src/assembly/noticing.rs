//! What of the history is said in the log as well: whoever reads only that must not wonder why a
//! process was stopped, or hear of a leak from the kernel.

use std::sync::Arc;

use tokio::sync::watch;

use crate::ledger::notice::{Gravity, notice};
use crate::ledger::row::{Batch, Row};
use crate::ledger::session::Session;
use crate::ledger::snapshot::Snapshot;
use crate::units::SessionId;

/// Says what of a batch is worth a line.
pub(super) fn tell(batch: &Batch, pictures: &watch::Receiver<Arc<Snapshot>>) {
    let picture = pictures.borrow().clone();
    for row in &batch.rows {
        let Row::Event(event) = row else { continue };
        let process =
            || find(event.session, &picture).map_or(String::new(), |it| it.process.clone());
        let Some(notice) = notice(event, process) else { continue };
        let (whose, text) = (whose(event.session, &picture), notice.text);
        match notice.gravity {
            Gravity::Note => tracing::info!(target: "sessions", "{whose}: {text}"),
            Gravity::Warning => tracing::warn!(target: "sessions", "{whose}: {text}"),
        }
    }
}

fn find(id: SessionId, picture: &Snapshot) -> Option<&Session> {
    let mut sessions = picture.sessions.iter().chain(&picture.ended);
    sessions.find(|session| session.id == id).map(Arc::as_ref)
}

/// The process of a session and what the agent calls it, as far as that is known.
fn whose(id: SessionId, picture: &Snapshot) -> String {
    let Some(session) = find(id, picture) else { return id.to_string() };
    match (session.process.as_str(), &session.native_id) {
        ("", None) => id.to_string(),
        ("", Some(own)) => own.clone(),
        (process, None) => process.to_owned(),
        (process, Some(own)) => format!("{process} ({own})"),
    }
}
