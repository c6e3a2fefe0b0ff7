//! The corner cases of PID 1, each beside the test that provokes it with real processes (or, where
//! time and chance matter, in the simulation).
//!
//! | corner case | test |
//! |---|---|
//! | one SIGCHLD for many deaths | `storm::ten_thousand_orphans_die_while_signals_arrive_and_the_disk_is_full` |
//! | every wait is ours, each status read once | `sim::every_invented_life_keeps_the_promises` |
//! | a program that cannot be executed leaves no zombie and says 126 or 127 | `pid1::what_cannot_be_executed_is_126_or_127` |
//! | a double-forked daemon is adopted, attributed, ended | `pid1::what_hid_at_once_is_gone_before_the_next_run` |
//! | ignored signals and a blocked mask are not inherited | `world::signals_are_clean_and_no_descriptor_is_left_whatever_we_were_given` |
//! | a child that leaves its group and session | `pid1::the_stop_fits_its_budget_whatever_the_children_do` |
//! | not PID 1: a subreaper with the same guarantees | `pid1::every_exit_code_is_passed_on` |
//! | what the parent's death sends us | `drop_in::a_parents_death_is_told_with_the_signal_that_was_asked_for` |
//! | a background process that takes the terminal | `terminal::a_command_in_the_background_takes_no_terminal_from_anybody` |
//! | Ctrl-C reaches the command once | `terminal::an_interrupt_reaches_the_command_once` |
//! | Ctrl-Z below a shell, and where nobody could continue | `terminal::jobs_of_a_shell_are_stopped_and_continued_by_it` |
//! | the terminal is whole again after a kill | `terminal::a_terminal_that_a_killed_command_left_in_disorder_is_put_in_order` |
//! | a terminal that takes nothing, after Ctrl-S | `terminal::a_terminal_that_takes_nothing_delays_no_end` |
//! | SIGTERM in the first milliseconds | `pid1::a_signal_that_comes_at_once_is_not_lost` |
//! | a second SIGTERM | `pid1::a_second_request_to_stop_hurries` |
//! | SIGHUP reads the configuration anew | `lifecycle::a_reload_touches_only_what_changed` |
//! | real-time signals and other STOPSIGNALs | `drop_in::real_time_signals_arrive_and_are_rewritten_under_every_name` |
//! | a panic of our own loop | `rites::the_last_rites_leave_nobody` |
//! | a panic below the line | `output::a_fault_of_ours_stops_nobody` |
//! | stopped children hear SIGTERM after SIGCONT; we may be stopped, too | `hardship::being_stopped_and_continued_from_outside_loses_nothing` |
//! | a process that not even SIGKILL ends is named, and we leave in time | `mind::what_cannot_be_killed_has_an_end_whatever_the_budget` |
//! | who blocks a stop is named | `lifecycle::who_holds_an_end_up_is_named` |
//! | a pipe that a grandchild holds | `output::a_pipe_that_is_held_delays_nothing` |
//! | the last lines before the exit | `output::the_last_lines_arrive_before_the_end_is_told` |
//! | back-pressure of whoever reads our output | `output::a_target_that_hangs_holds_nobody_up` |
//! | our own log on a full standard error | `hardship::a_full_standard_error_that_nobody_reads_blocks_nothing` |
//! | a line without an end | `output::a_line_that_never_ends_comes_in_pieces` |
//! | O_NONBLOCK never leaks into inherited descriptors | `output::descriptors_that_were_inherited_keep_their_flags` |
//! | a pid that is another's by now | `recovery::a_pid_that_is_anothers_by_now_is_left_alone` |
//! | fork fails for want of processes or descriptors | `hardship::without_descriptors_to_spare_everything_runs_and_stops` |
//! | descriptors: raised for us, as they were for children | `hardship::our_own_limit_of_descriptors_is_raised_and_children_keep_theirs` |
//! | leaving last, after everybody's grace | `pid1::one_command_may_take_its_time_but_what_it_leaves_behind_may_not` |
//! | a child that forks faster than it is killed | `lifecycle::who_forks_faster_than_others_can_be_killed_is_ended_all_the_same` |
//! | the same where no control group can be written | `lifecycle::who_forks_faster_than_others_can_be_killed_is_ended_without_control_groups` |
//! | a terminal's end of file is an error (EIO), and its output comes in pieces | `world::a_terminal_of_its_own_is_one_in_every_way_and_its_output_is_ours_to_show` |
//! | the size of a terminal changes | `terminal::a_terminal_of_its_own_is_as_large_as_ours_and_stays_so` |
//! | the stop ends with the last process, not with the clock | `pid1::dependents_are_stopped_first_and_started_last` |
//! | one budget for nested stops | `sim::every_invented_life_keeps_the_promises` |
//! | the exit code is that of who decides, 128 + n after a signal | `pid1::death_by_a_signal_is_128_and_its_number` |
//! | clock steps | `sim::every_invented_life_keeps_the_promises` |
//! | the order in which privilege is dropped | `world::user_and_groups_are_taken_in_full` |
//! | control groups where they can be made, and only ours | `lifecycle::the_end_of_one_house_is_no_end_of_another_below_the_same_group` |
//! | no /proc | `hardship::without_proc_everything_runs_and_stops_and_memory_is_absent` |
//!
//! Not provoked: a process in uninterruptible sleep (the fake kernel of the simulation has them), a
//! suspended machine, and the verdict of the kernel's memory killer.

use std::fs;
use std::path::Path;

/// Every test that a row names is there, so that no row outlives its test.
#[test]
fn every_row_names_a_test() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let rows = fs::read_to_string(tests.join("corners.rs")).expect("this file");
    let rows = rows.lines().filter_map(|line| line.strip_prefix("//! | "));
    let named: Vec<(&str, &str)> =
        rows.filter_map(|row| row.rsplit('`').nth(1)?.split_once("::")).collect();
    assert!(named.len() > 30, "{named:?}");
    for (module, test) in named {
        let file = tests.join(format!("{module}.rs"));
        let folder = fs::read_dir(tests.join(module)).into_iter().flatten().flatten();
        let files = folder.map(|entry| entry.path()).chain([file]);
        let found = files
            .filter_map(|file| fs::read_to_string(file).ok())
            .any(|text| text.contains(&format!("fn {test}(")));
        assert!(found, "there is no test {module}::{test}");
    }
}
