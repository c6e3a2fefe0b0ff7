//! How many sessions there were, how they ended, and how long they lasted, by what they have in common.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::kept::Columns;
use super::statement::{Statement, Value};
use crate::ledger::session::SessionState;
use crate::units::Wall;

/// The upper ends of the buckets of durations, in seconds: from a command to a day of work.
pub const BUCKETS: [u64; 9] = [1, 10, 60, 300, 1_800, 3_600, 14_400, 43_200, 86_400];

/// Rows that are read for one answer: names, times ends, times buckets.
const MOST_ROWS: u32 = 20_000;

/// The most groups that are told, the largest first.
pub const MOST_GROUPS: usize = 200;

/// What sessions have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The checkout or folder.
    Project,
    /// The user.
    User,
    /// The agent.
    Agent,
    /// The process.
    Process,
    /// The kind.
    Kind,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Project, Self::User, Self::Agent, Self::Process, Self::Kind];

    /// As it is asked for.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::User => "user",
            Self::Agent => "agent",
            Self::Process => "process",
            Self::Kind => "kind",
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::User => "user_name",
            other => other.as_str(),
        }
    }
}

/// Sessions that have something in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// By state.
    pub states: BTreeMap<SessionState, u64>,
    /// Of those that ended, by end and by the number of the bucket; beyond the last one is the one
    /// behind it.
    pub durations: BTreeMap<(SessionState, usize), u64>,
    /// Milliseconds that those that ended lasted, together.
    pub lasted: u64,
    /// Events of all.
    pub events: u64,
    /// When the first and the last of them were opened.
    pub opened: Option<(Wall, Wall)>,
}

/// Groups by name, the largest first; those without a name have none.
pub type Groups = Vec<(Option<String>, Group)>;

/// Sessions that were opened in a span of time, counted where they are kept.
pub fn statement(by: By, since: Option<Wall>, until: Option<Wall>) -> Statement {
    let column = by.column();
    let mut it = Statement::from(format!(
        "SELECT {column}, state, {} AS bucket, count(*), CAST(sum(duration_ms) AS BIGINT), \
         CAST(sum(events) AS BIGINT), min(started_ms), max(started_ms) FROM sessions WHERE 1 = 1",
        bucket()
    ));
    for (compared, at) in [(">=", since), ("<", until)] {
        if let Some(at) = at {
            let value = it.value(Value::Number(at.0));
            let _ = write!(it.text, " AND started_ms {compared} {value}");
        }
    }
    let _ = write!(it.text, " GROUP BY {column}, state, bucket LIMIT {MOST_ROWS}");
    it
}

/// The number of the bucket as an expression; a whole number of eight bytes, as all are read.
fn bucket() -> String {
    let mut text = "CAST(CASE WHEN ended_ms IS NULL THEN NULL".to_owned();
    for (number, seconds) in BUCKETS.iter().enumerate() {
        let _ = write!(text, " WHEN duration_ms <= {} THEN {number}", seconds * 1000);
    }
    let _ = write!(text, " ELSE {} END AS BIGINT)", BUCKETS.len());
    text
}

/// What the rows say.
pub fn groups<C: Columns>(rows: &[C]) -> Result<Groups, C::Fault> {
    let mut groups: BTreeMap<Option<String>, Group> = BTreeMap::new();
    for row in rows {
        let Some(state) = row.text(1)?.and_then(|text| SessionState::parse(&text)) else {
            continue;
        };
        let count = |at| Ok(row.number(at)?.map(i64::cast_unsigned).unwrap_or_default());
        let wall = |at| Ok(Wall(row.number(at)?.unwrap_or_default()));
        let group = groups.entry(row.text(0)?.filter(|name| !name.is_empty())).or_default();
        let sessions = count(3)?;
        *group.states.entry(state).or_default() += sessions;
        if let Some(bucket) = row.number(2)?.and_then(|bucket| usize::try_from(bucket).ok()) {
            *group.durations.entry((state, bucket)).or_default() += sessions;
        }
        group.lasted += count(4)?;
        group.events += count(5)?;
        group.saw(wall(6)?, wall(7)?);
    }
    let mut groups: Groups = groups.into_iter().collect();
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.sessions()));
    groups.truncate(MOST_GROUPS);
    Ok(groups)
}

impl Group {
    /// All of them.
    pub fn sessions(&self) -> u64 {
        self.states.values().sum()
    }

    /// Those in a state.
    pub fn of(&self, state: SessionState) -> u64 {
        self.states.get(&state).copied().unwrap_or_default()
    }

    /// Those that have ended.
    pub fn ended(&self) -> u64 {
        self.states.iter().filter(|(state, _)| state.is_end()).map(|(_, count)| count).sum()
    }

    /// With those of another group.
    pub fn add(&mut self, other: &Self) {
        other.states.iter().for_each(|(key, n)| *self.states.entry(*key).or_default() += n);
        other.durations.iter().for_each(|(key, n)| *self.durations.entry(*key).or_default() += n);
        self.lasted += other.lasted;
        self.events += other.events;
        if let Some((first, last)) = other.opened {
            self.saw(first, last);
        }
    }

    fn saw(&mut self, first: Wall, last: Wall) {
        let (one, other) = self.opened.unwrap_or((first, last));
        self.opened = Some((one.min(first), other.max(last)));
    }
}
