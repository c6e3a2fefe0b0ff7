//! The walls between the rooms: which files touch the world, where each foreign crate lives, and
//! which room may import which.
//!
//! The tables are the law; they read from the top of the house downwards. Paths that end in a
//! slash mean everything below it.

use std::collections::BTreeSet;

use super::source::{Name, Source, module_of};

/// The files that touch the world. Every other file thinks: it is told the time and hands out what
/// is to be done, so it can be tested without either.
pub const TOUCHES: &[&str] = &[
    "src/main.rs",
    "src/cli/",
    "src/assembly.rs",
    "src/assembly/",
    "src/init/",
    "src/probing/",
    "src/log.rs",
    "src/serve/",
    "src/store/",
    "src/names/lookup.rs",
    "src/watch/mod.rs",
    "src/watch/tree.rs",
    "src/context/capture.rs",
    "src/context/git.rs",
    "src/context/host.rs",
    "src/context/identity.rs",
    "src/context/read.rs",
    "src/ledger/task.rs",
    "src/memory/group.rs",
    "src/memory/marker.rs",
    "src/memory/myself.rs",
    "src/memory/probe.rs",
    "src/memory/probe/parts.rs",
    "src/memory/probe/sampler.rs",
    "src/memory/proc.rs",
    "src/memory/strays.rs",
    "src/output/console.rs",
    "src/output/by_hand.rs",
    "src/output/door.rs",
    "src/output/engine/",
    "src/output/files.rs",
    "src/output/pipe.rs",
    "src/output/pipes.rs",
    "src/output/queue.rs",
    "src/output/rotate.rs",
    "src/output/shelf.rs",
    "src/output/tapes.rs",
    "src/tokens/tail/",
    "src/config/load.rs",
    "src/clock.rs",
];

/// What belongs to the world, and what below it is only a value.
const WORLD: &[(&str, &[&str])] = &[
    ("tokio", &[]),
    ("nix", &[]),
    ("libc", &[]),
    ("tracing", &[]),
    ("tracing_subscriber", &[]),
    ("hyper", &[]),
    ("hyper_util", &[]),
    ("http_body_util", &[]),
    ("rusqlite", &[]),
    ("sysinfo", &[]),
    // A generator that was given its seed is an argument; the shared one is not.
    ("fastrand", &["fastrand::Rng"]),
    ("fastrand::Rng::new", &[]),
    ("std::env", &[]),
    ("std::fs", &[]),
    ("std::io::stderr", &[]),
    ("std::io::stdin", &[]),
    ("std::io::stdout", &[]),
    (
        "std::net",
        &[
            "std::net::AddrParseError",
            "std::net::IpAddr",
            "std::net::Ipv4Addr",
            "std::net::Ipv6Addr",
            "std::net::SocketAddr",
            "std::net::SocketAddrV4",
            "std::net::SocketAddrV6",
        ],
    ),
    ("std::os", &["std::os::unix::ffi"]),
    ("std::process", &["std::process::ExitCode"]),
    ("std::thread", &[]),
    ("std::time::Instant", &[]),
    ("std::time::SystemTime", &[]),
];

/// Methods that reach the world without an import: of paths, of instants, of addresses.
const WORLDLY_METHODS: &[&str] = &[
    ".canonicalize",
    ".elapsed",
    ".exists",
    ".is_dir",
    ".is_file",
    ".is_symlink",
    ".metadata",
    ".read_dir",
    ".read_link",
    ".symlink_metadata",
    ".to_socket_addrs",
    ".try_exists",
];

const EVERYWHERE: &[&str] = &["src/"];

/// Where each foreign crate lives; a row for a path inside a crate is stricter than the crate's.
/// Every dependency has a row, so that adding one is a decision about its place.
const CRATES: &[(&str, &[&str])] = &[
    ("clap", &["src/cli/"]),
    ("crc32fast", &["src/store/"]),
    ("fast_glob", &["src/watch/"]),
    ("fastrand", EVERYWHERE),
    ("flate2", &["src/serve/"]),
    ("http_body_util", &["src/cli/control/", "src/serve/"]),
    ("hyper", &["src/cli/control/", "src/serve/"]),
    ("hyper_util", &["src/cli/control/", "src/serve/"]),
    ("itoa", &["src/metrics/"]),
    ("jiff", &["src/config/plan/", "src/tokens/", "src/units.rs"]),
    ("libc", &["src/context/", "src/init/", "src/memory/", "src/store/"]),
    ("memchr", EVERYWHERE),
    (
        "nix",
        &[
            "src/assembly.rs",
            "src/assembly/",
            "src/clock.rs",
            "src/context/",
            "src/init/",
            "src/memory/",
            "src/store/",
            "src/watch/",
            "src/output/",
            "src/serve/control/",
            "src/tokens/tail/bell.rs",
            "src/tokens/tail/plain.rs",
        ],
    ),
    // The spawner, the signaller and the reaper are one thread of one room.
    ("nix::sys::signal::kill", &["src/init/"]),
    ("nix::sys::signal::killpg", &["src/init/"]),
    ("nix::sys::wait", &["src/init/"]),
    ("nix::unistd::execve", &["src/init/"]),
    ("nix::unistd::fork", &["src/init/"]),
    ("prometheus", &["src/metrics/"]),
    // Patterns are compiled to be checked where they are read, and to be used where lines pass.
    ("regex_lite", &["src/config/", "src/output/", "src/secret/"]),
    // Of the tail, only what reads an agent's own database.
    ("rusqlite", &["src/store/", "src/tokens/tail/database.rs"]),
    ("rustls", &["src/store/"]),
    ("rustls_native_certs", &["src/store/"]),
    ("saphyr_parser", &["src/config/"]),
    ("serde", EVERYWHERE),
    ("serde_json", EVERYWHERE),
    ("serde_yaml", &["src/config/"]),
    ("sha2", &["src/config/", "src/secret/"]),
    ("shell_words", &["src/config/"]),
    ("signal_hook", &["src/cli/control/"]),
    ("simple_dns", &["src/names/"]),
    ("strsim", &["src/config/", "src/serve/"]),
    ("sysinfo", &["src/context/"]),
    // Only files that touch: the table above sees to that.
    ("tokio", EVERYWHERE),
    ("tokio_postgres", &["src/store/"]),
    ("tokio_rustls", &["src/store/"]),
    ("tracing", EVERYWHERE),
    ("tracing_subscriber", &["src/log.rs"]),
    ("ulid", &["src/units.rs"]),
];

/// What no file may name, and what to do instead.
const BANNED: &[(&str, &str)] = &[
    ("std::process::Command", "it waits for its own child when exec fails: init spawns"),
    ("tokio::process", "it forks and reaps behind init's back: init spawns"),
    ("std::process::exit", "it leaves before the last rites: return an exit code"),
    ("std::process::abort", "it leaves without the last rites: return an exit code"),
];

/// A room and what it may import.
type Row = (&'static str, &'static str);

/// The rooms from the top of the house to the bottom. A sense is a room of its own above the ledger
/// that it feeds, so what may import `memory` may not import the probe. Everything may import
/// `units`, and files that touch may import `clock`.
const ROOMS: &[Row] = &[
    ("main", "cli"),
    (
        "cli",
        "assembly init::signals serve::wire log config supervise::shutdown chains tokens tokens::tail",
    ),
    (
        "assembly",
        "probing output init serve store store::reading watch memory::probe tokens::tail metrics ledger context chains \
         tokens memory faults \
         supervise config secret",
    ),
    ("probing", "init::downward supervise::fact supervise::lifecycle config::plan"),
    // Who is left of a run is found by the same lineage that its memory is counted by.
    (
        "init",
        "ledger::entry memory::Turns memory::container memory::group memory::marker memory::proc memory::stat memory::tree secret supervise \
         config::plan",
    ),
    (
        "serve",
        "metrics output::figures output::plan output::tape context chains secret::keyed secret::masker ledger::audit ledger::beside \
         ledger::care ledger::calls ledger::forget ledger::veil \
         ledger::chain_request ledger::entry ledger::happening ledger::replay ledger::request ledger::session \
         ledger::snapshot ledger::written store::reading tokens memory supervise::lifecycle supervise::wish config::plan",
    ),
    ("watch", "supervise::fact config::plan"),
    // What is asked of it and answered, for those who ask.
    (
        "store::reading",
        "chains ledger::audit ledger::forget ledger::replay ledger::session ledger::written tokens",
    ),
    (
        "store",
        "ledger::audit ledger::entry ledger::forget ledger::replay ledger::row ledger::session ledger::store_figures ledger::written names context chains tokens secret \
         config::plan config::postgres",
    ),
    ("memory::probe", "clock ledger::entry ledger::snapshot supervise::lifecycle config::plan"),
    (
        "tokens::tail",
        "chains secret ledger::entry ledger::snapshot supervise::lifecycle config::plan",
    ),
    (
        "metrics",
        "output::figures ledger::care ledger::entry ledger::session ledger::snapshot \
         ledger::spans ledger::store_figures chains tokens memory faults supervise::fact \
         supervise::lifecycle",
    ),
    (
        "ledger",
        "chains secret context tokens memory supervise::fact supervise::lifecycle config::plan",
    ),
    ("context", "secret config::plan"),
    ("tokens", "chains secret config::plan"),
    ("memory", "config::plan faults"),
    ("supervise", "config::plan"),
    ("config", "chains::limits secret"),
    ("chains", "secret"),
    ("log", "faults secret"),
    ("names", ""),
    ("output", ""),
    ("secret", ""),
    ("clock", ""),
    ("faults", ""),
    ("units", ""),
];

/// Complaints about a file that thinks and reaches the world all the same. Its tests may.
pub fn touching(source: &Source, touches: &[&str]) -> Vec<String> {
    if lies_in(&source.path, touches) {
        return Vec::new();
    }
    worldly(source, touches)
        .map(|(line, what)| source.at(line, format!("{what} in a file that thinks")))
        .collect()
}

/// Whether every room is there. The tables run ahead of the house until then, so it is only from
/// then on that they are asked for rows that stand for nothing.
pub fn assembled(sources: &[Source]) -> bool {
    sources.iter().any(|source| source.path == "src/assembly.rs")
}

/// Complaints about entries that stand for no file that touches anything.
pub fn stale(sources: &[Source], touches: &[&str]) -> Vec<String> {
    let stale = |entry: &&&str| {
        let mut files = sources.iter().filter(|source| lies_in(&source.path, &[entry]));
        !files.any(|source| worldly(source, touches).next().is_some())
    };
    let complain = |entry: &&str| format!("TOUCHES: {entry} touches nothing: strike it out");
    touches.iter().filter(stale).map(complain).collect()
}

/// Complaints about foreign crates outside their rooms, and about what is banned altogether. Tests
/// may use the crates of other rooms, but nothing that is banned below them.
pub fn crates(source: &Source) -> Vec<String> {
    let misplaced = |name: &&Name| {
        let row = CRATES.iter().filter(|(known, _)| reaches(&name.segments, known));
        let strictest = row.max_by_key(|(known, _)| known.len());
        strictest.is_some_and(|(_, homes)| !lies_in(&source.path, homes))
    };
    let shipped = || source.names.iter().filter(|name| !name.test);
    let placed = shipped().filter(misplaced).map(|name| {
        source.at(name.line, format!("{} does not live in this room", name.segments.join("::")))
    });
    let banned = shipped().filter_map(|name| {
        let (what, instead) = BANNED.iter().find(|(what, _)| reaches(&name.segments, what))?;
        Some(source.at(name.line, format!("{what} is banned, because {instead}")))
    });
    placed.chain(banned).collect()
}

/// Complaints about dependencies without a row.
pub fn unplaced(dependencies: &BTreeSet<String>) -> Vec<String> {
    let placed = placed();
    let missing = dependencies.difference(&placed);
    missing.map(|name| format!("CRATES: {name} has no room")).collect()
}

/// Complaints about rows without a dependency.
pub fn vacant(dependencies: &BTreeSet<String>) -> Vec<String> {
    let placed = placed();
    let vacant = placed.difference(dependencies);
    vacant.map(|name| format!("CRATES: {name} is no dependency: strike it out")).collect()
}

/// The crates that have a row.
fn placed() -> BTreeSet<String> {
    CRATES.iter().filter_map(|(known, _)| known.split("::").next()).map(str::to_owned).collect()
}

/// Complaints about imports that do not go downwards. Tests obey as well.
pub fn arrows(source: &Source) -> Vec<String> {
    let module = module_of(&source.path);
    let Some(room) = module.first() else { return Vec::new() };
    let Some(row) = row_of(ROOMS, &module) else {
        return vec![source.at(1, format!("the room {room} has no row in ROOMS"))];
    };
    let (name, allowed) = ROOMS[row];
    let touches = lies_in(&source.path, TOUCHES);
    let allows = |path: &str, target: &[String]| {
        below(target, path) && row_of(ROOMS, target) == row_of(ROOMS, &split(path))
    };
    let wrong = |name: &&Name| {
        let target = &name.segments[1..];
        let own = target.first() == Some(room) || target.is_empty();
        let common = below(target, "units") || touches && below(target, "clock");
        !own && !common && !allowed.split_whitespace().any(|path| allows(path, target))
    };
    let ours = source.names.iter().filter(|name| name.segments[0] == "crate");
    ours.filter(wrong)
        .map(|path| {
            source.at(path.line, format!("{name} may not import {}", path.segments.join("::")))
        })
        .collect()
}

/// Complaints about rows of the table that do not point downwards.
pub fn upward(rooms: &[Row]) -> Vec<String> {
    let rows = rooms.iter().enumerate();
    let arrows = rows.flat_map(|(from, (_, to))| to.split_whitespace().map(move |to| (from, to)));
    arrows
        .filter(|(from, path)| row_of(rooms, &split(path)).is_none_or(|to| to <= *from))
        .map(|(from, path)| format!("ROOMS: {} -> {path} does not go downwards", rooms[from].0))
        .collect()
}

/// The row that speaks for a module: the longest one that it lies in.
fn row_of(rooms: &[Row], module: &[String]) -> Option<usize> {
    let rows = rooms.iter().enumerate().filter(|(_, (room, _))| below(module, room));
    rows.max_by_key(|(_, (room, _))| room.len()).map(|(row, _)| row)
}

fn split(path: &str) -> Vec<String> {
    path.split("::").map(str::to_owned).collect()
}

/// Every place at which a file reaches the world, tests excepted.
fn worldly<'a>(
    source: &'a Source,
    touches: &'a [&str],
) -> impl Iterator<Item = (usize, String)> + 'a {
    let names = source.names.iter().filter(|name| !name.test);
    let names = names.filter(|name| is_worldly(&name.segments, touches));
    let methods = source.words.iter().filter(|word| !word.test);
    let methods = methods.filter(|word| WORLDLY_METHODS.contains(&word.word.as_str()));
    names
        .map(|name| (name.line, name.segments.join("::")))
        .chain(methods.map(|word| (word.line, format!("{}()", word.word))))
}

/// Whether a path belongs to the world: by the table, because it asks some clock for the time, or
/// because it leads into a file of ours that touches.
fn is_worldly(segments: &[String], touches: &[&str]) -> bool {
    let listed = WORLD.iter().any(|(world, values)| {
        reaches(segments, world) && !values.iter().any(|value| below(segments, value))
    });
    let asks_the_time = segments.len() > 1 && segments[segments.len() - 1] == "now";
    listed || asks_the_time || is_touching_module(segments, touches)
}

fn is_touching_module(segments: &[String], touches: &[&str]) -> bool {
    let Some(("crate", module)) = segments.split_first().map(|(first, rest)| (&**first, rest))
    else {
        return false;
    };
    touches.iter().any(|entry| {
        let file = module_of(entry.trim_end_matches('/'));
        module.starts_with(&file)
    })
}

/// Whether the path is `prefix` or lies below it.
fn below(segments: &[String], prefix: &str) -> bool {
    let mut segments = segments.iter();
    prefix.split("::").all(|wanted| segments.next().is_some_and(|segment| segment == wanted))
}

/// Whether the path is `prefix`, lies below it, or imports everything around it.
fn reaches(segments: &[String], prefix: &str) -> bool {
    let around = |(last, folder): (&String, &[String])| {
        last == "*" && prefix.split("::").zip(folder).all(|(wanted, segment)| segment == wanted)
    };
    below(segments, prefix) || segments.split_last().is_some_and(around)
}

/// Whether the file is one of `entries` or lies below one that ends in a slash.
fn lies_in(path: &str, entries: &[&str]) -> bool {
    entries.iter().any(|entry| path == *entry || entry.ends_with('/') && path.starts_with(entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, text: &str) -> Source {
        Source::read(path, text).unwrap()
    }

    #[test]
    fn the_table_of_rooms_goes_downwards() {
        assert_eq!(upward(ROOMS), [""; 0]);
        let looped = &[("a::x", "b::x"), ("b", "a::x a"), ("c", "c d"), ("a", "")];
        assert_eq!(upward(looped).len(), 3);
    }

    #[test]
    fn a_file_that_thinks_may_not_touch() {
        let check = |text: &str, faults: usize| {
            let found = touching(&read("src/supervise/process.rs", text), TOUCHES);
            assert_eq!(found.len(), faults, "{text}: {found:?}");
            assert_eq!(touching(&read("src/init/mod.rs", text), TOUCHES), [""; 0], "{text}");
        };
        check("use tokio::sync::mpsc;", 1);
        check("use std::{fs, time::{Duration, Instant}};", 2);
        check("use std::net::{SocketAddr, TcpStream};", 1);
        check("use std::io; fn f() { io::stderr() }", 1);
        check("use std::io::*;", 1);
        check("fn f() { tracing::info!(\"said\") }", 1);
        check("fn f() { jiff::Timestamp::now() }", 1);
        check("fn f(path: &Path) { path.exists() }", 1);
        check("use crate::clock;", 1);
        check("use crate::memory::probe::Probe;", 1);
        check("use crate::memory::TreeSample;", 0);
        check("fn f() { fastrand::u64(..) }", 1);
        check("fn f(random: &mut fastrand::Rng) {}", 0);
        check("fn f() { fastrand::Rng::new() }", 1);
        check("#[cfg(test)] mod tests { use std::fs; }", 0);
    }

    #[test]
    fn entries_that_touch_nothing_are_stale() {
        let house = [
            read("src/assembly.rs", "use tokio::sync;"),
            read("src/store/mod.rs", "use std::fmt;"),
            read("src/store/sqlite.rs", "use std::fs;"),
            read("src/clock.rs", "use std::fmt;"),
        ];
        let list = ["src/assembly.rs", "src/store/", "src/clock.rs", "src/gone.rs"];
        let found = stale(&house, &list);
        assert!(found.len() == 2 && found[0].contains("clock") && found[1].contains("gone"));
        assert!(assembled(&house) && !assembled(&house[1..]));
    }

    #[test]
    fn a_foreign_crate_stays_in_its_room() {
        let check = |path: &str, text: &str, faults: usize| {
            assert_eq!(crates(&read(path, text)).len(), faults, "{text} at {path}");
        };
        check("src/metrics/mod.rs", "use prometheus::proto;", 0);
        check("src/serve/mod.rs", "use prometheus::proto;", 1);
        check("src/memory/probe.rs", "use nix::unistd::getpid;", 0);
        check("src/memory/probe.rs", "use nix::sys::wait::waitpid;", 1);
        check("src/memory/probe.rs", "use nix::sys::{signal::{kill, Signal}, wait};", 2);
        check("src/init/spawn.rs", "use std::process::Command;", 1);
        check("src/init/spawn.rs", "use std::process; fn f() { process::exit(1) }", 1);
        check("src/init/spawn.rs", "#[cfg(test)] mod tests { use std::process::Command; }", 0);
    }

    #[test]
    fn every_dependency_has_a_room() {
        let mut dependencies = placed();
        assert_eq!([unplaced(&dependencies), vacant(&dependencies)], [[""; 0]; 2]);
        dependencies.remove("tokio");
        dependencies.insert("openssl".to_owned());
        assert_eq!([unplaced(&dependencies).len(), vacant(&dependencies).len()], [1, 1]);
    }

    #[test]
    fn imports_go_downwards() {
        let check = |path: &str, text: &str, faults: usize| {
            let found = arrows(&read(path, text));
            assert_eq!(found.len(), faults, "{text} at {path}: {found:?}");
        };
        check("src/supervise/mod.rs", "use crate::{config::plan::Plan, units::Now};", 0);
        check("src/supervise/mod.rs", "use crate::config::load;", 1);
        check("src/supervise/mod.rs", "use crate::{ledger, config::*};", 2);
        check("src/ledger/entry.rs", "use crate::store::Store;", 1);
        check("src/ledger/entry.rs", "#[cfg(test)] mod tests { use crate::store::Store; }", 1);
        check("src/units.rs", "use super::config::plan::Plan;", 1);
        check("src/memory/leak.rs", "use crate::clock;", 1);
        check("src/memory/probe.rs", "use crate::clock;", 0);
        check("src/memory/probe.rs", "use crate::ledger::entry::Entry;", 0);
        check("src/memory/leak.rs", "use crate::ledger::entry::Entry;", 1);
        check("src/memory/probe.rs", "use super::tree::Tree; use self::inner::T;", 0);
        check("src/serve/mod.rs", "use crate::memory::{LeakState, probe::Probe};", 1);
        check("src/assembly.rs", "use crate::memory::{LeakState, probe::Probe};", 0);
        check("src/main.rs", "fn main() { procession::cli::run() }", 0);
        check("src/main.rs", "fn main() { procession::assembly::run() }", 1);
        check("src/attic/mod.rs", "", 1);
    }
}
