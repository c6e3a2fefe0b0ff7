//! `agent`: which coding agent a process runs, where its transcripts lie, and how full its window may
//! become.

use crate::chains::limits::Limits;
use crate::config::cursor::{Cursor, Fields};
use crate::config::plan::{AgentPlan, Dialect};
use crate::config::read;
use crate::config::surroundings::Surroundings;

/// The smallest window that is worth a hand-over: the prompt of an agent alone takes more.
const SMALLEST_WINDOW: i64 = 1_000;
/// A hundred times the largest window that is sold.
const LARGEST_WINDOW: i64 = 100_000_000;

/// `claude`, `codex`, `gemini` or `opencode`, or a map with `name`, `dialect`, `transcripts`, `context_window`, `hand_over_at` and
/// `full_at`.
pub(super) fn agent(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<AgentPlan> {
    if !at.is_map() {
        let dialect = dialect(at)?;
        let (name, limits) = (dialect.as_str().to_owned(), Limits::default());
        return Some(AgentPlan { name, dialect, transcripts: vec![], limits });
    }
    let mut fields = at.fields("an agent")?;
    let name = fields.read("name", read::name);
    let dialect = fields.read("dialect", dialect).unwrap_or(Dialect::Claude);
    let plan = AgentPlan {
        name: name.unwrap_or_else(|| dialect.as_str().to_owned()),
        dialect,
        transcripts: fields.read("transcripts", |at| read::paths(at, around)).unwrap_or_default(),
        limits: limits(at, &mut fields),
    };
    fields.finish(&[
        ("path", "did you mean `transcripts`?"),
        ("window", "did you mean `context_window`?"),
    ]);
    Some(plan)
}

fn limits(agent: &Cursor<'_>, fields: &mut Fields<'_>) -> Limits {
    let usual = Limits::default();
    let window = |at: &Cursor<'_>| read::whole(at, SMALLEST_WINDOW, LARGEST_WINDOW);
    let part = |at: &Cursor<'_>| read::number(at, 0.01, 1.0);
    let limits = Limits {
        window: fields.read("context_window", window).map(i64::cast_unsigned),
        hand_over_at: fields.read("hand_over_at", part).unwrap_or(usual.hand_over_at),
        full_at: fields.read("full_at", part).unwrap_or(usual.full_at),
    };
    if limits.hand_over_at > limits.full_at {
        let why =
            "`hand_over_at` is beyond `full_at`, so that nothing would be handed over in time";
        agent.fault(why, "make `hand_over_at` the smaller part: 0.85 and 0.9 unless written");
    }
    limits
}

fn dialect(at: &Cursor<'_>) -> Option<Dialect> {
    at.parsed("`claude`, `codex`, `gemini` or `opencode`", Dialect::named, |_| {
        Some("what other agents write cannot be read".to_owned())
    })
}
