//! The host's view of a tree of processes, read from `/proc` and nowhere else: the measure that
//! our own figures are held against.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// A process as the host knows it; the start time tells it from a later one with its pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    pub pid: i32,
    pub start: u64,
}

impl Member {
    /// Whether it still runs. A zombie does not run, but its parent has not reaped it either.
    pub fn exists(self) -> bool {
        stat(self.pid).is_some_and(|(_, start)| start == self.start)
    }

    /// Its resident bytes, by `statm`.
    fn resident(self) -> Option<u64> {
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.pid)).ok()?;
        let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
        Some(pages * page_size())
    }

    /// Its command line, words parted by blanks.
    pub fn command(self) -> String {
        let words = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        String::from_utf8_lossy(&words).replace('\0', " ")
    }
}

/// The process and all that descend from it.
pub fn tree(root: i32) -> Vec<Member> {
    let mut children: BTreeMap<i32, Vec<Member>> = BTreeMap::new();
    let mut members = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc is mounted").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let Some((parent, start)) = stat(pid) else { continue };
        children.entry(parent).or_default().push(Member { pid, start });
        if pid == root {
            members.push(Member { pid, start });
        }
    }
    let mut seen = BTreeSet::from([root]);
    let mut at = 0;
    while at < members.len() {
        let below = children.get(&members[at].pid).into_iter().flatten();
        members.extend(below.filter(|child| seen.insert(child.pid)).copied().collect::<Vec<_>>());
        at += 1;
    }
    members
}

/// The children of a process.
pub fn children(parent: i32) -> Vec<Member> {
    let below = tree(parent).into_iter();
    below.filter(|member| stat(member.pid).is_some_and(|(above, _)| above == parent)).collect()
}

/// Resident bytes of the whole tree; shared pages count once for each member.
pub fn resident(root: i32) -> u64 {
    tree(root).into_iter().filter_map(Member::resident).sum()
}

/// Parent and start time. The name in brackets may hold blanks and brackets itself.
fn stat(pid: i32) -> Option<(i32, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    Some((fields.get(1)?.parse().ok()?, fields.get(19)?.parse().ok()?))
}

fn page_size() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    size.ok().flatten().and_then(|size| u64::try_from(size).ok()).expect("a page size")
}
