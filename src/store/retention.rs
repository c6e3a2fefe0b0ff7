//! What goes when its time is over, and what goes because somebody says so, in whichever store.
//!
//! Both take short steps, so that commits never wait for long behind them. A session goes with all
//! that is its own; what was counted of it stays counted.

use crate::config::plan::RetentionPlan;
use crate::ledger::forget::Whose;
use crate::store::reading::statement::{Statement, Value};
use crate::units::Wall;

/// Sessions that one step removes or archives.
pub const PRUNED_SESSIONS: u32 = 100;
/// Rows of one other table that one step of pruning removes.
pub const PRUNED_ROWS: u32 = 2_000;

/// What belongs to a session (`$1`) and goes with its history. Responses stay, without saying whose
/// they were: the keys keep them from being counted twice.
pub const HISTORY: [&str; 5] = [
    "DELETE FROM session_events WHERE session_id = $1",
    "DELETE FROM memory_samples WHERE session_id = $1",
    "DELETE FROM interactions WHERE session_id = $1",
    "DELETE FROM session_output WHERE session_id = $1",
    "UPDATE token_usage SET session_id = NULL, conversation = '' WHERE session_id = $1",
];

/// What becomes of a session (`$2`) whose history went at a time (`$1`): its outline stays. Values are
/// numbered as they appear, because SQLite takes `$1` for a name.
pub const ARCHIVE: &str = "UPDATE sessions SET context = NULL, project = NULL, archived_ms = $1 \
    WHERE id = $2";

/// The session (`$1`) itself, with its place in the chain of its agent.
pub const OUTLINE: [&str; 2] =
    ["DELETE FROM agent_chains WHERE session_id = $1", "DELETE FROM sessions WHERE id = $1"];

/// Sessions whose history may go: they ended well before `$1`, or otherwise before `$2`.
pub const TO_ARCHIVE: &str = "SELECT id FROM sessions WHERE archived_ms IS NULL AND ended_ms IS NOT \
    NULL AND ended_ms < CASE state WHEN 'completed' THEN CAST($1 AS bigint) \
    ELSE CAST($2 AS bigint) END ORDER BY ended_ms LIMIT $3";

/// Outlines that may go: of sessions that ended before `$1`.
pub const TO_DROP: &str = "SELECT id FROM sessions WHERE archived_ms IS NOT NULL AND ended_ms < $1 \
    ORDER BY ended_ms LIMIT $2";

/// The times before which things may go, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Sessions that ended well.
    pub completed: i64,
    /// Other sessions, and what is known of tokens.
    pub failed: i64,
    /// Outlines.
    pub archived: i64,
    /// Lines of the audit trail.
    pub audit: i64,
    /// Samples.
    pub samples: i64,
}

impl Bounds {
    /// By a plan, at a time.
    pub fn at(now: Wall, plan: &RetentionPlan) -> Self {
        let before = |keep: std::time::Duration| {
            now.0.saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX))
        };
        Self {
            completed: before(plan.completed),
            failed: before(plan.failed),
            archived: before(plan.archived),
            audit: before(plan.audit),
            samples: before(plan.samples),
        }
    }
}

/// The ended sessions that somebody wants forgotten, parts before what they are a part of, so that a
/// step which is the last one leaves nothing that could not be found again. `chosen` is what is
/// selected: `id` or `count(*)`.
pub fn meant(whose: &Whose, chosen: &str) -> Statement {
    let mut it = Statement::default();
    match whose {
        Whose::User(name) => theirs(&mut it, "user_name", name, chosen),
        Whose::Agent(name) => theirs(&mut it, "agent", name, chosen),
        Whose::Older { than, states } => {
            let than = it.value(Value::Number(than.0));
            it.push(&format!("SELECT {chosen} FROM sessions WHERE ended_ms < {than}"));
            let states: Vec<String> =
                states.iter().map(|state| it.value(Value::Text(state.as_str().into()))).collect();
            if !states.is_empty() {
                it.push(&format!(" AND state IN ({})", states.join(", ")));
            }
        }
    }
    it
}

fn theirs(it: &mut Statement, column: &str, name: &str, chosen: &str) {
    let name = it.value(Value::Text(name.replace('\0', "\u{fffd}")));
    it.push(&format!(
        "WITH RECURSIVE theirs (id) AS (SELECT id FROM sessions WHERE {column} = {name} \
         UNION SELECT s.id FROM sessions s JOIN theirs t ON s.parent = t.id) \
         SELECT {chosen} FROM sessions WHERE id IN (SELECT id FROM theirs) \
         AND ended_ms IS NOT NULL"
    ));
}

/// One step of what is meant.
pub fn one_step(whose: &Whose) -> Statement {
    let mut it = meant(whose, "id");
    it.push(&format!(" ORDER BY started_ms DESC, id DESC LIMIT {PRUNED_SESSIONS}"));
    it
}
