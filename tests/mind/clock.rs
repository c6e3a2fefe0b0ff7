//! Tales of what runs by the clock.

use std::sync::Arc;
use std::time::Duration;

use procession::config::plan::{Condition, Dependency, ProcessPlan, Replica, Schedule, Zone};
use procession::supervise::action::Action;
use procession::supervise::fact::Fact;
use procession::supervise::lifecycle::{Lifecycle, PhaseName};
use procession::supervise::wish::Wish;
use procession::units::{ExitStatus, ProcessIx, RunId, Wall};

use super::{FIRST, OK, SECOND, TERM, Tale, plan, process};

const MINUTE: Duration = Duration::from_secs(60);
const SKIPPED: Lifecycle = Lifecycle::ScheduleSkipped { process: ProcessIx(0) };

fn hourly(name: &str) -> ProcessPlan {
    let schedule = Schedule { cron: "0 * * * *".into(), zone: Zone::default() };
    ProcessPlan { schedule: Some(schedule), ..process(name) }
}

/// Ten minutes before a full hour.
fn tale(processes: Vec<ProcessPlan>) -> Tale {
    let mut tale = Tale::of(processes);
    tale.wall = Wall(1_790_000_000_000 / 3_600_000 * 3_600_000 + 50 * 60_000);
    tale.begun()
}

#[test]
fn it_runs_at_its_times_keeps_the_house_up_and_never_overlaps() {
    let mut tale = tale(vec![hourly("a")]);
    assert_eq!((tale.phase(0), tale.spawned().len()), (Some(PhaseName::Resting), 0));
    tale.wait(MINUTE * 9, false);
    assert_eq!(tale.spawned().len(), 0);
    tale.wait(MINUTE * 2, false);
    assert_eq!(tale.spawned().len(), 1);
    tale.runs(FIRST);
    tale.wait(MINUTE * 60, false);
    assert_eq!(tale.spawned().len(), 1);
    assert!(tale.has_told(&SKIPPED));
    tale.ends(FIRST, ExitStatus::Code(3), false);
    tale.wait(MINUTE * 60, false);
    assert_eq!((tale.spawned().len(), tale.exit_code()), (2, None));
    tale.runs(SECOND);
    tale.ends(SECOND, OK, false);
    tale.tell(TERM);
    tale.tell(Fact::HouseEmptied);
    assert_eq!(tale.exit_code(), Some(0));
}

#[test]
fn what_a_dependency_that_failed_keeps_from_running_gets_its_chance_at_its_next_time() {
    let on = Dependency::on(ProcessIx(0), Condition::CompletedSuccessfully);
    let job = ProcessPlan { depends_on: vec![on], ..hourly("job") };
    let mut tale = tale(vec![process("setup"), job]);
    tale.runs(FIRST);
    tale.ends(FIRST, ExitStatus::Code(1), false);
    tale.wait(MINUTE * 11, false);
    let blocked = Lifecycle::StartBlocked { process: ProcessIx(1), on: ProcessIx(0) };
    assert!(tale.has_told(&blocked));
    assert_eq!((tale.phase(1), tale.exit_code()), (Some(PhaseName::Resting), None));
    assert!(!tale.done.contains(&Action::AwaitHouse), "the house stays up for it");
    tale.order(Wish::Start(vec!["setup".into()]));
    tale.runs(SECOND);
    tale.ends(SECOND, OK, false);
    assert_eq!(tale.spawned().len(), 2, "it waits for its time");
    tale.wait(MINUTE * 60, false);
    assert_eq!(tale.spawned()[2..], [(RunId(3), ProcessIx(1))]);
}

#[test]
fn replicas_share_a_clock_and_overlap_as_many_as_there_are() {
    let replica = |number| ProcessPlan {
        replica: Some(Replica { of: "w".into(), number }),
        ..hourly(&format!("w-{number}"))
    };
    let mut tale = tale(vec![replica(1), replica(2)]);
    tale.wait(MINUTE * 11, false);
    assert_eq!(tale.spawned(), [(FIRST, ProcessIx(0))]);
    tale.runs(FIRST);
    tale.wait(MINUTE * 60, false);
    assert_eq!(tale.spawned()[1..], [(SECOND, ProcessIx(1))]);
    assert!(!tale.has_told(&SKIPPED));
    tale.runs(SECOND);
    tale.wait(MINUTE * 60, false);
    assert!(tale.has_told(&SKIPPED));
}

#[test]
fn a_step_of_the_clock_runs_nothing_twice_and_loses_nothing() {
    let mut tale = tale(vec![hourly("a")]);
    tale.wait(MINUTE * 11, false);
    tale.runs(FIRST);
    tale.ends(FIRST, OK, false);
    // Back by half an hour: the full hour comes once more, and was done.
    tale.wall.0 -= 30 * 60_000;
    tale.wait(MINUTE * 40, false);
    assert_eq!(tale.spawned().len(), 1);
    // Forward over the next full hour: made up for within a minute, once.
    tale.wall.0 += 3 * 3_600_000;
    tale.wait(MINUTE, false);
    assert_eq!(tale.spawned().len(), 2);
    tale.runs(SECOND);
    tale.ends(SECOND, OK, false);
    // Back by a day: the clock was wrong, and what was planned by it does not wait for a day.
    tale.wall.0 -= 24 * 3_600_000;
    tale.wait(MINUTE * 61, false);
    assert_eq!(tale.spawned()[2..], [(RunId(3), ProcessIx(0))]);
}

#[test]
fn another_plan_has_no_time_come_twice_and_loses_none() {
    let mut tale = tale(vec![hourly("a")]);
    let of_a = |tale: &Tale| tale.spawned().iter().filter(|(_, ix)| *ix == ProcessIx(0)).count();
    let other_plans = |tale: &mut Tale| {
        tale.order(Wish::Reload(Arc::new(plan(vec![hourly("a"), process("b")]))));
        tale.order(Wish::Spawn(Box::new(process(""))));
    };
    tale.wait(MINUTE * 11, false);
    tale.runs(FIRST);
    tale.ends(FIRST, OK, false);
    // Back by a few minutes: the full hour comes once more, and was done.
    tale.wall.0 -= 5 * 60_000;
    other_plans(&mut tale);
    tale.wait(MINUTE * 10, false);
    assert_eq!(of_a(&tale), 1);
    // Forward over the next full hour, which nobody has looked at yet.
    tale.wall.0 += 3_600_000;
    tale.order(Wish::Spawn(Box::new(process(""))));
    tale.wait(MINUTE, false);
    assert_eq!(of_a(&tale), 2);
}

#[test]
fn commands_that_are_spawned_all_the_time_do_not_keep_a_correction_from_being_seen() {
    let mut tale = tale(vec![hourly("a")]);
    // Back by a day: the clock was wrong, and what was planned by it does not wait for a day.
    tale.wall.0 -= 24 * 3_600_000;
    for _ in 0..4 * 61 {
        tale.order(Wish::Spawn(Box::new(process(""))));
        let run = tale.spawned().last().expect("it was spawned").0;
        tale.runs(run);
        tale.ends(run, OK, false);
        tale.wait(MINUTE / 4, false);
    }
    assert!(tale.spawned().iter().any(|(_, ix)| *ix == ProcessIx(0)));
}
