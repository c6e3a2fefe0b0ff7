//! The table of every key that a configuration can have, with what each means.

use super::budget_keys::BUDGET;
use super::form::Form::{
    Database, Duration, Either, Flag, List, Many, Map, Named, NamedOrBare, Number, Off, Percent,
    Size, Text, Whole, Words,
};
use super::form::{Form, Key};
use super::session_keys::{PRIVACY, SESSION, SESSIONS};
use super::token_keys::TOKENS;

const COMMAND: Form = Either(&[Text, List(&Text)]);
pub(super) const OFF_OR_TEXT: Form = Either(&[Off, Text]);
const PATHS: Form = Many(&Text);

/// The top of the file.
pub(super) const FILE: [Key; 15] = [
    ("processes", Named(&Map(&PROCESS, &[])), "What to run, by name."),
    (
        "exit_code_from",
        Many(&Text),
        "The process or processes whose end ends the container, and whose exit code becomes its own.",
    ),
    (
        "shutdown_timeout",
        Duration,
        "From the request to stop until the container is gone, whatever the processes do; 9s unless written, because Docker kills after 10 s.",
    ),
    (
        "metrics",
        Either(&[Off, Map(&METRICS, &[])]),
        "Where Prometheus and people look; `false` listens nowhere.",
    ),
    (
        "control",
        Either(&[Flag, Text, Map(&CONTROL, &[])]),
        "Where orders are taken: `true` for a socket in the state folder, `false` for none, or the path of a socket.",
    ),
    (
        "store",
        Either(&[Words(&["memory"]), Database, Map(&STORE, &[])]),
        "Where history is kept: in memory, in an SQLite file, or in a PostgreSQL database.",
    ),
    (
        "state_dir",
        Text,
        "Where the run file, the control socket and, unless told otherwise, the history are kept.",
    ),
    (
        "recovery",
        Words(&["end", "adopt"]),
        "What happens to processes that outlived an earlier life.",
    ),
    (
        "cgroups",
        Words(&["auto", "off"]),
        "Whether each run gets a control group of its own, where some can be made.",
    ),
    ("memory", Map(&MEMORY, &[]), "How memory is watched."),
    ("output", OUTPUT_FORM, "What becomes of what processes write, unless they say otherwise."),
    (
        "sessions",
        Map(&SESSIONS, &[]),
        "How long sessions may rest and last, and how many may be open.",
    ),
    ("privacy", Map(&PRIVACY, &[]), "What is learnt of those who work here, and what is masked."),
    ("tokens", Map(&TOKENS, &[]), "Where tokens are told of, beside the agents' logs."),
    (
        "budgets",
        Named(&Map(&BUDGET, &[])),
        "What may be spent by whom in which time, by name, and what follows when it is spent.",
    ),
];

pub(super) const OFF_OR_DURATION: Form = Either(&[Off, Duration]);

const METRICS: [Key; 1] =
    [("listen", OFF_OR_TEXT, "An IP address and a port; 0.0.0.0:9917 unless written.")];

const CONTROL: [Key; 4] = [
    ("socket", OFF_OR_TEXT, "The path of the unix socket; `false` opens none."),
    (
        "listen",
        Text,
        "An IP address and a port on which the same orders are taken over TCP; needs `token_file`.",
    ),
    ("token_file", Text, "The file that holds the bearer token of an admin, for orders over TCP."),
    ("tokens", List(&Map(&TOKEN, &["name", "file", "role"])), "Further tokens, each with a role."),
];

const TOKEN: [Key; 5] = [
    ("name", Text, "Its name, for the audit trail."),
    ("file", Text, "The file that holds it."),
    (
        "role",
        Words(&["viewer", "operator", "admin"]),
        "Who may look, who may also give orders to processes and sessions, and who may do everything.",
    ),
    ("users", Many(&Text), "Only sessions of these users."),
    ("agents", Many(&Text), "Only sessions of these agents."),
];

const STORE: [Key; 5] = [
    ("sqlite", Text, "The path of the SQLite file."),
    ("postgres", Database, "The URL of the PostgreSQL database that a fleet shares."),
    (
        "password_file",
        Text,
        "A file that holds the password of the database; it is read at each connection.",
    ),
    (
        "spool",
        Either(&[Off, Size]),
        "How large the file in the state folder may become where history waits while its store is away: 16MiB unless written.",
    ),
    (
        "output",
        Either(&[Off, Size]),
        "How much of what each spawned command wrote is kept beyond its end, masked, the last of it: 64KiB unless written.",
    ),
];

const MEMORY: [Key; 7] = [
    ("interval", Duration, "From one sample to the next; 5s unless written."),
    ("warning", THRESHOLD, WARNING),
    ("critical", THRESHOLD, CRITICAL),
    ("on_warning", MEMORY_ACTIONS, ON_WARNING),
    ("on_critical", MEMORY_ACTIONS, ON_CRITICAL),
    ("hook", ONE_HOOK, ON_MEMORY),
    (
        "leak_rule",
        Words(&["robust", "growth-count"]),
        "What counts as a leak: `robust`, growth of what stays behind that goes on; `growth-count`, \
         at least 8 rising steps out of the last 9.",
    ),
];

const THRESHOLD: Form = Either(&[Size, Percent]);
const WARNING: &str = "The memory of a tree that is worth a look, as a size or a part of the container's limit; 4000MiB unless written, or 80% where that is less.";
const CRITICAL: &str =
    "The memory of a tree that is worth a page; 6000MiB unless written, or 90% where that is less.";

const MEMORY_ACTIONS: Form = Many(&Text);
const ON_WARNING: &str = "What follows a warning beside the event: a signal to its main process, `hook`, `restart` or `stop`; nothing unless written.";
const ON_CRITICAL: &str = "What follows when it is critical; see `on_warning`. Its end is asked for when it stays so for three samples, a restart once in ten minutes.";

const THRESHOLDS: [Key; 5] = [
    ("warning", THRESHOLD, WARNING),
    ("critical", THRESHOLD, CRITICAL),
    ("on_warning", MEMORY_ACTIONS, ON_WARNING),
    ("on_critical", MEMORY_ACTIONS, ON_CRITICAL),
    ("hook", ONE_HOOK, ON_MEMORY),
];

/// A process.
const PROCESS: [Key; 39] = [
    (
        "command",
        COMMAND,
        "What to run: a text that is split into words without a shell, or a list of words.",
    ),
    ("entrypoint", COMMAND, "Words that are put in front of the command."),
    (
        "type",
        Words(&["service", "oneshot", "init"]),
        "Whether it runs for as long as the house is up, to completion, or to completion before everything else.",
    ),
    (
        "autostart",
        Flag,
        "Whether it starts by itself; `false` waits for an order, or for one that needs it.",
    ),
    (
        "replicas",
        Whole(1, 100),
        "How many of it run, as name-1, name-2 and so on; other keys mean all of them by the name.",
    ),
    (
        "schedule",
        Either(&[Text, Map(&SCHEDULE, &["cron"])]),
        "When it runs by the clock: a cron expression in UTC, or a word such as @hourly. A time that comes while it runs is skipped; with `replicas` as many runs may live at once.",
    ),
    ("working_dir", Text, "Where it starts."),
    (
        "environment",
        Either(&[List(&Text), NamedOrBare(&Text)]),
        "Variables: a map, or a list of NAME=value. A name without a value passes ours through.",
    ),
    ("env_file", Many(&Either(&[Text, Map(&ENV_FILE, &["path"])])), "Files with NAME=value lines."),
    (
        "secrets",
        Named(&Text),
        "Variables whose values are read from files when the process is started, so that they appear in no store and no log.",
    ),
    (
        "user",
        Text,
        "As whom it runs: a name or number, with a group behind a colon if need be. Without a group it has all groups of the user.",
    ),
    ("group_add", Many(&Text), "Further groups of the user, by name or number."),
    ("umask", Text, "The permission bits that new files do not get, in octal: 022."),
    ("ulimits", Map(&ULIMITS, &[]), "Limits, by the names of setrlimit(2)."),
    ("nice", Whole(-20, 19), "The priority for processors: -20 is first, 19 last."),
    (
        "oom_score_adj",
        Whole(-1000, 1000),
        "How likely the kernel kills it when memory runs out: 1000 is first, -1000 never.",
    ),
    ("cpuset", Text, "The processors that it may run on: 0-1,3."),
    (
        "io_priority",
        Text,
        "The priority for disks: idle, or best-effort or realtime with a level from 0 (first) to 7.",
    ),
    ("stdin_open", Flag, "Whether it has our standard input; one process at most."),
    (
        "tty",
        Flag,
        "Whether it has our terminal, one process at most; with an `output` of its own that is not passed through, a terminal of its own, whose output we read.",
    ),
    (
        "depends_on",
        Either(&[List(&Text), Named(&Map(&DEPENDENCY, &["condition"]))]),
        "What must have happened to others before it starts. A bare name waits until it has started, or completed where it is a oneshot.",
    ),
    (
        "ready",
        Either(&[Text, Map(&READY, &[])]),
        "When it counts as ready, beside a first passed health test: a regular expression for a line of its output, or a map.",
    ),
    ("healthcheck", Map(&HEALTH, &[]), "How it is learnt whether it is healthy."),
    (
        "watchdog",
        Duration,
        "It is restarted when it sends no WATCHDOG=1 for so long, as with sd_notify(3).",
    ),
    (
        "restart",
        Either(&[Words(&["no", "always", "on-failure", "unless-stopped"]), Text]),
        "After which ends it is started again; `on-failure:5` gives up after five restarts in a row.",
    ),
    (
        "restart_policy",
        Map(&RESTART, &[]),
        "How fast it is started again, and when it is given up.",
    ),
    ("success_exit_codes", Many(&Whole(0, 255)), "Exit codes besides 0 that count as success."),
    ("post_start", HOOK, "Commands after its start."),
    ("pre_stop", HOOK, "Commands before its stop signal, inside the grace period."),
    ("post_exit", HOOK, "Commands after its end."),
    ("stop_signal", Text, "The signal that asks it to end; SIGTERM unless written."),
    (
        "stop_grace_period",
        Duration,
        "From that signal to SIGKILL; 10s unless written. Who left the group is asked in its last quarter.",
    ),
    ("forward_signals", Many(&Text), "Signals that are passed on to it when we get them."),
    ("output", OUTPUT_FORM, "What becomes of what it writes."),
    ("develop", Map(&DEVELOP, &["watch"]), "What is done while one works on it."),
    ("memory", Map(&THRESHOLDS, &[]), "Its own thresholds."),
    ("agent", Either(&[Words(&DIALECTS), Map(&AGENT, &[])]), "The coding agent that it runs."),
    ("tokens", Map(&PROCESS_TOKENS, &[]), "Where it tells what it spends."),
    (
        "session",
        Map(&SESSION, &[]),
        "When its runs are ended as timed out; they never are unless written.",
    ),
];

const SCHEDULE: [Key; 2] = [
    ("cron", Text, "Minute, hour, day of month, month, day of week; or @hourly and its like."),
    (
        "timezone",
        Text,
        "UTC unless written; `local` for that of the container, or a name such as Europe/Berlin.",
    ),
];

const ENV_FILE: [Key; 2] = [
    ("path", Text, "The file."),
    ("required", Flag, "Whether it is a fault when there is no such file; `true` unless written."),
];

const LIMIT: Form =
    Either(&[Whole(-1, i64::MAX), Words(&["unlimited"]), Map(&SOFT_AND_HARD, &["soft", "hard"])]);
const ONE_LIMIT: Form = Either(&[Whole(-1, i64::MAX), Words(&["unlimited"])]);

const SOFT_AND_HARD: [Key; 2] = [
    ("soft", ONE_LIMIT, "What it may use."),
    ("hard", ONE_LIMIT, "What it may raise the soft limit to."),
];

const ULIMITS: [Key; 16] = [
    ("as", LIMIT, "Address space, in bytes."),
    ("core", LIMIT, "Core dumps, in bytes."),
    ("cpu", LIMIT, "Processor time, in seconds."),
    ("data", LIMIT, "Data segment, in bytes."),
    ("fsize", LIMIT, "Files, in bytes."),
    ("locks", LIMIT, "File locks."),
    ("memlock", LIMIT, "Locked memory, in bytes."),
    ("msgqueue", LIMIT, "POSIX message queues, in bytes."),
    ("nice", LIMIT, "The ceiling of the nice value, as 20 - nice."),
    ("nofile", LIMIT, "Open descriptors; never unlimited."),
    ("nproc", LIMIT, "Processes of the user."),
    ("rss", LIMIT, "Resident set, in bytes; without effect today."),
    ("rtprio", LIMIT, "Real-time priority."),
    ("rttime", LIMIT, "Real-time processor time, in microseconds."),
    ("sigpending", LIMIT, "Queued signals."),
    ("stack", LIMIT, "Stack, in bytes."),
];

const DEPENDENCY: [Key; 3] = [
    (
        "condition",
        Words(&["service_started", "service_healthy", "service_completed_successfully"]),
        "What must have happened: it was executed, it became ready, or it ended with success.",
    ),
    ("required", Flag, "Whether it never starts without; `true` unless written."),
    (
        "restart",
        Flag,
        "Whether it is restarted along when the other is restarted by an order or a reload.",
    ),
];

const READY: [Key; 3] = [
    ("log", Text, "A regular expression for a line of its output."),
    ("notify", Flag, "Whether it sends READY=1 as with sd_notify(3)."),
    (
        "timeout",
        Either(&[Off, Duration]),
        "It has failed when it is not ready by then; 60s unless written, `false` waits for ever.",
    ),
];

const HEALTH: [Key; 10] = [
    (
        "test",
        Either(&[Text, List(&Text)]),
        "A command that ends with 0: a text for a shell, [CMD, program, …], [CMD-SHELL, text], or [NONE].",
    ),
    ("http", Text, "A URL with an IP address or localhost that answers with 200 to 399."),
    ("tcp", Text, "An address and port that accepts connections."),
    ("interval", Duration, "From one test to the next; 30s unless written."),
    ("timeout", Duration, "A test that takes longer has failed; 30s unless written."),
    (
        "retries",
        Whole(1, 1000),
        "So many failures in a row make it unhealthy, one in an `interval` until the first test passed; 3 unless written.",
    ),
    (
        "start_period",
        Duration,
        "Failures this soon after the start do not count; 0s unless written.",
    ),
    ("start_interval", Duration, "The interval until the first test passed; 1s unless written."),
    ("disable", Flag, "Turns the check off."),
    (
        "on_unhealthy",
        Words(&["restart", "report"]),
        "What follows; `restart` unless the restart policy is `no`.",
    ),
];

const RESTART: [Key; 7] = [
    ("delay", Duration, "Before the first restart in a row; 500ms unless written."),
    ("factor", Number(1.0, 100.0), "What each further delay is multiplied by; 2 unless written."),
    ("max_delay", Duration, "The longest delay; 30s unless written."),
    (
        "jitter",
        Number(0.0, 1.0),
        "The share of the delay that is added by chance at most; 0.1 unless written.",
    ),
    ("window", Duration, "A run of this length begins a new row; 30s unless written."),
    (
        "max_attempts",
        Whole(1, u32::MAX as i64),
        "Restarts in a row after which it is given up; never unless written.",
    ),
    (
        "on_crash_loop",
        Words(&["stay", "exit"]),
        "What follows when it is given up: the others stay, or all end with code 75.",
    ),
];

const ON_MEMORY: &str = "The command that is run when a level is reached whose actions name `hook`, as a command of its own beside the plan, once in a minute at most.";

/// A command, or one hook.
pub(super) const ONE_HOOK: Form = Either(&[Text, Map(&HOOK_KEYS, &["command"]), List(&Text)]);

const HOOK: Form = Either(&[
    Text,
    Map(&HOOK_KEYS, &["command"]),
    List(&Either(&[Text, Map(&HOOK_KEYS, &["command"])])),
]);

const HOOK_KEYS: [Key; 2] = [
    ("command", COMMAND, "What to run, where its process runs and as it does."),
    ("timeout", Duration, "It is killed when it takes longer; 30s unless written."),
];

const MODES: Form = Words(&["prefixed", "json", "passthrough", "quiet"]);
const OUTPUT_FORM: Form = Either(&[MODES, Map(&OUTPUT, &[])]);

const OUTPUT: [Key; 5] = [
    (
        "mode",
        MODES,
        "Line by line behind the name, as JSON lines, untouched, or not at all; `prefixed` unless written.",
    ),
    (
        "keep",
        Size,
        "The last bytes that are kept in memory for `procession logs`; 64KiB unless written, 16MiB at most, 0 keeps none.",
    ),
    ("longest_line", Size, "Longer lines are cut; 16KiB unless written."),
    (
        "max_block",
        Duration,
        "How long it may be kept waiting when our own output is slow, before lines are dropped; 100ms unless written.",
    ),
    ("file", Either(&[Text, Map(&OUTPUT_FILE, &["path"])]), "A file that is written too."),
];

const OUTPUT_FILE: [Key; 4] = [
    (
        "path",
        Text,
        "The file; older ones are path.1, path.2 and so on. A replica has its number in front of the ending.",
    ),
    (
        "max_size",
        Either(&[Off, Size]),
        "A file that has grown beyond this is rotated; 10MiB unless written, `false` never.",
    ),
    (
        "max_age",
        Either(&[Off, Duration]),
        "A file that is older than this is rotated; never unless written.",
    ),
    ("keep", Whole(0, 1000), "How many rotated files are kept; 5 unless written."),
];

const DEVELOP: [Key; 1] =
    [("watch", List(&Map(&WATCH, &["path"])), "Files whose change restarts it.")];

const WATCH: [Key; 5] = [
    ("path", Text, "A file, or a folder with everything below it."),
    ("action", Words(&["restart"]), "What follows."),
    ("ignore", PATHS, "Patterns of what does not count, as in .dockerignore."),
    ("include", PATHS, "Patterns of what alone counts."),
    (
        "debounce",
        Duration,
        "Changes are waited for until none came for so long; 300ms unless written.",
    ),
];

const DIALECTS: [&str; 4] = ["claude", "codex", "gemini", "opencode"];

const PROCESS_TOKENS: [Key; 1] = [(
    "stdout",
    Either(&[Words(&["auto"]), Flag]),
    "Whether its standard output is read for that; `auto` where its command is `claude -p` with `--output-format json` or `stream-json`, or `codex exec --json`.",
)];

const AGENT: [Key; 6] = [
    ("name", Text, "The name that its figures carry; the product's unless written."),
    ("dialect", Words(&DIALECTS), "How its transcripts are read."),
    (
        "transcripts",
        PATHS,
        "The folders that hold its transcripts; where the product keeps them unless written.",
    ),
    (
        "context_window",
        Whole(1_000, 100_000_000),
        "Tokens that its window holds; the model's own unless written, and 180000 where that is not known.",
    ),
    (
        "hand_over_at",
        Number(0.01, 1.0),
        "The part of the window at which the next conversation should take over; 0.85 unless written.",
    ),
    (
        "full_at",
        Number(0.01, 1.0),
        "The part of the window at which it is full; 0.9 unless written.",
    ),
];
