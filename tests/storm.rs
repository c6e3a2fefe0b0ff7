//! Ten thousand orphans die under procession while signals arrive and the disk of its store is
//! full: no zombie is left, no signal is lost, and the metrics still answer.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use crate::house::{As, House, until};

const ORPHANS: u64 = 10_000;
const SIGNALS: usize = 100;

/// A folder on a file system of its own that is all but full. Unmounted when dropped.
struct FullDisk(tempfile::TempDir);

impl FullDisk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "none"])
            .arg(folder.path())
            .status();
        assert!(mounted.expect("mount can be run").success(), "a tmpfs can be mounted, as root");
        Self(folder)
    }

    fn fill(&self) {
        // Writes until there is no room; how much that was does not matter.
        let _ = fs::write(self.0.path().join("ballast"), vec![0u8; 2 << 20]);
    }

    fn free(&self) {
        fs::remove_file(self.0.path().join("ballast")).expect("the ballast");
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|bound| bound.local_addr()).expect("a port").port()
}

/// The value of a series, by the line that it has in the text.
fn metric(port: u16, series: &str) -> Option<f64> {
    let url = format!("http://127.0.0.1:{port}/metrics");
    let text = ureq::get(&url).call().ok()?.body_mut().read_to_string().ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(series))?;
    line.trim().parse().ok()
}

/// Children of this process that are dead and not reaped.
fn zombies(parent: i32) -> usize {
    let stats = fs::read_dir("/proc").expect("/proc").flatten().filter_map(|entry| {
        entry.file_name().to_string_lossy().parse::<i32>().ok()?;
        fs::read_to_string(entry.path().join("stat")).ok()
    });
    let after_name = |stat: &str| stat.rsplit(") ").next().map(str::to_owned);
    let of_parent = |rest: &String| {
        let mut fields = rest.split_whitespace();
        fields.next() == Some("Z") && fields.next() == Some(&parent.to_string())
    };
    stats.filter_map(|stat| after_name(&stat)).filter(of_parent).count()
}

#[test]
fn ten_thousand_orphans_die_while_signals_arrive_and_the_disk_is_full() {
    let disk = FullDisk::new();
    let port = free_port();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/orphans.py");
    let listener = "trap 'echo heard >> DIR/heard' USR1; echo ready > DIR/ready; \
                    while :; do sleep 0.02; done";
    let config = format!(
        "store: {{sqlite: {}/history.db}}\nmemory: {{interval: 200ms}}\nprocesses:\n  \
         orphans:\n    command: [python3, {fixture:?}, '{ORPHANS}']\n  \
         listener:\n    command: [bash, -c, {listener:?}]\n    forward_signals: [USR1]\n",
        disk.0.path().display()
    );
    let mut house = House::of_config_listening(As::Pid1, &config, port);
    house.await_lines("ready", 1);
    until("the store is up", || (metric(port, "procession_store_up ") == Some(1.0)).then_some(()));
    disk.fill();

    for signal in 1..=SIGNALS {
        house.signal(10);
        // Each is answered before the next, because the kernel keeps only one of a kind.
        house.await_lines("heard", signal);
    }
    let reaped = "procession_reaped_total{kind=\"orphan\"} ";
    // By the thousand, because making them is what takes the time, and more of it on a busy machine.
    for some in (1..=ORPHANS / 1_000).map(|thousands| (thousands * 1_000) as f64) {
        let what = format!("{some} orphans are reaped");
        until(&what, || (metric(port, reaped)? >= some).then_some(()));
    }
    assert_eq!(metric(port, "procession_store_up "), Some(0.0), "the disk is full");
    assert_eq!(metric(port, "procession_ledger_entries_dropped_total "), Some(0.0));
    let forwarded = "procession_signals_total{signal=\"SIGUSR1\",response=\"forwarded\"} ";
    assert_eq!(metric(port, forwarded), Some(SIGNALS as f64));
    assert_eq!(zombies(house.pid), 0);

    disk.free();
    until("the store is up again", || {
        (metric(port, "procession_store_up ") == Some(1.0)).then_some(())
    });
    house.signal(15);
    let (code, took) = house.end();
    assert_eq!(code, 0, "nobody decides and nobody failed");
    assert!(took < Duration::from_secs(9), "took {took:?}");
}
