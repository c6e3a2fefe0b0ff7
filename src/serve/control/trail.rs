//! The audit trail: who asked for what at these doors, and what they got.
//!
//! A line is written when a request was answered, and never waited for: it is kept here, within a
//! bound, and handed on to the history with everything else that is kept. What could not be kept
//! there is counted with the rows that the store gave up.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::role::{Caller, Role, Who};
use crate::clock;
use crate::ledger::audit::AuditRow;
use crate::secret::masker::Masker;
use crate::store::reading::Page;
use crate::store::reading::audit::AuditWanted;
use crate::units::{Mono, SessionId};

/// Lines that are kept in memory; the history keeps the rest.
const KEPT: usize = 1000;

/// Between two lines of those who were let in nowhere: whoever guesses tokens must not push
/// everything else out.
const STRANGERS: Duration = Duration::from_secs(1);

/// The longest text of a line, in characters.
const LONGEST: usize = 500;

/// How a line is handed on to the history; must not wait.
pub type Keep = Box<dyn Fn(AuditRow) + Send + Sync>;

/// The trail of one life, with what is handed on.
pub struct Trail {
    keep: Keep,
    masker: Masker,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    /// Oldest first.
    rows: VecDeque<AuditRow>,
    /// Lines that had to go for others.
    let_go: u64,
    /// When a stranger was last written down, and how many were not since.
    strangers: Option<(Mono, u64)>,
    written: u64,
}

/// What was asked for, and what came of it.
pub(super) struct Asked<'a> {
    /// The method and the pattern of the address.
    pub(super) action: String,
    /// Of which process, session or agent.
    pub(super) target: &'a str,
    /// The status of the answer.
    pub(super) outcome: u16,
}

impl Trail {
    /// A trail whose lines are handed on so, masked by these patterns.
    pub fn new(keep: Keep, masker: Masker) -> Self {
        Self { keep, masker, held: Mutex::default() }
    }

    /// A trail of this life alone.
    pub fn in_memory() -> Self {
        Self::new(Box::new(|_| {}), Masker::default())
    }

    /// Writes down what somebody asked for.
    pub(super) fn note(&self, caller: &Caller, asked: Asked<'_>) {
        let said = caller.said.get().map_or("", String::as_str);
        let line = self.line(&caller.who, caller.role.as_str(), asked, said);
        let line = AuditRow {
            reason: caller.reason.as_deref().map(|reason| self.text(reason)),
            session: match &caller.role {
                Role::Member { session, .. } => Some(*session),
                _ => None,
            },
            ..line
        };
        self.write(line);
    }

    /// Writes down that somebody was not let in, as long as that does not happen all the time.
    pub(super) fn note_stranger(&self, who: &Who, outcome: u16) {
        let now = clock::now().mono;
        let unsaid = {
            let mut held = self.lock();
            match held.strangers {
                Some((last, unsaid)) if now.since(last) < STRANGERS => {
                    held.strangers = Some((last, unsaid + 1));
                    return;
                }
                last => {
                    held.strangers = Some((now, 0));
                    last.map_or(0, |(_, unsaid)| unsaid)
                }
            }
        };
        let said = match unsaid {
            0 => "not let in".to_owned(),
            more => format!("not let in, as {more} before"),
        };
        let asked = Asked { action: "enter".to_owned(), target: "", outcome };
        self.write(self.line(who, "stranger", asked, &said));
    }

    /// Lines of this life that are asked for, newest first.
    pub(super) fn page(&self, wanted: &AuditWanted) -> Page<AuditRow> {
        let held = self.lock();
        let mut found = held.rows.iter().rev().filter(|row| wanted.admits(row));
        let items = found.by_ref().take(wanted.limit as usize).cloned().collect();
        Page { items, more: found.next().is_some() }
    }

    /// Lines of this life that are not here any more.
    pub(super) fn let_go(&self) -> u64 {
        self.lock().let_go
    }

    fn line(&self, who: &Who, role: &str, asked: Asked<'_>, said: &str) -> AuditRow {
        let now = clock::now().wall;
        let written = {
            let mut held = self.lock();
            held.written += 1;
            held.written
        };
        // In the order in which they were written, and of no other life.
        let random = u128::from(written) << 40 | u128::from(fastrand::u64(..) >> 24);
        let mut row = AuditRow {
            id: SessionId::new(now, random),
            at: now,
            action: asked.action,
            target: self.text(asked.target),
            said: self.text(said),
            outcome: asked.outcome,
            reason: None,
            role: role.to_owned(),
            token: None,
            remote: None,
            uid: None,
            pid: None,
            name: None,
            session: None,
        };
        match who {
            Who::Peer(peer) => {
                row.uid = Some(peer.uid);
                row.pid = Some(peer.pid);
                row.name = Some(self.text(&peer.name));
            }
            Who::Remote { from, token } => {
                row.remote = Some(from.to_string());
                row.token = token.clone();
            }
        }
        row
    }

    fn text(&self, text: &str) -> String {
        let cut: String = text.chars().take(LONGEST).collect();
        self.masker.text(&cut)
    }

    fn write(&self, row: AuditRow) {
        {
            let mut held = self.lock();
            if held.rows.len() == KEPT {
                held.rows.pop_front();
                held.let_go += 1;
            }
            held.rows.push_back(row.clone());
        }
        (self.keep)(row);
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::serve::control::role::Limits;

    fn caller() -> Caller {
        let from = ([127, 0, 0, 1], 5).into();
        let who = Who::Remote { from, token: Some("ci".to_owned()) };
        Caller::new(who, Role::Admin(Limits::default()))
            .because(Some("as jane@mail.example".into()))
    }

    fn all(limit: u32) -> AuditWanted {
        AuditWanted { limit, ..AuditWanted::default() }
    }

    fn asked(target: &str) -> Asked<'_> {
        Asked { action: "GET /x".to_owned(), target, outcome: 200 }
    }

    #[test]
    fn lines_are_masked_handed_on_and_kept_within_a_bound() {
        let handed = Arc::new(Mutex::new(0));
        let count = Arc::clone(&handed);
        let keep = Box::new(move |_| *count.lock().expect("sound") += 1);
        let trail = Trail::new(keep, Masker::default());
        (0..KEPT + 5).for_each(|n| trail.note(&caller(), asked(&n.to_string())));
        assert_eq!((*handed.lock().expect("sound"), trail.let_go()), (KEPT + 5, 5));
        let page = trail.page(&all(2));
        let targets: Vec<&str> = page.items.iter().map(|row| row.target.as_str()).collect();
        assert_eq!((targets, page.more), (vec!["1004", "1003"], true));
        assert!(page.items[0].id > page.items[1].id);
        assert_eq!(page.items[0].reason.as_deref(), Some("as ***"));
        assert_eq!(page.items[0].token.as_deref(), Some("ci"));
    }

    #[test]
    fn strangers_do_not_push_everything_else_out() {
        let trail = Trail::in_memory();
        trail.note(&caller(), asked("web"));
        (0..KEPT * 2).for_each(|_| trail.note_stranger(&caller().who, 401));
        let page = trail.page(&all(100));
        assert!(page.items.len() < 100, "one a second");
        assert_eq!(page.items.last().map(|row| row.target.as_str()), Some("web"));
    }
}
