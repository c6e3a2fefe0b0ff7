//! As whom we run, and with which capabilities; what we start inherits both.
//!
//! Reads `/etc/passwd` itself: a static binary in an image without the system's libraries has
//! nobody to ask.

use std::path::Path;
use std::sync::Arc;

use nix::unistd::{getegid, geteuid};

use super::read;

/// Far above any `/etc/passwd` of a container.
const PASSWD_MAX: u64 = 1 << 20;

/// `/proc/self/status` has some 60 short lines.
const STATUS_MAX: u64 = 64 << 10;

/// The capabilities by bit, as `capabilities(7)` names them.
const CAPABILITIES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// As whom a process runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The effective user id.
    pub uid: u32,
    /// The effective group id.
    pub gid: u32,
    /// The name that the user id has in `/etc/passwd`.
    pub user: Option<String>,
    /// The effective capabilities by name, lowest bit first; one that is newer than our table has
    /// its number instead.
    pub capabilities: Arc<[String]>,
}

/// As whom we run ourselves.
pub fn own() -> Identity {
    let uid = geteuid().as_raw();
    let passwd = read::text(Path::new("/etc/passwd"), PASSWD_MAX).unwrap_or_default();
    let status = read::text(Path::new("/proc/self/status"), STATUS_MAX).unwrap_or_default();
    Identity {
        uid,
        gid: getegid().as_raw(),
        user: name_of(uid, &passwd),
        capabilities: effective(&status).map(names).unwrap_or_default(),
    }
}

/// The first name that the user id has, as the C library looks it up.
fn name_of(uid: u32, passwd: &str) -> Option<String> {
    let name = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let id: u32 = fields.nth(1)?.parse().ok()?;
        (id == uid).then(|| name.to_owned())
    };
    passwd.lines().find_map(name)
}

/// The effective set of `/proc/PID/status`.
fn effective(status: &str) -> Option<u64> {
    let set = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(set.trim(), 16).ok()
}

fn names(set: u64) -> Arc<[String]> {
    let name = |bit: usize| match CAPABILITIES.get(bit) {
        Some(name) => (*name).to_owned(),
        None => format!("CAP_{bit}"),
    };
    (0..64).filter(|bit| set >> bit & 1 == 1).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_has_the_first_name_that_stands_by_it() {
        let passwd = "# users\nroot:x:0:0:root:/root:/bin/sh\n:x:5:5::/:\nme:x:7:7::/:\nyou:x:7:7::/:\nbad:x\n";
        let check = |uid, name: Option<&str>| assert_eq!(name_of(uid, passwd).as_deref(), name);
        check(0, Some("root"));
        check(7, Some("me"));
        check(5, None);
        check(8, None);
    }

    #[test]
    fn capabilities_are_named_lowest_bit_first() {
        let status = "Name:\tx\nCapPrm:\t0\nCapEff:\t0000030000000021\nCapBnd:\t1\n";
        let set = effective(status).unwrap();
        let expected = ["CAP_CHOWN", "CAP_KILL", "CAP_CHECKPOINT_RESTORE", "CAP_41"];
        assert_eq!(*names(set), expected);
        assert_eq!(effective("CapEff:\tx"), None);
        assert_eq!(*names(0x1ff_ffff_ffff), CAPABILITIES);
    }

    #[test]
    fn we_know_as_whom_we_run() {
        let own = own();
        let id = |flag: &str| {
            let output = std::process::Command::new("id").arg(flag).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().unwrap()
        };
        assert_eq!((own.uid, own.gid), (id("-u"), id("-g")));
    }
}
