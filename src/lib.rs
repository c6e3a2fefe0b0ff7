//! procession: a container's PID 1 that shows what runs, what leaks, what agents spend, and how it
//! ended. This page is the map for those who work on it; the README is for those who use it.
//!
//! ```text
//!    KERNEL            SENSES              MIND                     HANDS              WORLD
//!   signals ───────► init/signals ─┐                          ┌─► init/spawn ──────► children
//!   SIGCHLD ───────► init/reap ────┼─────► supervise ─────────┼─► init/sys ────────► groups, trees
//!   deadlines, pipes ► init ───────┘ Fact             Action  └─► exit code ───────► runtime
//!                                           │
//!       ════════════════════════════════════│═════ one way, bounded, never awaited ═════
//!                                           ▼ Entry
//!   /proc ─────────► memory/probe ──────►┌────────┐ Batch ┌───────┐
//!   agents' logs ──► tokens/tail ───────►│ ledger │──────►│ store │ sqlite, postgres
//!   project files ─► context ───────────►└────────┘       └───────┘
//!                                           │ Snapshot, the latest wins
//!                                observers: metrics, serve
//! ```
//!
//! # Invariants
//!
//! - **Spawn first, observe later.** Everything below the double line is built after the first
//!   processes were spawned, and nothing there can delay a spawn, a signal or a reap. The loop tells
//!   the ledger by a bounded queue that it never waits for.
//! - **One thread spawns, waits and signals**: the main one. `std::process` and `tokio::process` are
//!   banned, because both wait for children behind our back.
//! - **A file thinks or touches.** What thinks is pure: time and chance are arguments. The list of
//!   what touches is in `tests/tidy/rooms.rs`, with the arrows between rooms and the room of each
//!   foreign crate; the tests hold them.
//! - **Goal is apart from phase** in [`supervise::process`], so that a restart needs no flag; the
//!   table there is total. `tests/sim.rs` drives it through thousands of seeded lives.
//! - **Every fact about a run carries its [`units::RunId`]**; news of a run that is over changes
//!   nothing. A pid is believed only together with its start time ([`units::ProcId`]).
//! - **Metrics are a projection** of one immutable [`ledger::snapshot::Snapshot`] at scrape; there
//!   is no registry, so that nothing stale can be left in one.
//! - **Durable means committed**, and what is committed outlives a kill of ours and the container; a
//!   power cut may take back the last half minute, so that no commit waits for a flush of the disk.
//!   A token batch and the offset that it was read up to are one transaction.
//! - Absent, by intent: a lock above the line; a clock outside [`clock`]; a log line in a mind; a
//!   session id as a label of a counter; a price in code; a module called util.
//!
//! # Threads
//!
//! Main: the init loop, on one `epoll` set and no runtime; and what reads pipes, for as long as no
//! thread can be had for that ([`output::by_hand`]). Below the line one worker, and up to four
//! threads for what waits for disks. What processes write has a reader, from the first pipe on, and a
//! writer for each place that it goes to. One thread each for the store, the run file, the log,
//! the environments of strangers and the memory of processes page by page, because a disk, a terminal
//! and `/proc` can hang; and one that samples memory, because a timer of the runtime with a thread
//! aside would be four wakings for each sample.
//!
//! # Rooms, in reading order
//!
//! [`units`], [`secret`], [`clock`] and [`faults`] are the common ground; [`chains`] is what is known of
//! agents' conversations one after the other, fed by [`tokens`] and kept by the ledger. [`config`] makes a plan of a file.
//! [`supervise`] is the mind and [`init`] the body. [`ledger`] is the memory of what happened, fed by
//! [`memory`], [`tokens`] and [`context`], kept by [`store`] (which finds servers by `names`), shown by [`metrics`] and [`serve`].
//! [`output`] is what becomes of what processes write; [`probing`] and [`watch`] are senses beside
//! the probe: health tests over the network, and files that changed. [`serve`] is two doors, one to
//! look and one to give orders. [`assembly`] puts the rooms together; [`cli`] and [`log`] are the door to the terminal.
//!
//! # Where to change what
//!
//! - What a signal does: `signal_arrived` in `supervise/hearing.rs`. When a process is restarted,
//!   stopped or given up: the table in [`supervise::process`]. What an order does:
//!   `supervise/orders.rs`; what a reload does: `supervise/reload.rs`; when a run is ready or
//!   unhealthy: [`supervise::care`], [`supervise::health`]. The stop budget: [`supervise::shutdown`].
//! - A configuration key: `config/process/` or `config/file.rs`, [`config::plan`] with what a reload
//!   makes of it (`succession.rs`), `config/show/`, `config/schema/keys.rs`, `config/everything.yaml`,
//!   a wrong one in `config/mistakes.txt`, and `config.yaml`, which explains it to users.
//! - A verb or a path of the API: `cli/control/`, `serve/control/api.rs`, `serve/wire.rs` and
//!   `serve/openapi.json`, which the tests hold against each other.
//! - What happens between fork and exec: `init/sys/child.rs` and `init/sys/world.rs`.
//! - How long sessions rest and last, and what ends with what: [`ledger::request`] for what is asked,
//!   `ledger/activity.rs`, `ledger/external.rs` and `ledger/fold_time.rs`; the ledger ends no run, it
//!   asks for that at the control door like anybody.
//! - A metric: a row in [`metrics::catalogue`] and a line in `metrics/families`; then the golden files
//!   (`PROCESSION_BLESS=1`), dashboards and alerts, which `tests/contract.rs` holds against it.
//! - A kind of token: [`tokens::TokenCounts`] and [`tokens::TokenKind`], [`tokens::price`] and its data,
//!   the agent's decoder in [`tokens::agents`], a numbered step in `store/schema` for each database, `rows.rs` of `store/sqlite` and of
//!   `store/postgres`, which `store/suite.rs` holds to the same promises.
//! - What a chain of conversations tells: [`chains`], `ledger/fold_chains.rs`, `store/chains.rs`,
//!   `serve/control/chains.rs` and `cli/control/agents.rs`.
//! - What a session tells of itself: [`ledger::session`], its fold in `ledger/fold_*.rs`, and the store.
//!
//! # Decisions that differ from the first design
//!
//! - A room `context`, for what a session inherits: it reads files and the host, and neither the
//!   ledger, which thinks, nor `init`, which must not wait, is a place for that.
//! - `init` reads `/proc` by [`memory::proc`] and [`memory::tree`]: who is left of a run must be found
//!   by the same lineage that its memory is counted by.
//! - A room `secret`, below all that shows or keeps anything: one rule for what is masked.
//! - An orphan without lineage is placed by the session in its environment, and may be ended with its
//!   run, when it came to us as well: a tool that starts a server in the background and leaves is the
//!   commonest case of agents. Nothing is placed by the variable alone ([`memory::marker`]).
//! - The listener keeps the newest connections rather than refusing them when there are too many, so
//!   that holding connections open keeps no scraper out.
//! - The loop's signals are held back and read from a descriptor, without `signal-hook`: its handlers
//!   cost fifty system calls and a hundred kilobytes before the first spawn, and a second waking for
//!   each signal. It stays where a verb waits at the terminal.
//! - `names` looks host names up itself: a small stub resolver over a crate that knows the messages,
//!   because hickory's brings a cache and tables of international names for two kinds of record.
//! - The schema of PostgreSQL is a file of its own rather than SQLite's: what is shared there (lives,
//!   claims, progress by instance) means nothing in a file that one supervisor holds.
//! - The loop turns without tokio, by `init/bells.rs`: a runtime above it cost a tenth of a
//!   millisecond before the first spawn, and a waking of itself for each new deadline.
//! - The one command is forked without a copy of our memory (`init/sys/child.rs`), as `vfork(2)`
//!   does: there is nobody beside it that the loop would have to look after meanwhile.
//! - Control groups hand the container's limits on (`init/cgroup`), for which we move to a leaf of our
//!   own; where they cannot be handed on, there are no groups, and lineage and a freeze have to do.
//! - A response is closed half a second after its stop reason rather than at once, because every
//!   line of a response can carry one.

// What clippy.toml bans is banned from the program; tests run programs and read clocks.
#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod units;
pub mod secret;
pub mod clock;
pub mod faults;
pub mod config;
pub mod supervise;
pub mod init;
pub mod probing;
pub mod ledger;
pub mod output;
pub mod memory;
pub mod chains;
pub mod tokens;
pub mod context;
pub mod watch;
#[cfg(feature = "postgres")]
pub mod names;
pub mod store;
pub mod metrics;
pub mod serve;
pub mod assembly;
pub mod cli;
pub mod log;
