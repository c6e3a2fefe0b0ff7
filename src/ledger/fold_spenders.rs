//! Agents that go on spending behind the end of their run: something of it was left behind, or somebody
//! else writes into its folder. It is told; whoever is seen to have been left behind may be ended.

use std::time::Duration;

use serde_json::json;

use crate::config::plan::OrphanedSpenders;
use crate::ledger::fold::Ledger;
use crate::ledger::request::Knock;
use crate::ledger::row::{EventSource, Row};
use crate::ledger::sessions::Note;
use crate::tokens::{Usage, UsageSource};
use crate::units::{Now, ProcessIx};

/// So long behind the end a response is of somebody who lives: one that was on its way is given a time
/// of its last line, and clocks of agents are rounded.
const SLACK_MS: i64 = 5_000;

/// Between two times that it is looked for who was left behind.
const ASKED_APART: Duration = Duration::from_secs(30);

impl Ledger {
    /// Looks whether a response was given by somebody whose run is over.
    pub(super) fn spent_behind(&mut self, at: Now, ix: ProcessIx, usage: &Usage) -> Vec<Row> {
        if usage.source != UsageSource::Transcript {
            return Vec::new();
        }
        let ends = self.orphaned_spenders == OrphanedSpenders::End;
        let Some(process) = self.process(ix) else { return Vec::new() };
        let (None, Some(last)) = (&process.run, &process.last) else { return Vec::new() };
        let end = process.view.last_exit;
        if end.is_none_or(|end| usage.at.0 <= end.0.saturating_add(SLACK_MS)) {
            return Vec::new();
        }
        let session = last.session;
        let tokens = usage.tokens.total();
        process.view.orphaned_tokens = process.view.orphaned_tokens.saturating_add(tokens);
        let known = process.orphaned.filter(|(of, _)| *of == session);
        let due = known.is_none_or(|(_, asked)| at.mono.since(asked) >= ASKED_APART);
        if due {
            process.orphaned = Some((session, at.mono));
        }
        let name = process.view.name.clone();
        let mut rows = Vec::new();
        if known.is_none() {
            process.view.orphaned_spenders += 1;
            let detail = json!({
                "conversation": usage.conversation,
                "tokens": tokens,
                "given": usage.at.to_string(),
            });
            let note = Note::new("orphaned_spender", "a response behind its end", detail);
            rows.extend(self.sessions.note(session, at, note.from(EventSource::Tail)));
        }
        if due && ends {
            let detail = json!({ "action": "end" });
            let note = Note::new("orphaned_spender_action", "it goes on spending", detail);
            rows.extend(self.sessions.note(session, at, note));
            self.knocks.push(Knock::EndOrphans { process: name, session });
        }
        rows
    }
}
