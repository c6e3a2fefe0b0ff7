//! The last rites end whatever is below us. They are performed in a process of its own, because
//! they end everything below that, too.

use std::process::{Command, exit};
use std::thread::sleep;
use std::time::Duration;

use procession::init::rites;

use crate::house::{mark, marked, until};

const HERE: &str = "PROCESSION_TEST_RITES";

/// Starts a child that listens, one that does not, and one that hides; then performs the rites.
fn perform(mark: &str) -> ! {
    let _ = nix::sys::prctl::set_child_subreaper(true);
    let script = format!(
        "sleep {mark} & (trap '' TERM; sleep {mark}; sleep {mark}) & setsid sh -c 'sleep {mark}' & wait"
    );
    let _started = Command::new("sh").args(["-c", &script]).spawn().expect("sh");
    until("everybody runs", || (marked(mark).len() >= 6).then_some(()));
    rites::perform();
    sleep(Duration::from_millis(50));
    exit(if marked(mark).is_empty() { 0 } else { 1 })
}

#[test]
fn the_last_rites_leave_nobody() {
    if let Ok(mark) = std::env::var(HERE) {
        perform(&mark);
    }
    let itself = std::env::current_exe().expect("a path");
    let status = Command::new(itself)
        .args(["--exact", "rites::the_last_rites_leave_nobody"])
        .env(HERE, mark())
        .status();
    assert_eq!(status.expect("it can be run").code(), Some(0));
}
