//! What is kept of sessions that were left open and could go on: asked for once, at the start.

use crate::ledger::entry::{KeptOpen, OpenSession};
use crate::ledger::session::{OnParentEnd, SessionKind};
use crate::store::reading::kept::KeptEvent;
use crate::store::reading::{Answer, Question};
use crate::store::{Store, StoreError};

/// Sessions of which it is asked for, the oldest first; more than ever live at once.
const MOST: usize = 500;

/// Fills in what is kept of those that could go on.
pub(super) fn fill_in(store: &mut dyn Store, open: &mut [OpenSession]) -> Result<(), StoreError> {
    // A conversation goes on with its run only, of which little is known where that is not kept.
    let goes_on_by_itself =
        |session: &&mut OpenSession| session.ours && session.kind != SessionKind::Conversation;
    let talks =
        |session: &&mut OpenSession| session.ours && session.kind == SessionKind::Conversation;
    for session in open.iter_mut().filter(goes_on_by_itself).take(MOST) {
        session.kept = kept(store, session)?.map(Box::new);
    }
    for session in open.iter_mut().filter(talks).take(MOST) {
        session.kept = kept(store, session)?.map(Box::new);
    }
    Ok(())
}

fn kept(store: &mut dyn Store, open: &OpenSession) -> Result<Option<KeptOpen>, StoreError> {
    let Answer::Session(Some(session)) = store.answer(&Question::Session(open.id.to_string()))?
    else {
        return Ok(None);
    };
    let first = Question::Events { session: open.id, from: 0, limit: 1 };
    let Answer::Events(events) = store.answer(&first)? else { return Ok(None) };
    Ok(events.items.first().map(|opened| understood(*session, opened)))
}

fn understood(session: crate::ledger::session::Session, opened: &KeptEvent) -> KeptOpen {
    let policy = opened.context["on_parent_end"].as_str().and_then(OnParentEnd::parse);
    let bound = opened.context["bound"].as_bool().unwrap_or(false);
    KeptOpen { session, on_parent_end: policy.unwrap_or_default(), bound }
}
