//! Who was left behind by a session that is over: pure, from a table of everybody.
//!
//! A name proves nothing: whoever is called `vite` may be somebody's own. So evidence is asked for
//! first, and a name only narrows it down: the session in an environment, a run file of a supervisor
//! that is gone, or descent from one of those. Who is looked after by a living supervisor is never
//! among them, nor is whoever asks with all of its forebears.

use std::collections::{BTreeMap, BTreeSet};

use crate::memory::stat::ProcStat;
use crate::units::{ProcId, SessionId};

/// The names that are looked for where nothing is said: what tools of web projects leave running.
pub const USUAL_NAMES: [&str; 9] =
    ["next-server", "vite", "vitest", "jest", "esbuild", "webpack", "uvicorn", "gunicorn", "node"];

/// Links from a process to its forebears that are followed; real chains have a dozen.
const MOST_LINKS: usize = 256;

/// The kernel keeps so much of a name (`TASK_COMM_LEN`).
const NAME_KEPT: usize = 15;

/// Programs whose first argument says what they run.
const INTERPRETERS: [&str; 6] = ["node", "nodejs", "bun", "deno", "python", "MainThread"];

/// One process, as far as it can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// What the kernel says of it.
    pub stat: ProcStat,
    /// The kernel's short name for it.
    pub name: String,
    /// The first words of its command line.
    pub words: Vec<String>,
    /// The session that its environment names.
    pub session: Option<SessionId>,
    /// Whether it is a procession.
    pub supervises: bool,
    /// Whether its pids are ours: it lives in our pid namespace.
    pub here: bool,
}

/// What is known beside the table.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Who asks, and whoever else must not be touched, with all of their forebears.
    pub spared: Vec<i32>,
    /// The supervisor that answers, where one does.
    pub us: Option<i32>,
    /// Its live sessions with their main processes.
    pub live: Vec<(SessionId, Option<ProcId>)>,
    /// What run files of supervisors that are gone say.
    pub left: Vec<(SessionId, ProcId)>,
}

/// Why somebody counts as left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Its environment names a session that is over.
    Marker,
    /// A run file of a supervisor that is gone names it.
    RunFile,
    /// It descends from somebody who was left behind.
    Lineage,
}

impl Evidence {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Marker => "marker",
            Self::RunFile => "run_file",
            Self::Lineage => "lineage",
        }
    }
}

/// Somebody who was left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Who.
    pub id: ProcId,
    /// Its parent.
    pub parent: i32,
    /// The kernel's short name for it.
    pub name: String,
    /// The first words of its command line.
    pub words: Vec<String>,
    /// The session that is over.
    pub session: SessionId,
    /// Why it counts as left behind.
    pub evidence: Evidence,
}

/// Which names are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// Whatever they are called.
    All,
    /// These.
    Only(Vec<String>),
}

impl Names {
    /// These names; the usual ones where none is given.
    pub fn of(names: Vec<String>) -> Self {
        if names.is_empty() {
            return Self::Only(USUAL_NAMES.map(str::to_owned).to_vec());
        }
        Self::Only(names)
    }

    fn mean(&self, seen: &Seen) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => {
                let called = called(seen);
                names.iter().any(|name| called.iter().any(|called| is_called(called, name)))
            }
        }
    }
}

/// Those who were left behind and have one of these names, in the order of pids.
pub fn orphans(table: &[Seen], known: &Known, names: &Names) -> Vec<Orphan> {
    let table: BTreeMap<i32, &Seen> = table.iter().map(|seen| (seen.stat.id.pid, seen)).collect();
    let look = Look { spared: spared(&table, known), table: &table, known };
    let found: BTreeMap<i32, (SessionId, Evidence)> =
        table.values().filter_map(|seen| Some((seen.stat.id.pid, look.proof(seen)?))).collect();
    let all = table.values().filter_map(|seen| {
        let pid = seen.stat.id.pid;
        let (session, evidence) = match found.get(&pid) {
            Some(found) => *found,
            None => {
                let above = forebears(&table, pid).find_map(|seen| found.get(&seen.stat.id.pid));
                (above.filter(|_| look.may_be(seen))?.0, Evidence::Lineage)
            }
        };
        Some((seen, session, evidence))
    });
    let named = all.filter(|(seen, ..)| names.mean(seen));
    let orphan = |(seen, session, evidence): (&&Seen, SessionId, Evidence)| Orphan {
        id: seen.stat.id,
        parent: seen.stat.ppid,
        name: seen.name.clone(),
        words: seen.words.clone(),
        session,
        evidence,
    };
    named.map(orphan).collect()
}

struct Look<'a> {
    table: &'a BTreeMap<i32, &'a Seen>,
    known: &'a Known,
    spared: BTreeSet<i32>,
}

impl Look<'_> {
    /// Why somebody counts as left behind by itself.
    fn proof(&self, seen: &Seen) -> Option<(SessionId, Evidence)> {
        if !self.may_be(seen) {
            return None;
        }
        let by_file = self.known.left.iter().find(|(_, main)| *main == seen.stat.id);
        let by_marker = || seen.session.map(|session| (session, Evidence::Marker));
        by_file.map(|(session, _)| (*session, Evidence::RunFile)).or_else(by_marker)
    }

    /// Whether it lives, may be touched, and is looked after by nobody.
    fn may_be(&self, seen: &Seen) -> bool {
        let pid = seen.stat.id.pid;
        let lives = seen.stat.is_alive() && seen.here;
        lives && !self.spared.contains(&pid) && !self.is_looked_after(seen)
    }

    /// Whether a living supervisor looks after it: its parents lead to one, or to a live run of the
    /// one that answers. That one adopts strangers as well, so that to descend from it is not enough.
    fn is_looked_after(&self, seen: &Seen) -> bool {
        let is_live = |session: SessionId| self.known.live.iter().any(|(live, _)| *live == session);
        let is_main = |id: ProcId| {
            self.known.live.iter().any(|(_, main)| main.is_some_and(|main| main == id))
        };
        let is_supervisor =
            |seen: &Seen| seen.supervises && Some(seen.stat.id.pid) != self.known.us;
        let mut chain = forebears(self.table, seen.stat.id.pid);
        seen.supervises
            || seen.session.is_some_and(is_live)
            || is_main(seen.stat.id)
            || chain.any(|above| is_supervisor(above) || is_main(above.stat.id))
    }
}

/// Who must not be touched: who asks, with all of its forebears, and the first process of all.
fn spared(table: &BTreeMap<i32, &Seen>, known: &Known) -> BTreeSet<i32> {
    let asking = known.spared.iter().chain(&known.us);
    let all = asking.flat_map(|pid| {
        forebears(table, *pid).map(|seen| seen.stat.id.pid).chain([*pid]).collect::<Vec<_>>()
    });
    all.chain([0, 1]).collect()
}

fn forebears<'a>(
    table: &'a BTreeMap<i32, &'a Seen>,
    pid: i32,
) -> impl Iterator<Item = &'a Seen> + 'a {
    let parent = move |of: i32| {
        let seen = table.get(&of)?;
        table.get(&seen.stat.ppid).copied().filter(|parent| parent.stat.id.pid != of)
    };
    let chain = std::iter::successors(parent(pid), move |seen| parent(seen.stat.id.pid));
    chain.take(MOST_LINKS)
}

/// What somebody may be called by: what the kernel says, the program, and what an interpreter runs.
fn called(seen: &Seen) -> Vec<&str> {
    let mut all = vec![seen.name.as_str()];
    let Some(program) = seen.words.first() else { return all };
    all.extend([program.as_str(), last_part(program)]);
    if INTERPRETERS.iter().any(|name| last_part(program).starts_with(name)) {
        let rest = || seen.words.iter().skip(1);
        let script = rest().find(|word| !word.starts_with('-'));
        all.extend(script.map(|script| without_ending(last_part(script))));
    }
    all
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn without_ending(file: &str) -> &str {
    let endings = [".js", ".mjs", ".cjs", ".ts", ".py"];
    endings.iter().find_map(|ending| file.strip_suffix(ending)).unwrap_or(file)
}

/// Whether this is the name, or begins with it as a word: `next-server (v15)`.
fn is_called(called: &str, name: &str) -> bool {
    let kept = name.get(..NAME_KEPT).unwrap_or(name);
    let rest = called.strip_prefix(name);
    let is_word =
        |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || "-_.".contains(next));
    rest.is_some_and(is_word) || called == kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Wall;

    const OVER: u128 = 1;
    const LIVE: u128 = 2;

    fn session(number: u128) -> SessionId {
        SessionId::new(Wall(0), number)
    }

    fn seen(pid: i32, ppid: i32, name: &str, marker: Option<u128>) -> Seen {
        let id = ProcId { pid, start_ticks: pid.unsigned_abs().into() };
        let stat = ProcStat {
            id,
            ppid,
            pgid: pid,
            sid: pid,
            state: b'S',
            threads: 1,
            own_ticks: 0,
            waited_ticks: 0,
        };
        Seen {
            stat,
            name: name.to_owned(),
            words: vec![format!("/usr/bin/{name}")],
            session: marker.map(session),
            supervises: name == "procession",
            here: true,
        }
    }

    fn id(pid: i32) -> ProcId {
        ProcId { pid, start_ticks: pid.unsigned_abs().into() }
    }

    #[track_caller]
    fn check(table: &[Seen], known: &Known, expected: &[(i32, Evidence)]) {
        let found = orphans(table, known, &Names::of(Vec::new()));
        let found: Vec<_> = found.iter().map(|one| (one.id.pid, one.evidence)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn evidence_is_asked_for_and_a_name_alone_is_none() {
        let table = [
            seen(1, 0, "init", None),
            seen(10, 1, "vite", Some(OVER)),
            seen(11, 10, "esbuild", None),
            seen(12, 10, "bash", None),
            seen(13, 12, "node", None),
            seen(20, 1, "vite", None),
            seen(21, 1, "postgres", Some(OVER)),
            seen(22, 1, "webpack", None),
        ];
        let left =
            vec![(session(OVER), id(22)), (session(OVER), ProcId { pid: 20, start_ticks: 1 })];
        let known = Known { left, ..Known::default() };
        use Evidence::{Lineage, Marker, RunFile};
        check(&table, &known, &[(10, Marker), (11, Lineage), (13, Lineage), (22, RunFile)]);
        let all = orphans(&table, &known, &Names::All);
        let all: Vec<i32> = all.iter().map(|one| one.id.pid).collect();
        assert_eq!(all, [10, 11, 12, 13, 21, 22]);
        let only = orphans(&table, &known, &Names::of(vec!["postgres".into()]));
        assert_eq!(only.iter().map(|one| one.id.pid).collect::<Vec<_>>(), [21]);
    }

    #[test]
    fn whoever_is_looked_after_is_left_alone() {
        let table = [
            seen(1, 0, "init", None),
            seen(5, 1, "procession", None),
            seen(10, 5, "vite", Some(OVER)),
            seen(11, 10, "node", Some(OVER)),
            seen(12, 1, "procession", Some(OVER)),
            seen(13, 12, "node", Some(LIVE)),
        ];
        check(&table, &Known::default(), &[]);
        // The one that answers adopts strangers: those of its live runs are its own, others are not.
        let live = vec![(session(LIVE), Some(id(10)))];
        let known = Known { us: Some(5), live, ..Known::default() };
        check(&table, &known, &[]);
        let live = vec![(session(LIVE), None)];
        let known = Known { us: Some(5), live, ..Known::default() };
        check(&table, &known, &[(10, Evidence::Marker), (11, Evidence::Marker)]);
        let stranger = [table[0].clone(), seen(30, 1, "node", Some(LIVE))];
        check(&stranger, &known, &[]);
    }

    #[test]
    fn who_asks_and_its_forebears_are_spared_and_so_are_the_dead_and_the_distant() {
        let mut table = vec![
            seen(1, 0, "node", Some(OVER)),
            seen(10, 1, "node", Some(OVER)),
            seen(11, 10, "node", Some(OVER)),
            seen(12, 11, "node", Some(OVER)),
            seen(13, 10, "node", Some(OVER)),
        ];
        let known = Known { spared: vec![12], ..Known::default() };
        check(&table, &known, &[(13, Evidence::Marker)]);
        table[4].here = false;
        check(&table, &known, &[]);
        (table[4].here, table[4].stat.state) = (true, b'Z');
        check(&table, &known, &[]);
    }

    #[test]
    fn a_loop_of_parents_ends() {
        let table = [seen(10, 11, "node", Some(OVER)), seen(11, 10, "node", None)];
        check(&table, &Known::default(), &[(10, Evidence::Marker), (11, Evidence::Lineage)]);
    }

    #[test]
    fn names_are_those_that_people_see() {
        let check = |name: &str, words: &[&str], wanted: &str, expected: bool| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            let seen = Seen { words, ..seen(2, 1, name, None) };
            let names = Names::of(vec![wanted.to_owned()]);
            assert_eq!(names.mean(&seen), expected, "{name} {:?} {wanted}", seen.words);
        };
        check("next-server (v1", &["next-server (v15.1.0)"], "next-server", true);
        check("node", &["node", "/app/node_modules/.bin/vite", "--port"], "vite", true);
        check(
            "MainThread",
            &["node", "--inspect", "node_modules/vitest/vitest.mjs"],
            "vitest",
            true,
        );
        check("python3", &["/usr/bin/python3", "-m", "uvicorn", "app:app"], "uvicorn", true);
        check("gunicorn", &["gunicorn: master [app]"], "gunicorn", true);
        check("vitest", &["vitest"], "vite", false);
        check("vite-plugin", &["vite-plugin"], "vite", false);
        check("grep", &["grep", "vite"], "vite", false);
        check("a-name-that-is-", &[], "a-name-that-is-long", true);
        check("", &[], "vite", false);
    }
}
