//! Entries at random from a seed, sensible and senseless ones alike: whatever comes, in whatever
//! order, history has no gap and the picture agrees with it. A failure prints its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fastrand::Rng;

use super::*;
use crate::ledger::entry::Entry;
use crate::ledger::fold::Ledger;
use crate::ledger::replay::{Line, replay, replay_from_snapshot};
use crate::ledger::row::{Batch, Row, SessionEvent, Word};
use crate::ledger::session::Session;
use crate::ledger::session::SessionState;
use crate::ledger::snapshot::Snapshot;
use crate::ledger::transition::{allowed, may_open_as};
use crate::supervise::fact::{SpawnFailure, SpawnStep};
use crate::supervise::lifecycle::{EndReason, Lifecycle, PhaseName};
use crate::tokens::Cost;
use crate::units::{ExitStatus, Money, ProcessIx, RunId, SessionId, Signal};

const STORMS: u64 = 40;
const ENTRIES: usize = 600;
/// Entries between two looks at the counters.
const LOOK_EVERY: usize = 10;

/// What the rows say of each session, as a store would rebuild it.
#[derive(Default)]
struct Replayed {
    events: BTreeMap<SessionId, u64>,
    /// By the events alone.
    states: BTreeMap<SessionId, Word>,
    /// All lines of all stories.
    lines: BTreeMap<SessionId, Vec<Line>>,
    /// The last projection of each.
    kept: BTreeMap<SessionId, Session>,
    /// By the projections alone.
    projected: BTreeMap<SessionId, (SessionState, u64)>,
    ends: BTreeMap<SessionId, u32>,
    /// States that any session was in at any time.
    passed: BTreeSet<Word>,
}

impl Replayed {
    fn take(&mut self, batch: &Batch, seed: u64) {
        let samples = batch
            .rows
            .iter()
            .any(|row| matches!(row, Row::Sample(sample) if sample.label == "interval"));
        assert!(!(samples && batch.is_lifecycle()), "seed {seed}: samples in a lifecycle batch");
        batch.rows.iter().for_each(|row| self.take_row(row, seed));
    }

    fn take_row(&mut self, row: &Row, seed: u64) {
        match row {
            Row::Event(event) => {
                let next = self.events.entry(event.session).or_default();
                assert_eq!(event.sequence, *next, "seed {seed}: gap in {}", event.session);
                *next += 1;
                self.lines.entry(event.session).or_default().push(line(event));
                let Some(new) = event.new_state.clone() else { return };
                self.passed.insert(new.clone());
                let before = self.states.insert(event.session, new.clone());
                assert_eq!(event.previous_state, before, "seed {seed}: {event:?}");
                let may = match before {
                    Some(before) => allowed(state(&before), state(&new)),
                    None => may_open_as(state(&new)),
                };
                assert!(may, "seed {seed}: {event:?}");
                *self.ends.entry(event.session).or_default() += u32::from(state(&new).is_end());
            }
            Row::Session(session) => {
                self.projected.insert(session.id, (session.state, session.events));
                self.kept.insert(session.id, (**session).clone());
            }
            Row::Usage { session: Some(id), .. } => {
                assert!(self.projected.contains_key(id), "seed {seed}: usage of unopened {id}");
            }
            _ => {}
        }
    }

    fn agree(&self, snapshot: &Snapshot, seed: u64) {
        for (id, (state, events)) in &self.projected {
            assert_eq!(self.states[id], state.as_str(), "seed {seed}: {id}");
            assert_eq!(self.events[id], *events, "seed {seed}: {id}");
            assert_eq!(self.ends[id], u32::from(state.is_end()), "seed {seed}: ends of {id}");
        }
        assert_eq!(self.projected.len(), self.events.len(), "seed {seed}");
        let live = self.projected.values().filter(|(state, _)| !state.is_end()).count();
        let opened: u64 = snapshot.opened.values().sum();
        let closed: u64 = snapshot.closed.values().sum();
        assert_eq!(snapshot.sessions.len(), live, "seed {seed}");
        assert_eq!(opened - closed, live as u64, "seed {seed}");
        for session in &snapshot.sessions {
            assert_eq!(self.projected[&session.id].0, session.state, "seed {seed}");
        }
        assert!(snapshot.ended.len() <= 100, "seed {seed}");
    }
}

fn line(event: &SessionEvent) -> Line {
    Line {
        sequence: event.sequence,
        at: event.at,
        event_type: event.event_type.to_string(),
        previous_state: event.previous_state.as_deref().map(str::to_owned),
        new_state: event.new_state.as_deref().map(str::to_owned),
        trigger: event.trigger.clone(),
        context: event.detail.clone(),
    }
}

#[test]
fn what_the_events_tell_is_what_is_kept_from_the_beginning_and_from_the_last_snapshot() {
    for seed in 0..STORMS {
        let (_, replayed) = storm(seed);
        for (id, kept) in &replayed.kept {
            let lines = &replayed.lines[id];
            for told in [replay(*id, lines), replay_from_snapshot(*id, lines)] {
                let told = told.expect("it has events");
                let found = (told.differences(kept), told.faults);
                assert_eq!(found, (vec![], vec![]), "seed {seed}: {id}: {lines:#?}");
            }
        }
    }
}

fn state(name: &str) -> SessionState {
    let is = |state: &SessionState| state.as_str() == name;
    SessionState::ALL.into_iter().find(is).expect("it is one of them")
}

/// Everything that may only grow.
fn counters(snapshot: &Snapshot) -> BTreeMap<String, f64> {
    let mut all = BTreeMap::new();
    let mut put = |name: String, value: f64| {
        all.insert(name, value);
    };
    for process in &snapshot.processes {
        let name = &process.name;
        let live = process.run.as_ref().and_then(|run| run.sample).map_or(0.0, |s| s.cpu_seconds);
        put(format!("cpu {name}"), process.cpu_seconds_ended + live);
        put(format!("restarts {name}"), process.restarts as f64);
        put(format!("kills {name}"), process.forced_kills as f64);
        put(format!("leaks {name}"), process.leaks_suspected as f64);
        process.exits.iter().for_each(|(k, v)| put(format!("exits {name} {k:?}"), *v as f64));
        process
            .spawn_failures
            .iter()
            .for_each(|(k, v)| put(format!("spawn {name} {k}"), *v as f64));
    }
    snapshot.opened.iter().for_each(|(k, v)| put(format!("opened {k:?}"), *v as f64));
    snapshot.closed.iter().for_each(|(k, v)| put(format!("closed {k:?}"), *v as f64));
    for series in &snapshot.tokens {
        let labels = [&series.process, &series.agent, &series.provider, &series.model];
        put(format!("tokens {labels:?}"), series.tokens.total() as f64);
        put(format!("cost {labels:?}"), series.cost.0 as f64);
    }
    snapshot.process_tokens.iter().for_each(|(k, v)| put(format!("all {k}"), v.total() as f64));
    put("reaped".into(), snapshot.house.reaped_runs as f64);
    put("ignored".into(), snapshot.house.entries_ignored as f64);
    all
}

/// The next entry: about a run that exists, existed or never did.
fn entry(random: &mut Rng, ms: u64, runs: &mut u64) -> Entry {
    let any = random.u64(0..=*runs + 1).max(runs.saturating_sub(3));
    let process = ProcessIx(random.usize(0..3));
    match random.u8(0..16) {
        0..=2 => {
            *runs += u64::from(random.u8(0..8) > 0);
            opened(ms, *runs, process, random.u32(0..3))
        }
        3 => forked(ms, any),
        4 | 5 => ready(ms, any),
        6 => stopping(ms, any),
        7 => story(ms, Lifecycle::RunKilled { run: RunId(any), after: Duration::ZERO }),
        8 | 9 => ended(ms, any, status(random), reason(random), random.bool()),
        10 => story(ms, Lifecycle::PhaseChanged { process, phase: PhaseName::Ready }),
        11 => Entry::EntriesDropped { count: 1 },
        12 if random.u8(0..20) == 0 => story(ms, Lifecycle::Left { code: 0 }),
        12 => {
            let context = Arc::default();
            Entry::ContextCaptured { session: session(any), context }
        }
        13 => {
            let cpu_seconds = random.f64() * 3.0;
            let one = sample(ms, any, random.u64(0..300), random.u64(0..3));
            let other = sample(ms, any + 1, random.u64(0..300), random.u64(0..3));
            let worked = |sample| TreeSample { cpu_seconds, ..sample };
            sampled(&[worked(one), worked(other)])
        }
        _ => {
            let process = [None, Some("web"), Some("coder"), Some("ghost")][random.usize(0..4)];
            let talks = ["a", "b", "c", ""];
            let cost = if random.bool() { Cost::Unpriced } else { Cost::Priced(Money(3)) };
            let given = ms.saturating_sub(random.u64(0..60_000));
            let one = |_| usage(given, ms, talks[random.usize(0..4)], cost);
            read(ms, process, (0..3).map(one).collect())
        }
    }
}

fn status(random: &mut Rng) -> ExitStatus {
    match random.u8(0..3) {
        0 => ExitStatus::Code(random.u8(0..2)),
        1 => ExitStatus::Signal(Signal(random.i32(1..16))),
        _ => ExitStatus::Unknown,
    }
}

fn reason(random: &mut Rng) -> EndReason {
    let failure = SpawnFailure { step: SpawnStep::Exec, errno: random.i32(1..40) };
    [EndReason::Itself, EndReason::Requested, EndReason::NotSpawned(failure)][random.usize(0..3)]
}

fn storm(seed: u64) -> (Ledger, Replayed) {
    let mut random = Rng::with_seed(seed);
    let mut ledger = ledger();
    let mut replayed = Replayed::default();
    let (mut ms, mut runs) = (0, 0);
    let mut before = counters(&ledger.snapshot(0, at(0)));
    for step in 0..ENTRIES {
        // Now and then for so long that conversations fall asleep.
        let longest = if random.u8(0..8) == 0 { 9_000_000 } else { 200_000 };
        ms += random.u64(0..longest);
        for batch in ledger.fold(entry(&mut random, ms, &mut runs)) {
            assert!(!batch.rows.is_empty(), "seed {seed}: an empty batch");
            replayed.take(&batch, seed);
        }
        if step % LOOK_EVERY != 0 {
            continue;
        }
        let after = counters(&ledger.snapshot(step as u64, at(ms)));
        for (name, value) in &before {
            assert!(after.get(name) >= Some(value), "seed {seed}, step {step}: {name} shrank");
        }
        before = after;
    }
    (ledger, replayed)
}

#[test]
fn whatever_comes_history_has_no_gap_and_the_picture_agrees() {
    for seed in 0..STORMS {
        let (ledger, replayed) = storm(seed);
        replayed.agree(&ledger.snapshot(1, at(0)), seed);
    }
}

#[test]
fn storms_reach_every_state_and_the_same_seed_tells_the_same_story() {
    let mut seen = BTreeSet::new();
    for seed in 0..STORMS {
        seen.extend(storm(seed).1.passed);
    }
    for state in SessionState::ALL {
        // Nothing in this house times out yet, and the kernel kills nobody.
        let never = [SessionState::TimedOut, SessionState::OutOfMemory];
        let expected = !never.contains(&state);
        assert_eq!(seen.contains(state.as_str()), expected, "{state:?}");
    }
    assert_eq!(storm(3).1.projected, storm(3).1.projected);
}
