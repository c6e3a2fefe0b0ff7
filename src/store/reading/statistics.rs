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
    /// A tool that was used in them; who used several is counted for each.
    Tool,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Project, Self::User, Self::Agent, Self::Process, Self::Kind, Self::Tool];

    /// As it is asked for.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::User => "user",
            Self::Agent => "agent",
            Self::Process => "process",
            Self::Kind => "kind",
            Self::Tool => "tool",
        }
    }

    fn column(self) -> &'static str {
        match self {
            Self::User => "user_name",
            other => other.as_str(),
        }
    }

    /// Where they are counted from.
    fn source(self) -> &'static str {
        match self {
            Self::Tool => "session_tools JOIN sessions ON id = session_id",
            _ => "sessions",
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
         CAST(sum(events) AS BIGINT), min(started_ms), max(started_ms) FROM {} WHERE 1 = 1",
        bucket(),
        by.source()
    ));
    bound(&mut it, since, until);
    let _ = write!(it.text, " GROUP BY {column}, state, bucket LIMIT {MOST_ROWS}");
    it
}

fn bound(it: &mut Statement, since: Option<Wall>, until: Option<Wall>) {
    for (compared, at) in [(">=", since), ("<", until)] {
        if let Some(at) = at {
            let value = it.value(Value::Number(at.0));
            let _ = write!(it.text, " AND started_ms {compared} {value}");
        }
    }
}

/// The same one by one, for a database that sorts what it groups: name, state, milliseconds if it
/// ended, events, start. Those that ended are read from an index that holds no more than that.
pub fn each(by: By, since: Option<Wall>, until: Option<Wall>) -> Statement {
    let (column, source) = (by.column(), by.source());
    let indexed = if by == By::Tool { "" } else { " INDEXED BY sessions_counted" };
    let mut it = Statement::from(format!(
        "SELECT {column}, state, duration_ms, events, started_ms FROM {source}{indexed} \
         WHERE ended_ms IS NOT NULL"
    ));
    bound(&mut it, since, until);
    let _ = write!(
        it.text,
        " UNION ALL SELECT {column}, state, NULL, events, started_ms FROM {source} \
         WHERE ended_ms IS NULL"
    );
    bound(&mut it, since, until);
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
    let mut tally = Tally::default();
    for row in rows {
        let Some(state) = row.text(1)?.and_then(|text| SessionState::parse(&text)) else {
            continue;
        };
        let count = |at| Ok(row.number(at)?.map(i64::cast_unsigned).unwrap_or_default());
        let wall = |at| Ok(Wall(row.number(at)?.unwrap_or_default()));
        let bucket = row.number(2)?.and_then(|bucket| usize::try_from(bucket).ok());
        let sessions = count(3)?;
        let part = Part { state, bucket, sessions, lasted: count(4)?, events: count(5)? };
        tally.add(&row.text(0)?.unwrap_or_default(), &part, (wall(6)?, wall(7)?));
    }
    Ok(tally.groups())
}

/// Sessions of one name, as they are counted.
#[derive(Default)]
pub struct Tally(BTreeMap<String, Group>);

/// Sessions that have their state and the bucket of their duration in common.
pub struct Part {
    /// Their state.
    pub state: SessionState,
    /// The number of the bucket, where they have ended.
    pub bucket: Option<usize>,
    /// How many they are.
    pub sessions: u64,
    /// Milliseconds that they lasted, together.
    pub lasted: u64,
    /// Events of all.
    pub events: u64,
}

impl Tally {
    /// Counts some of a name, which is empty where there is none; with when the first and the last of
    /// them were opened.
    pub fn add(&mut self, name: &str, part: &Part, (first, last): (Wall, Wall)) {
        // A name is not copied for each of its sessions.
        let group = match self.0.get_mut(name) {
            Some(group) => group,
            None => self.0.entry(name.to_owned()).or_default(),
        };
        *group.states.entry(part.state).or_default() += part.sessions;
        if let Some(bucket) = part.bucket {
            *group.durations.entry((part.state, bucket)).or_default() += part.sessions;
        }
        group.lasted += part.lasted;
        group.events += part.events;
        group.saw(first, last);
    }

    /// Counts one that lasted for so many milliseconds, if it ended.
    pub fn add_one(
        &mut self,
        name: &str,
        state: SessionState,
        lasted: Option<i64>,
        events: i64,
        at: Wall,
    ) {
        let lasted = lasted.map(|millis| u64::try_from(millis).unwrap_or_default());
        let in_bucket = |millis: u64| {
            let found = BUCKETS.iter().position(|seconds| millis <= seconds * 1000);
            found.unwrap_or(BUCKETS.len())
        };
        let events = u64::try_from(events).unwrap_or_default();
        let lasted_all = lasted.unwrap_or_default();
        let bucket = lasted.map(in_bucket);
        self.add(name, &Part { state, bucket, sessions: 1, lasted: lasted_all, events }, (at, at));
    }

    /// The groups, the largest first.
    pub fn groups(self) -> Groups {
        let named = |name: String| (!name.is_empty()).then_some(name);
        let mut groups: Groups =
            self.0.into_iter().map(|(name, group)| (named(name), group)).collect();
        groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.sessions()));
        groups.truncate(MOST_GROUPS);
        groups
    }
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
