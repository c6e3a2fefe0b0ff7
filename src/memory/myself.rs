//! What we ourselves use, for the `process_*` metrics that every exporter has.
//!
//! The names and their meaning are the Prometheus client libraries'. A figure that cannot be read
//! is absent rather than 0.

use nix::sys::resource::{Resource, getrlimit};

use crate::memory::{SelfFigures, proc};
use crate::units::Bytes;

/// Reads them: five small files of `/proc`, nothing that waits.
pub fn read() -> SelfFigures {
    let pid = std::process::id().cast_signed();
    let stat = proc::stat(pid).ok();
    let statm = proc::statm(pid).ok();
    let page = proc::page_size();
    SelfFigures {
        cpu_seconds: stat.map(|stat| seconds(stat.own_ticks)),
        resident: statm.map(|statm| Bytes(statm.resident * page)),
        virtual_size: statm.map(|statm| Bytes(statm.size * page)),
        open_fds: open_fds(),
        max_fds: max_fds(),
        start_time_seconds: stat.and_then(|stat| Some(boot_time()? + seconds(stat.id.start_ticks))),
        turns: None,
        faults: None,
    }
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / proc::ticks_per_second() as f64
}

/// Since Linux 6.2 the folder's size is their number, which costs nothing; to count three thousand of
/// them took most of the time of a scrape.
fn open_fds() -> Option<u64> {
    match std::fs::metadata("/proc/self/fd").ok()?.len() {
        0 => counted_fds(),
        count => Some(count),
    }
}

/// The descriptor by which they are counted is one of them, and is not counted.
fn counted_fds() -> Option<u64> {
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count();
    u64::try_from(count).ok()?.checked_sub(1)
}

fn max_fds() -> Option<u64> {
    let (soft, _hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    (soft != libc::RLIM_INFINITY).then_some(soft)
}

/// Seconds from 1970 to this boot: the `btime` line of `/proc/stat`.
fn boot_time() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_ours_can_be_read() {
        let figures = read();
        assert!(figures.cpu_seconds.is_some_and(|seconds| seconds >= 0.0));
        assert!(figures.resident.is_some_and(|size| size > Bytes(100_000)));
        assert!(figures.virtual_size > figures.resident);
        assert!(figures.max_fds > figures.open_fds);
    }

    #[test]
    fn a_descriptor_that_is_opened_is_counted() {
        let before = read().open_fds.unwrap();
        let held: Vec<_> = (0..50).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let after = read().open_fds.unwrap();
        // Tests beside this one open and close some too.
        assert!(after >= before + 40, "{before} before, {after} with {} more", held.len());
    }

    #[test]
    fn to_count_descriptors_and_to_be_told_their_number_is_the_same() {
        let held: Vec<_> = (0..50).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let (told, counted) = (open_fds().unwrap(), counted_fds().unwrap());
        // Tests beside this one open and close some too.
        assert!(told.abs_diff(counted) < 40, "{told} told, {counted} counted");
        drop(held);
    }

    #[test]
    fn we_were_started_a_moment_ago() {
        let started = read().start_time_seconds.unwrap();
        let now = crate::clock::now().wall.seconds();
        assert!((now - started).abs() < 3600.0, "{started} is far from {now}");
    }
}
