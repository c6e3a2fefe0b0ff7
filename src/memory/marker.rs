//! Whose a process is by the variable that we gave its forebears.
//!
//! A tool that starts a server in the background and leaves, between two looks, leaves an orphan
//! without lineage: its parents are gone, its session and group are its own. It still descends from
//! one of our runs, because it came to us, and its environment says from which. Either alone proves
//! nothing, so that both are asked for. Where an environment cannot be read (another user's
//! process, without the capability for it), the process stays unattributed.
//!
//! Reading an environment waits for the memory lock of its process, which can hang for ever (a page
//! that a dead file server owes). So it is read on a thread of its own, and never waited for long.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use crate::clock;
use crate::memory::proc;
use crate::memory::tree::Lineage;
use crate::units::{ProcId, RunId, SessionId};

/// The variable by which a child knows the session that it runs in.
pub const SESSION_VARIABLE: &str = "PROCESSION_SESSION_ID";

/// How much of an environment is read; the kernel's own bound for all of it is megabytes.
const MOST_BYTES: u64 = 128 << 10;

/// Environments that wait to be read. Who finds no place is asked for at the next look.
const MOST_ASKED: usize = 1024;

/// How long one look waits for what it asked: a thousand environments, where none of them hangs.
const PATIENCE: Duration = Duration::from_millis(10);

/// What strangers carry, each read once.
#[derive(Debug)]
pub struct Markers {
    /// Those that were asked for, and what was found so far.
    carried: BTreeMap<ProcId, Option<SessionId>>,
    read: SessionOf,
    reader: Option<Reader>,
}

/// How the session is found that a process carries.
pub(crate) type SessionOf = fn(ProcId) -> Option<SessionId>;

/// The near side of the thread that reads.
#[derive(Debug)]
struct Reader {
    questions: SyncSender<ProcId>,
    answers: Receiver<(ProcId, Option<SessionId>)>,
    unanswered: usize,
}

impl Markers {
    /// Knows nobody yet.
    pub fn new() -> Self {
        Self::reading_by(session_of)
    }

    /// The same with another way to learn it.
    pub(crate) fn reading_by(read: SessionOf) -> Self {
        Self { carried: BTreeMap::new(), read, reader: None }
    }

    /// Places those of the last pass that came to us without lineage and carry a session of ours.
    /// Whose environment is still being read is placed by a later look.
    pub fn place(&mut self, lineage: &mut Lineage, sessions: &[(RunId, SessionId)]) {
        if sessions.is_empty() {
            return;
        }
        // In the order of pids, and so of identities.
        let strangers: Vec<ProcId> = lineage.strangers().collect();
        self.carried.retain(|id, _| strangers.binary_search(id).is_ok());
        self.ask(strangers);
        let run_of = |carried: &Option<SessionId>| {
            let session = (*carried)?;
            sessions.iter().find(|(_, known)| *known == session).map(|(run, _)| *run)
        };
        let found = self.carried.iter().filter_map(|(id, carried)| Some((*id, run_of(carried)?)));
        lineage.place(&found.collect::<Vec<_>>());
    }

    /// Whether somebody's environment is still being read, so that it is not known yet whose that is.
    pub fn are_behind(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.unanswered > 0)
    }

    fn ask(&mut self, strangers: Vec<ProcId>) {
        let new: Vec<ProcId> =
            strangers.into_iter().filter(|id| !self.carried.contains_key(id)).collect();
        if self.reader.is_none() && !new.is_empty() {
            self.reader = Reader::start(self.read);
        }
        let Some(reader) = &mut self.reader else { return };
        let asked = new.into_iter().filter(|id| reader.ask(*id)).collect::<Vec<_>>();
        let patience = if asked.is_empty() { Duration::ZERO } else { PATIENCE };
        self.carried.extend(asked.into_iter().map(|id| (id, None)));
        for (id, session) in reader.answers_within(patience) {
            self.carried.entry(id).and_modify(|carried| *carried = session);
        }
    }
}

impl Default for Markers {
    fn default() -> Self {
        Self::new()
    }
}

impl Reader {
    /// Without a thread nobody is placed by what it carries.
    fn start(read: SessionOf) -> Option<Self> {
        let (questions, asked) = sync_channel::<ProcId>(MOST_ASKED);
        let (answer, answers) = sync_channel(MOST_ASKED);
        let answer_all = move || {
            for id in asked {
                if answer.send((id, read(id))).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("markers".into()).spawn(answer_all);
        thread.ok().map(|_| Self { questions, answers, unanswered: 0 })
    }

    /// Whether there was a place for the question.
    fn ask(&mut self, id: ProcId) -> bool {
        let asked = self.questions.try_send(id).is_ok();
        self.unanswered += usize::from(asked);
        asked
    }

    fn answers_within(&mut self, patience: Duration) -> Vec<(ProcId, Option<SessionId>)> {
        let until = clock::now().mono.after(patience);
        let mut answers = Vec::new();
        while self.unanswered > 0
            && let Ok(answer) = self.answers.recv_timeout(until.since(clock::now().mono))
        {
            self.unanswered -= 1;
            answers.push(answer);
        }
        answers
    }
}

/// The session that a process was started in, by its environment.
pub fn session_of(id: ProcId) -> Option<SessionId> {
    let mut bytes = Vec::new();
    let folder = proc::folder(&proc::stat(id.pid).ok()?);
    let file = File::open(folder + "/environ").ok()?;
    // The open file stays with its process, so that this says whose environment it is.
    if proc::start_ticks(id.pid).ok()? != id.start_ticks {
        return None;
    }
    file.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    marked(&bytes)
}

fn marked(environment: &[u8]) -> Option<SessionId> {
    let variables = environment.split(|byte| *byte == 0);
    let mut values = variables.filter_map(|variable| {
        variable.strip_prefix(SESSION_VARIABLE.as_bytes())?.strip_prefix(b"=")
    });
    values.next_back().and_then(|id| SessionId::parse(std::str::from_utf8(id).ok()?))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::memory::stat::ProcStat;
    use crate::units::Wall;

    const US: i32 = 1;
    const RUN: RunId = RunId(1);

    fn stranger(pid: i32) -> ProcStat {
        let id = ProcId { pid, start_ticks: 5 };
        ProcStat {
            id,
            ppid: US,
            pgid: pid,
            sid: pid,
            state: b'S',
            threads: 1,
            own_ticks: 0,
            waited_ticks: 0,
        }
    }

    fn session() -> SessionId {
        SessionId::new(Wall(1_790_000_000_000), 7)
    }

    /// How many of two strangers are placed by one look.
    fn placed(markers: &mut Markers) -> usize {
        let mut lineage = Lineage::new(US);
        let main = ProcId { pid: 10, start_ticks: 1 };
        lineage.observe(&[stranger(20), stranger(21)], &[(RUN, main)]);
        markers.place(&mut lineage, &[(RUN, session())]);
        lineage.members(RUN).count()
    }

    #[test]
    fn who_carries_our_session_is_placed() {
        let mut markers = Markers::reading_by(|id| (id.pid == 21).then(session));
        // Both were read once the second one is placed.
        while placed(&mut markers) == 0 {}
        assert_eq!(placed(&mut markers), 1);
    }

    #[test]
    fn an_environment_that_cannot_be_read_for_a_while_holds_up_nobody() {
        static HANGS: Mutex<()> = Mutex::new(());
        let hang = HANGS.lock().expect("nobody panicked");
        let mut markers = Markers::reading_by(|_| {
            drop(HANGS.lock());
            Some(session())
        });
        assert_eq!(placed(&mut markers), 0);
        drop(hang);
        while placed(&mut markers) < 2 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_pid_says_nothing_without_its_start_time() {
        let mut child = std::process::Command::new("sleep")
            .arg("300")
            .env(SESSION_VARIABLE, session().to_string())
            .spawn()
            .expect("a child");
        let pid = child.id().cast_signed();
        let start_ticks = proc::start_ticks(pid).expect("it lives");
        let began = std::time::Instant::now();
        while session_of(ProcId { pid, start_ticks }) != Some(session()) {
            assert!(began.elapsed() < Duration::from_secs(20), "it was never executed");
        }
        assert_eq!(session_of(ProcId { pid, start_ticks: start_ticks + 1 }), None);
        child.kill().and_then(|()| child.wait()).expect("it ends");
    }

    #[test]
    fn the_variable_is_found_whole_and_nowhere_else() {
        let id = SessionId::new(Wall(1_790_000_000_000), 7);
        let check = |text: String, found: Option<SessionId>| {
            assert_eq!(marked(text.as_bytes()), found, "{text:?}");
        };
        check(format!("A=1\0PROCESSION_SESSION_ID={id}\0B=2\0"), Some(id));
        check(format!("PROCESSION_SESSION_ID={id}"), Some(id));
        check(format!("XPROCESSION_SESSION_ID={id}\0"), None);
        check(format!("A=PROCESSION_SESSION_ID={id}\0"), None);
        check("PROCESSION_SESSION_ID=\0".into(), None);
        check("PROCESSION_SESSION_ID=not an id\0".into(), None);
        check(String::new(), None);
    }
}
