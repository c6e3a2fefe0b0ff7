//! `agent`: which coding agent a process runs, and where its transcripts lie.

use crate::config::cursor::Cursor;
use crate::config::plan::{AgentPlan, Dialect};
use crate::config::read;
use crate::config::surroundings::Surroundings;

/// `claude`, or a map with `name`, `dialect` and `transcripts`.
pub(super) fn agent(at: &Cursor<'_>, around: &Surroundings<'_>) -> Option<AgentPlan> {
    if !at.is_map() {
        let dialect = dialect(at)?;
        return Some(AgentPlan { name: "claude".to_owned(), dialect, transcripts: vec![] });
    }
    let mut fields = at.fields("an agent")?;
    let plan = AgentPlan {
        name: fields.read("name", read::name).unwrap_or_else(|| "claude".to_owned()),
        dialect: fields.read("dialect", dialect).unwrap_or(Dialect::Claude),
        transcripts: fields.read("transcripts", |at| read::paths(at, around)).unwrap_or_default(),
    };
    fields.finish(&[("path", "did you mean `transcripts`?")]);
    Some(plan)
}

fn dialect(at: &Cursor<'_>) -> Option<Dialect> {
    let known = |text: &str| (text == "claude").then_some(Dialect::Claude);
    at.parsed("`claude`", known, |_| {
        Some("only Claude Code's transcripts can be read so far".to_owned())
    })
}
