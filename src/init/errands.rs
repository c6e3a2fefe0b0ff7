//! Commands that are run beside a process: its hooks, and the tests of its health. Each is spawned
//! like a run, in a group of its own, and reaped by the one reaper.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use crate::config::plan::{Hook, Mode, ProcessPlan, Stdin, Test};
use crate::init::children::{Latest, failed_before};
use crate::init::inlets::{Inlets, nowhere};
use crate::init::last_words::{self, LastWords};
use crate::init::spawn::Extras;
use crate::init::sys::child::Lent;
use crate::init::trees::tree_of;
use crate::init::{Body, spawn, sys};
use crate::memory::proc;
use crate::supervise::fact::{ErrandEnd, Fact, SpawnFailure, SpawnStep};
use crate::supervise::lifecycle::Role;
use crate::units::{ErrandId, ExitStatus, ProcId, ProcessIx, RunId, Signal};

/// What is asked for by [`crate::supervise::action::Action::Assist`].
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) errand: ErrandId,
    pub(super) process: ProcessIx,
    pub(super) run: RunId,
    pub(super) role: Role,
    pub(super) status: Option<ExitStatus>,
}

/// An errand that is under way.
pub(super) struct Errand {
    pub(super) id: ProcId,
    role: Role,
    run: RunId,
    /// What it writes, for a test of health.
    words: Option<LastWords>,
    /// Says why there is no program, where there is none.
    pipe: OwnedFd,
    /// What it uses of our memory until it has executed.
    lent: Option<Lent>,
}

impl Body {
    pub(super) fn assist(&mut self, asked: Asked) {
        match self.set_out(asked) {
            Ok(errand) => drop(self.errands.insert(asked.errand, errand)),
            Err(failure) => {
                let (errand, end) = (asked.errand, ErrandEnd::NotSpawned(failure));
                self.learnt.push_back(Fact::ErrandEnded { errand, end });
            }
        }
        self.kin.expire_look();
    }

    fn set_out(&mut self, asked: Asked) -> Result<Errand, SpawnFailure> {
        let Asked { process, run, role, .. } = asked;
        let short = |error: io::Error| failed_before(&error);
        let plan = command_of(self.plan.process(process), role).ok_or(unheard_of(libc::ENOENT))?;
        let heard = role != Role::HealthTest;
        let inlets = if heard { self.inlets(process) } else { None };
        let mut extras = inlets.as_ref().map_or_else(Extras::default, Inlets::extras);
        // What tests of health write is of no use but for its end when they fail.
        let (near, far) = match (heard, last_words::open()) {
            (true, _) => (None, None),
            (false, Ok((near, far))) => (Some(near), Some(far)),
            (false, Err(_)) => (None, Some(nowhere().map_err(short)?)),
        };
        if let Some(far) = &far {
            extras.outputs = [Some(far.as_raw_fd()); 2];
        }
        let latest = self.latest.get(&process).filter(|latest| latest.run == run);
        let Latest { session, main, .. } = *latest.ok_or(unheard_of(libc::ESRCH))?;
        self.explain(asked, main, &mut extras);
        // Apart from the terminal in any mode.
        let forked = spawn::spawn(&plan, Mode::Supervise, session, self.open_files, &extras)?;
        let start_ticks = proc::start_ticks(forked.pid).unwrap_or(0);
        let id = ProcId { pid: forked.pid, start_ticks };
        self.attach(run, process, inlets);
        let words = near.and_then(|near| LastWords::of(near, asked.errand, &self.bells).ok());
        Ok(Errand { id, role, run, words, pipe: forked.pipe, lent: forked.lent })
    }

    /// What the command is told of the run that it is about.
    fn explain(&self, asked: Asked, main: Option<ProcId>, extras: &mut Extras) {
        let name = self.plan.process(asked.process).name.clone();
        extras.variables.push(("PROCESSION_PROCESS", name));
        if let Some(main) = main {
            extras.variables.push(("PROCESSION_PID", main.pid.to_string()));
        }
        if let Some(status) = asked.status {
            extras.variables.push(("PROCESSION_EXIT_CODE", status.code().to_string()));
        }
    }

    /// Kills an errand with its tree; the reaper tells of its end.
    pub(super) fn end_errand(&mut self, errand: ErrandId) {
        let Some(id) = self.errands.get(&errand).map(|errand| errand.id) else { return };
        self.look_unless_just_done();
        self.kin.signal_tree(tree_of(errand), Signal::KILL);
        // Unreaped, its number is certain, and the group may be younger than the look.
        let _ = sys::signal_group(id.pid, Signal::KILL)
            .or_else(|_| sys::signal_pid(id.pid, Signal::KILL));
    }

    /// Reads what a test of health wrote.
    pub(super) fn hear_out(&mut self, errand: ErrandId) {
        let words = self.errands.get_mut(&errand).and_then(|errand| errand.words.as_mut());
        words.into_iter().for_each(LastWords::take);
    }

    /// What the test of a run's health wrote last that has just failed, be it alive or not.
    pub(super) fn last_words(&mut self, run: RunId) -> Option<Arc<str>> {
        let mut alive = self.errands.values_mut();
        match alive.find(|errand| errand.run == run && errand.role == Role::HealthTest) {
            Some(Errand { words, .. }) => words.as_mut().and_then(|words| {
                words.take();
                words.text()
            }),
            None => self.said.remove(&run),
        }
    }

    fn errand_of(&self, pid: i32) -> Option<ErrandId> {
        self.errands.iter().find(|(_, errand)| errand.id.pid == pid).map(|(errand, _)| *errand)
    }

    /// Whether it is an errand that is dying. What a test of health or a last hook leaves behind has
    /// no one to belong to; what a hook of a live run leaves behind ends with the run.
    pub(super) fn errand_is_dying(&mut self, pid: i32) -> bool {
        let Some(errand) = self.errand_of(pid) else { return false };
        let role = self.errands.get(&errand).map(|errand| errand.role);
        if matches!(role, Some(Role::HealthTest | Role::PostExit(_))) {
            let _ = sys::signal_group(pid, Signal::KILL);
            if self.kin.has_strangers(&self.known_pids()) {
                self.look();
                self.kin.signal_tree(tree_of(errand), Signal::KILL);
            }
        }
        true
    }

    /// Whether it was an errand that was reaped.
    pub(super) fn errand_reaped(&mut self, pid: i32, status: ExitStatus) -> bool {
        let Some(errand) = self.errand_of(pid) else { return false };
        let mut gone = self.errands.remove(&errand);
        if let Some(Errand { run, words: Some(words), .. }) = &mut gone {
            words.take();
            self.said.remove(run);
            self.said.extend(words.text().map(|text| (*run, text)));
        }
        let report = gone.and_then(|gone| {
            gone.lent.into_iter().for_each(Lent::give_back);
            sys::child::read_report(&gone.pipe).ok().flatten()
        });
        let end = match report {
            Some(report) => ErrandEnd::NotSpawned(spawn::explain(report)),
            None => ErrandEnd::Exited(status),
        };
        self.learnt.push_back(Fact::ErrandEnded { errand, end });
        self.kin.expire_look();
        true
    }
}

/// The process's own world with this command in it; `None` where the plan has none any more.
fn command_of(plan: &ProcessPlan, role: Role) -> Option<ProcessPlan> {
    let hook = |hooks: &[Hook], at: usize| hooks.get(at).map(|hook| hook.command.clone());
    let command = match (role, plan.health.as_ref().map(|health| &health.test)) {
        (Role::HealthTest, Some(Test::Exec(command))) => Some(command.clone()),
        (Role::HealthTest, _) => None,
        (Role::PostStart(at), _) => hook(&plan.hooks.post_start, at),
        (Role::PreStop(at), _) => hook(&plan.hooks.pre_stop, at),
        (Role::PostExit(at), _) => hook(&plan.hooks.post_exit, at),
    };
    let mut plan = plan.clone();
    plan.command = command?.into_iter().map(Into::into).collect();
    plan.world.stdin = Stdin::Null;
    Some(plan)
}

/// The plan or the run that it is about is another one by now.
fn unheard_of(errno: i32) -> SpawnFailure {
    SpawnFailure { step: SpawnStep::Prepare, errno }
}
