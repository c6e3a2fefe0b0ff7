//! What runs by the clock. Replicas share one clock: when it strikes, the first that is idle runs.
//!
//! Times are points on the wall clock, which may step at any moment, while we sleep by the other
//! clock; so it is looked at every minute at least. A time that was stepped over is made up for
//! once; a step back that is small runs nothing twice.

use std::time::Duration;

use crate::config::plan::{Plan, Standing};
use crate::units::{Mono, Now, ProcessIx, Wall};

/// The longest time for which the wall clock is believed to run evenly.
const LOOK: Duration = Duration::from_secs(60);

/// A step back by more than this, in milliseconds, is the correction of a wrong clock rather than
/// daylight saving or drift: what was planned by the wrong one is planned anew. Cron's figure.
const CORRECTION: i64 = 3 * 3_600_000;

/// Every clock of a plan.
#[derive(Debug, Default)]
pub struct Clockwork {
    clocks: Vec<Clock>,
    look_at: Option<Mono>,
    /// When it was last looked at, by both clocks: what they disagree by since then is a step.
    looked: Now,
}

/// One schedule and those who share it.
#[derive(Debug)]
struct Clock {
    members: Vec<ProcessIx>,
    /// The next time; `None` when there is none any more.
    at: Option<Wall>,
}

impl Clockwork {
    /// The clocks of this plan, wound up now.
    pub fn wound(plan: &Plan, now: Now) -> Self {
        let mut clocks: Vec<Clock> = Vec::new();
        for (ix, process) in plan.indexed() {
            let Some(schedule) = &process.schedule else { continue };
            if process.standing == Standing::Retired {
                continue;
            }
            let shares = |clock: &&mut Clock| {
                let first = plan.process(clock.members[0]);
                process.replica.is_some() && first.family() == process.family()
            };
            match clocks.iter_mut().rev().find(shares) {
                Some(clock) => clock.members.push(ix),
                None => {
                    clocks.push(Clock { members: vec![ix], at: schedule.next_after(now.wall) });
                }
            }
        }
        let mut wound = Self { clocks, look_at: None, looked: now };
        wound.plan_the_next_look(now);
        wound
    }

    /// The clocks of another plan from now on. Those that it leaves as they were go on: a time that
    /// has come and was not looked at yet is not lost, and none comes once more. Nor is the next look
    /// put off, however often plans change.
    pub fn rewound(self, old: &Plan, plan: &Plan, now: Now) -> Self {
        let mut next = Self::wound(plan, now);
        for clock in &mut next.clocks {
            let first = clock.members[0];
            let is_as_it_was = |ix: ProcessIx| {
                let (was, is) = (old.process(ix), plan.process(ix));
                (&was.name, &was.schedule) == (&is.name, &is.schedule)
            };
            let before = self.clocks.iter().find(|before| before.members[0] == first);
            if let Some(before) = before.filter(|_| is_as_it_was(first)) {
                clock.at = before.at;
            }
        }
        next.looked = self.looked;
        next.plan_the_next_look(now);
        let before = self.look_at.unwrap_or(Mono(u64::MAX));
        next.look_at = next.look_at.map(|at| at.min(before));
        next
    }

    /// When the clock must be looked at.
    pub fn deadline(&self) -> Option<Mono> {
        self.look_at
    }

    /// Looks at the clock. Says for whom it has struck: each time those who share it.
    pub fn look(&mut self, plan: &Plan, now: Now) -> Vec<Vec<ProcessIx>> {
        let mut struck = Vec::new();
        let corrected = self.step_back(now) > CORRECTION;
        for clock in &mut self.clocks {
            let Some(schedule) = &plan.process(clock.members[0]).schedule else { continue };
            let Some(at) = clock.at else { continue };
            let next = || schedule.next_after(now.wall);
            if at <= now.wall {
                clock.at = next();
                struck.push(clock.members.clone());
            } else if corrected {
                clock.at = next();
            }
        }
        self.looked = now;
        self.plan_the_next_look(now);
        struck
    }

    /// By how many milliseconds the wall clock was set back since the last look.
    fn step_back(&self, now: Now) -> i64 {
        let passed = now.mono.since(self.looked.mono).as_millis();
        let shown = now.wall.0.saturating_sub(self.looked.wall.0);
        i64::try_from(passed).unwrap_or(i64::MAX).saturating_sub(shown)
    }

    fn plan_the_next_look(&mut self, now: Now) {
        let next = self.clocks.iter().filter_map(|clock| clock.at).min();
        self.look_at = next.map(|at| {
            let wait = u64::try_from(at.0.saturating_sub(now.wall.0)).unwrap_or(0);
            now.mono.after(Duration::from_millis(wait).min(LOOK))
        });
    }
}
