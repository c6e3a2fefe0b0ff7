//! The keys that say how long sessions last, how long they are kept, and what is learnt of them.

use super::form::Form::{Duration, Flag, List, Many, Map, Number, Text, Whole, Words};
use super::form::{Form, Key};
use super::keys::{OFF_OR_DURATION, OFF_OR_TEXT};

pub(super) const SESSIONS: [Key; 9] = [
    (
        "idle_timeout",
        OFF_OR_DURATION,
        "External sessions and spawned commands without activity for so long are ended as timed out, conversations turn idle; 1h unless written (or SESSION_TIMEOUT_SECS), `false` never.",
    ),
    (
        "max_duration",
        OFF_OR_DURATION,
        "External sessions and spawned commands that last so long are ended as timed out; never unless written.",
    ),
    (
        "max_concurrent",
        Whole(1, 100_000),
        "External sessions and spawned commands that may be open at once; 100 unless written (or SESSION_MAX_CONCURRENT).",
    ),
    (
        "cleanup_interval",
        Duration,
        "How often ended external sessions are let go of in memory; 5m unless written (or SESSION_CLEANUP_INTERVAL).",
    ),
    (
        "warn_at",
        Many(&Number(0.0, 1.0)),
        "The parts of the idle time-out after which a warning is given; [0.5, 0.8, 0.95] unless written. At the first one the session turns idle.",
    ),
    (
        "warn_signal",
        OFF_OR_TEXT,
        "The signal that a run gets with each warning; none unless written.",
    ),
    (
        "snapshot_interval",
        OFF_OR_DURATION,
        "How often what is known of a live session is written into its history; 15m unless written.",
    ),
    ("retention", Map(&RETENTION, &[]), "How long history is kept."),
    (
        "log",
        OFF_OR_TEXT,
        "A file that every event of a session is written to as a JSON object in a line; none unless written.",
    ),
];

const RETENTION: [Key; 5] = [
    (
        "completed",
        Duration,
        "The history of sessions that ended well, from their end on; 720h (30 days) unless written.",
    ),
    ("failed", Duration, "That of sessions that did not; 2160h (90 days) unless written."),
    (
        "archived",
        Duration,
        "What is left of a session then: who, when, how it ended and what it used; 4320h (180 days from its end) unless written.",
    ),
    ("audit", Duration, "Who asked for what at the control doors; 8760h (a year) unless written."),
    ("samples", Duration, "The single memory samples of a session; 168h (7 days) unless written."),
];

pub(super) const SESSION: [Key; 2] = [
    (
        "idle_timeout",
        OFF_OR_DURATION,
        "A run without activity for so long is stopped, and stays stopped.",
    ),
    (
        "max_duration",
        OFF_OR_DURATION,
        "A run that lasts so long is stopped, and counts as failed for `restart`.",
    ),
];

const TREATMENT: Form = Words(&["collect", "hash", "drop"]);

pub(super) const PRIVACY: [Key; 9] = [
    ("command", TREATMENT, "The command of a session; its secrets are masked in any case."),
    ("working_dir", TREATMENT, "The folder that it runs in."),
    ("user", TREATMENT, "The name of the user that it runs as."),
    ("git", TREATMENT, "The branch and the commit of the checkout that it works in."),
    ("hostname", TREATMENT, "The name of the host."),
    ("native_ids", TREATMENT, "The ids that agents and applications give their conversations."),
    ("metadata", TREATMENT, "The labels that applications give their sessions."),
    (
        "excerpts",
        Flag,
        "Whether the first 200 characters of prompts and answers are kept, with secrets masked; `false` unless written.",
    ),
    (
        "patterns",
        List(&Map(&PATTERN, &["regex"])),
        "What is masked beside keys, tokens, addresses, account and card numbers.",
    ),
];

const PATTERN: [Key; 2] = [
    ("name", Text, "What it finds, for people."),
    ("regex", Text, "A regular expression; what it finds is masked wherever it stands."),
];
