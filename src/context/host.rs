//! What the machine and its system are, as a container sees them.

use std::path::Path;
use std::thread::available_parallelism;

use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, System, get_current_pid};

use super::{HostFacts, read};
use crate::units::Bytes;

/// The kernel's id of this boot has 36 characters and a line end.
const BOOT_ID_MAX: u64 = 64;

/// Reads what does not change during one life. It walks a few files, so it is no work for a loop
/// that has to answer.
pub fn facts() -> HostFacts {
    HostFacts {
        hostname: System::host_name().ok().filter(|name| !name.is_empty()),
        os: os(System::name().ok(), System::os_version().ok()),
        kernel: System::kernel_version().ok(),
        cpus: available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(1)),
        memory: memory(),
        boot_id: boot_id(),
    }
}

/// The distribution with its release, if it numbers them.
fn os(name: Option<String>, release: Option<String>) -> Option<String> {
    match (name?, release) {
        (name, Some(release)) => Some(format!("{name} {release}")),
        (name, None) => Some(name),
    }
}

/// The machine's memory or the limit that our control group has, of version 1 or 2, whichever is
/// lower. Zero where the kernel says neither.
fn memory() -> Bytes {
    let Ok(mut system) = System::new() else { return Bytes(0) };
    system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
    let machine = system.total_memory();
    let limit = own_limit(&mut system).or_else(|| Some(system.cgroup_limits()?.total_memory));
    Bytes(lower(machine, limit))
}

/// The limit of the group that we are in, which need not be the one mounted at the usual place.
fn own_limit(system: &mut System) -> Option<u64> {
    let own = get_current_pid().ok()?;
    let nothing_more = ProcessRefreshKind::nothing().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), false, nothing_more);
    Some(system.process(own)?.cgroup_limits()?.total_memory)
}

/// Either may be unknown: a machine without memory is one that could not be read.
fn lower(machine: u64, limit: Option<u64>) -> u64 {
    match limit.filter(|limit| *limit > 0) {
        Some(limit) if machine == 0 => limit,
        Some(limit) => machine.min(limit),
        None => machine,
    }
}

fn boot_id() -> String {
    let id = read::text(Path::new("/proc/sys/kernel/random/boot_id"), BOOT_ID_MAX);
    id.unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_read_from_the_kernel() {
        let facts = facts();
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert_eq!(facts.kernel.as_deref(), Some(release.trim()));
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        assert_eq!(facts.hostname.unwrap_or_default(), name.trim());
        assert_eq!(facts.boot_id.len(), 36);
        assert!(facts.cpus > 0);
        assert!(facts.memory > Bytes::mib(1), "{}", facts.memory);
    }

    #[test]
    fn the_lower_memory_counts_and_what_is_unknown_does_not() {
        assert_eq!(lower(8, Some(4)), 4);
        assert_eq!(lower(8, Some(u64::MAX)), 8);
        assert_eq!(lower(8, Some(0)), 8);
        assert_eq!(lower(8, None), 8);
        assert_eq!(lower(0, Some(4)), 4);
    }

    #[test]
    fn a_system_without_numbered_releases_has_its_name_only() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(os(some("Debian"), some("13")), some("Debian 13"));
        assert_eq!(os(some("Arch"), None), some("Arch"));
        assert_eq!(os(None, some("13")), None);
    }
}
