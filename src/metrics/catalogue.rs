//! One row for each metric that we promise. Names are an interface: a rename belongs in the
//! changelog, and dashboards and alerts may only name what stands here (`tests/contract.rs`).
//!
//! Conventions: <https://prometheus.io/docs/practices/naming/>. Base units; `_total` on counters;
//! timestamps rather than ages; labels from closed or bounded sets; no pid, path or command
//! anywhere, and a session id only on `_info` and on gauges of live sessions.

/// A metric as it is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// With prefix and unit.
    pub name: &'static str,
    /// A sentence for people, with what the number includes.
    pub help: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// Its own labels, in the order they are written.
    pub labels: &'static [&'static str],
}

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows within one life, from 0.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Always 1; its labels are the message.
    Info,
    /// How often something was at most so much: three series for each set of labels.
    Histogram,
}

impl Metric {
    /// What the names of its series end in, beside its own.
    pub fn suffixes(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Counter | Kind::Gauge | Kind::Info => &[""],
            Kind::Histogram => &["_bucket", "_count", "_sum"],
        }
    }
}

macro_rules! catalogue {
    ($($(#[$doc:meta])* $id:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            #[doc = $help]
            pub const $id: Metric = Metric {
                name: $name,
                help: $help,
                kind: Kind::$kind,
                labels: &[$($label),*],
            };
        )*
        /// Every metric, in the order of this page.
        pub const ALL: &[Metric] = &[$($id),*];
    };
}

catalogue! {
    // The supervisor itself.
    BUILD_INFO: Info "procession_build_info" ["version"]
        "The version of procession that answers.";
    HOUSE_STARTED: Gauge "procession_start_timestamp_seconds" []
        "When this life of procession began, in seconds since 1970.";
    HOUSE_PID1: Gauge "procession_pid1" []
        "1 when procession is PID 1 of its namespace, 0 when it is a subreaper below another init.";
    HOUSE_STOPPING: Gauge "procession_stopping" []
        "1 while everything is being stopped.";
    SNAPSHOT_GENERATION: Gauge "procession_snapshot_generation" []
        "The number of the picture that this scrape shows; page and API show the same number.";
    REAPED: Counter "procession_reaped_total" ["kind"]
        "Ended processes whose status was read: runs of configured processes, and orphans.";
    UNREAPED: Gauge "procession_unreaped_children" []
        "Dead children of procession itself that waited to be reaped when memory was last sampled.";
    UNREAPED_PEAK: Gauge "procession_unreaped_children_peak" []
        "The most dead children that were seen to wait to be reaped at once in this life.";
    ORPHANS: Gauge "procession_orphans" []
        "Living processes that sessions which are over left behind, when it was last looked; absent before.";
    ORPHANS_ENDED: Counter "procession_orphans_ended_total" ["outcome"]
        "Processes left behind that were ended by order, by whether asking was enough (ended, killed).";
    SIGNALS: Counter "procession_signals_total" ["signal", "response"]
        "Signals sent to procession, by what became of them.";
    ORDERS: Counter "procession_orders_total" ["order", "result"]
        "Orders that were given over the control API, carried out or refused.";
    RELOADS: Counter "procession_config_reloads_total" ["result"]
        "Times that the configuration was read anew, and taken over or refused for its faults.";
    RELOAD_WORKED: Gauge "procession_config_last_reload_successful" []
        "1 when the last reload of the configuration worked, 0 when it had faults; absent before the first.";
    RELOAD_TIME: Gauge "procession_config_last_reload_success_timestamp_seconds" []
        "When a configuration was last taken over by a reload, in seconds since 1970.";
    LOOP_TURNS: Counter "procession_loop_turns_total" []
        "Turns of the loop that spawns, signals and reaps.";
    LOOP_SECONDS: Counter "procession_loop_turn_seconds_total" []
        "Time that turns of the loop took, in seconds; by it a signal or a death can be kept waiting.";
    LOOP_LONGEST: Gauge "procession_loop_longest_turn_seconds" []
        "The longest turn of the loop in this life, in seconds.";
    PANICS: Counter "procession_panics_total" ["room"]
        "Faults of procession itself that were caught, by the part of it that they were in.";
    LISTENER_UP: Gauge "procession_listener_up" []
        "1 when the metrics listener listens; seen as 0 only by other readers than a scrape.";
    ENTRIES_DROPPED: Counter "procession_ledger_entries_dropped_total" []
        "Lifecycle entries that did not reach the ledger because its queue was full.";
    STORE_UP: Gauge "procession_store_up" []
        "1 when the last commit to the history store worked; absent when history is in memory.";
    STORE_PENDING: Gauge "procession_store_pending_rows" []
        "Rows that wait for a commit to the history store.";
    STORE_FAILURES: Counter "procession_store_commit_failures_total" []
        "Commits to the history store that failed.";
    STORE_DROPPED: Counter "procession_store_rows_dropped_total" []
        "Rows that were dropped because too many waited for the history store.";
    STORE_ERRORS: Counter "procession_store_errors_total" ["category"]
        "Times that the history store could not do what it was asked for, by why not.";
    STORE_SECONDS: Histogram "procession_store_operation_duration_seconds" ["operation"]
        "How long the history store took, whether it worked or not: to open, to resume, to commit, to prune.";
    STORE_SET_ASIDE: Counter "procession_store_files_set_aside_total" []
        "Damaged files of the history that were set aside for a new one.";
    EVENTS_UNTOLD: Counter "procession_events_log_lines_dropped_total" []
        "Events of sessions that are missing in the file of `sessions: {log: FILE}`; the store has them.";
    SPOOL_BYTES: Gauge "procession_store_spool_bytes" []
        "Size of the file where history waits while its store is away; 0 while the store takes it.";
    SPOOL_ROWS: Gauge "procession_store_spool_rows" []
        "Rows in the file where history waits while its store is away.";
    SPOOL_DROPPED: Counter "procession_store_spool_rows_dropped_total" []
        "Rows that found no room in that file; they wait in memory, and are lost with us.";
    SPOOL_REPLAYED: Counter "procession_store_spool_rows_replayed_total" []
        "Rows that earlier lives left in such files and that were committed by this one.";
    SURVIVORS: Counter "procession_survivors_total" ["outcome"]
        "Processes of an earlier life that were found at the start: ended, or adopted.";
    SELF_CPU: Counter "process_cpu_seconds_total" []
        "User and system CPU time that procession itself spent, in seconds.";
    SELF_RESIDENT: Gauge "process_resident_memory_bytes" []
        "Resident memory of procession itself, in bytes.";
    SELF_VIRTUAL: Gauge "process_virtual_memory_bytes" []
        "Virtual memory of procession itself, in bytes.";
    SELF_FDS: Gauge "process_open_fds" []
        "Descriptors that procession itself holds open.";
    SELF_MAX_FDS: Gauge "process_max_fds" []
        "Descriptors that procession itself may hold open.";
    SELF_STARTED: Gauge "process_start_time_seconds" []
        "When procession itself was started, in seconds since 1970.";

    // Sessions and the processes that they are runs of.
    PROCESS_UP: Gauge "procession_process_up" ["process"]
        "1 when the process has a live run whose program was executed.";
    PROCESS_STATE: Gauge "procession_process_state" ["process", "state"]
        "1 for the phase that the process is in, 0 for all others.";
    PROCESS_STARTED: Gauge "procession_process_start_timestamp_seconds" ["process"]
        "When the live run of the process was opened, in seconds since 1970.";
    PROCESS_RESTARTS: Counter "procession_process_restarts_total" ["process"]
        "Runs of the process after its first one.";
    PROCESS_EXITS: Counter "procession_process_exits_total" ["process", "outcome"]
        "Runs of the process that ended, by outcome.";
    PROCESS_LAST_EXIT: Gauge "procession_process_last_exit_timestamp_seconds" ["process"]
        "When a run of the process last ended, in seconds since 1970.";
    PROCESS_LAST_EXIT_CODE: Gauge "procession_process_last_exit_code" ["process"]
        "Exit code of the last run of the process that ended; 128 + n after signal n.";
    PROCESS_SPAWN_FAILURES: Counter "procession_process_spawn_failures_total" ["process", "reason"]
        "Runs of the process that never had a program, by reason.";
    PROCESS_FORCED_KILLS: Counter "procession_process_forced_kills_total" ["process"]
        "Runs of the process that had to be ended with SIGKILL.";
    PROCESS_CRASH_LOOPS: Counter "procession_process_crash_loops_total" ["process"]
        "Times the process was given up after too many restarts in a row.";
    PROCESS_INFO: Info "procession_process_info" ["process", "family", "replica"]
        "A process of the plan; replicas of one entry share its family.";
    PROCESS_STARTUP: Histogram "procession_process_startup_duration_seconds" ["process"]
        "How long it took until runs could be used, of all runs of this life.";
    PROCESS_READY_SECONDS: Gauge "procession_process_ready_seconds" ["process"]
        "From the opening of the live run until it could be used, in seconds; absent until then.";
    PROCESS_HEALTH: Gauge "procession_process_health" ["process", "health"]
        "1 for what is known of the live run's health, 0 for all else; only with a health test.";
    PROCESS_TESTS_FAILED: Counter "procession_process_health_test_failures_total" ["process"]
        "Health tests of the process that failed.";
    PROCESS_HOOKS_FAILED: Counter "procession_process_hook_failures_total" ["process", "hook"]
        "Hooks of the process that failed or took too long.";
    PROCESS_STOPS: Counter "procession_process_stops_total" ["process"]
        "Runs of the process that ended after they were asked to.";
    PROCESS_STOP_SECONDS: Counter "procession_process_stop_seconds_total" ["process"]
        "From the asking to the end of the whole tree, in seconds, over all stops.";
    PROCESS_LAST_STOP: Gauge "procession_process_last_stop_seconds" ["process"]
        "From the asking to the end of the whole tree, in seconds, the last time.";
    PROCESS_HOLDERS: Counter "procession_process_stop_holders_total" ["process"]
        "Members of the process's trees that outlived the grace period of a stop.";
    PROCESS_UNKILLABLE: Counter "procession_process_unkillable_total" ["process"]
        "Members of the process's trees that even SIGKILL did not end in time.";
    PROCESS_ORPHANS: Counter "procession_process_orphans_reaped_total" ["process"]
        "Orphans of the process's trees that came to us and were reaped.";
    PROCESS_BACKOFF: Gauge "procession_process_backoff_seconds" ["process"]
        "How long the process rests before its next run, in seconds; absent while it does not rest.";
    PROCESS_STREAK: Gauge "procession_process_restart_streak" ["process"]
        "Restarts in the present row, the coming one included; absent while the process does not rest.";
    PROCESS_NEXT_START: Gauge "procession_process_next_start_timestamp_seconds" ["process"]
        "When a resting process is started again, in seconds since 1970.";
    PROCESS_SCHEDULE_SKIPS: Counter "procession_process_schedule_skips_total" ["process"]
        "Times of the process's schedule that came while a run lived.";
    OUTPUT_LINES: Counter "procession_process_output_lines_total" ["process"]
        "Lines that the process wrote and that were read; absent where its output is passed through.";
    OUTPUT_BYTES: Counter "procession_process_output_bytes_total" ["process"]
        "Bytes that the process wrote and that were read, newlines included.";
    OUTPUT_DROPPED: Counter "procession_process_output_dropped_lines_total" ["process"]
        "Lines of the process that did not reach our own output or its file, because that took too little.";
    OUTPUT_CUT: Counter "procession_process_output_cut_pieces_total" ["process"]
        "Pieces that lines of the process were cut into because they were too long.";
    OUTPUT_LEFTOVER: Counter "procession_process_output_leftover_lines_total" ["process"]
        "Lines that were written by what the process left behind, after its own output was complete.";
    SESSIONS: Gauge "procession_sessions" ["kind", "state"]
        "Sessions that have not ended, by kind and state.";
    SESSIONS_OPENED: Counter "procession_sessions_opened_total" ["kind", "process"]
        "Sessions that were opened.";
    SESSIONS_ENDED: Counter "procession_sessions_ended_total" ["kind", "process", "outcome"]
        "Sessions that ended, by outcome.";
    SESSION_DURATION: Histogram "procession_session_duration_seconds" ["outcome"]
        "How long sessions lasted that ended in this life, by outcome.";
    SESSIONS_LIMIT: Gauge "procession_sessions_limit" []
        "External sessions and spawned commands that may be open at once.";
    SESSIONS_LIMIT_USED: Gauge "procession_sessions_limit_used" []
        "External sessions and spawned commands that are open, of those that may be.";
    SESSIONS_REFUSED: Counter "procession_sessions_refused_total" []
        "Requests for one more that were refused because as many were open as may be.";
    SESSIONS_RESUMED: Counter "procession_sessions_resumed_total" ["kind"]
        "Sessions of earlier lives that went on in this one; those that could not are counted as ended.";
    IDLE_WARNINGS: Counter "procession_session_idle_warnings_total" ["kind"]
        "Warnings before a session's end for want of activity.";
    SESSION_INFO: Info "procession_session_info" ["session_id", "kind", "process", "agent", "parent_id"]
        "A live session; join its figures with its names by session_id.";
    SESSION_STARTED: Gauge "procession_session_start_timestamp_seconds" ["session_id"]
        "When a live session was opened, in seconds since 1970.";
    SESSION_ACTIVITY: Gauge "procession_session_last_activity_timestamp_seconds" ["session_id"]
        "The last sign of activity of a live session, in seconds since 1970.";
    SESSION_CONTEXT_TOKENS: Gauge "procession_session_context_tokens" ["session_id"]
        "Tokens in the window of a live conversation after its last response, the answer included; absent while that is not known.";
    SESSION_CONTEXT_WINDOW: Gauge "procession_session_context_window_tokens" ["session_id"]
        "Tokens that the window of a live conversation holds; absent while it is not known what is in it.";
    SESSION_CONTEXT_RATIO: Gauge "procession_session_context_ratio" ["session_id"]
        "The part of the window of a live conversation that is used, from 0 to 1; absent while that is not known.";
    AGENT_CONTEXT_RATIO: Gauge "procession_agent_context_ratio" ["agent"]
        "The part of its window that the agent's current conversation uses, from 0 to 1; absent while that is not known or the conversation is not live.";
    AGENT_CONVERSATIONS: Gauge "procession_agent_conversations" ["agent"]
        "Conversations in the agent's chain since it began or was reset.";
    AGENT_HAND_OVERS: Counter "procession_agent_hand_overs_due_total" ["agent"]
        "Times that a conversation of the agent became so full that the next one should take over.";

    // Memory.
    MEMORY_RESIDENT: Gauge "procession_process_memory_resident_bytes" ["process"]
        "Resident memory of the process's whole tree, in bytes; shared pages count once for each member.";
    MEMORY_ANONYMOUS: Gauge "procession_process_memory_anonymous_bytes" ["process"]
        "Resident minus shared memory of the process's whole tree, in bytes.";
    MEMORY_VIRTUAL: Gauge "procession_process_memory_virtual_bytes" ["process"]
        "Virtual memory of the process's whole tree, in bytes.";
    MEMORY_PROPORTIONAL: Gauge "procession_process_memory_proportional_bytes" ["process"]
        "Memory of the process's whole tree with what of it is swapped out, each shared page counted once (PSS), in bytes; absent where not every member can be read.";
    MEMORY_UNIQUE: Gauge "procession_process_memory_unique_bytes" ["process"]
        "Resident memory that nobody shares with the process's tree (USS), in bytes; absent where not every member can be read.";
    MEMORY_SWAP: Gauge "procession_process_memory_swap_bytes" ["process"]
        "Anonymous memory of the process's tree that is swapped out, in bytes.";
    PARTS_TIME: Gauge "procession_process_memory_proportional_timestamp_seconds" ["process"]
        "When proportional memory, swap, threads, descriptors and disk traffic of the process's tree were last read, in seconds since 1970.";
    MEMORY_PEAK: Gauge "procession_process_memory_peak_bytes" ["process"]
        "The largest resident size of the live run's tree that was sampled, or of a single process of it at any moment, in bytes.";
    MEMORY_THRESHOLD: Gauge "procession_process_memory_threshold_bytes" ["process", "level"]
        "Size of the tree that counts as warning or critical, in bytes; absent while it hangs on a limit that is not known.";
    MEMORY_SIZE: Gauge "procession_process_memory_size_bytes" ["process"]
        "The size that thresholds are compared with, in bytes: proportional memory with what of it is swapped out, or anonymous memory where that is not known.";
    MEMORY_LEVEL: Gauge "procession_process_memory_level" ["process", "level"]
        "1 for the level that the tree's size is at, 0 for all others.";
    MEMORY_ENDS: Counter "procession_process_memory_ends_total" ["process"]
        "Times that the process's restart or stop was asked for because of its memory.";
    TREE_PROCESSES: Gauge "procession_process_tree_processes" ["process"]
        "Living processes in the process's tree.";
    ZOMBIES: Gauge "procession_process_zombies" ["process"]
        "Dead members of the process's tree whose own parent, which is not procession, has not read their status.";
    OLDEST_ZOMBIE: Gauge "procession_process_oldest_zombie_timestamp_seconds" ["process"]
        "Since when the oldest zombie of the process's tree has been seen, in seconds since 1970; absent where there is none.";
    TREE_THREADS: Gauge "procession_process_threads" ["process"]
        "Threads of the process's tree.";
    TREE_FDS: Gauge "procession_process_open_fds" ["process"]
        "Open descriptors of the process's tree.";
    IO_READ: Counter "procession_process_io_read_bytes_total" ["process"]
        "Bytes that all runs of the process fetched from disks, ended ones included; absent where that cannot be read.";
    IO_WRITTEN: Counter "procession_process_io_written_bytes_total" ["process"]
        "Bytes that all runs of the process sent to disks, ended ones included; absent where that cannot be read.";
    PROCESS_CPU: Counter "procession_process_cpu_seconds_total" ["process"]
        "User and system CPU seconds of all runs of the process, ended ones included.";
    SAMPLE_TIME: Gauge "procession_process_memory_sample_timestamp_seconds" ["process"]
        "When the memory of the process's tree was last read, in seconds since 1970.";
    SAMPLES_SKIPPED: Counter "procession_memory_samples_skipped_total" []
        "Ticks of the memory probe that were skipped because it was late.";
    PARTS_READINGS: Counter "procession_memory_proportional_readings_total" []
        "Readings of the proportional memory of all trees.";
    PARTS_SECONDS: Counter "procession_memory_proportional_reading_seconds_total" []
        "Processor seconds that these readings took; at most a hundredth of one processor, in any ten seconds.";
    PARTS_UNREAD: Counter "procession_memory_proportional_unread_total" ["reason"]
        "Processes whose proportional memory could not be read, by reason.";

    // The container.
    CGROUP_MODE: Gauge "procession_container_cgroup_mode" ["mode"]
        "1 for the version of control groups that accounts for the container's memory, 0 for all others.";
    CONTAINER_USAGE: Gauge "procession_container_memory_usage_bytes" []
        "Memory that is charged to the container, what is cached of files included, in bytes.";
    CONTAINER_LIMIT: Gauge "procession_container_memory_limit_bytes" []
        "The least of the container's memory limit, those above it that can be seen, and the machine's memory, in bytes.";
    CONTAINER_HIGH: Gauge "procession_container_memory_high_bytes" []
        "The least memory.high of the container's group and those above it that can be seen: whoever allocates above it is slowed down, in bytes; absent where there is none.";
    CONTAINER_WORKING_SET: Gauge "procession_container_memory_working_set_bytes" []
        "Usage without the inactive part of what is cached of files, by which a kubelet evicts, in bytes.";
    CONTAINER_SWAP: Gauge "procession_container_memory_swap_bytes" []
        "Memory of the container that is swapped out, in bytes.";
    CONTAINER_PEAK: Gauge "procession_container_memory_peak_bytes" []
        "The most that the container's usage was, in bytes.";
    CONTAINER_PARTS: Gauge "procession_container_memory_part_bytes" ["part"]
        "What the container's usage is made of, in bytes: anonymous, file, shmem (a part of file), slab.";
    CONTAINER_EVENTS: Counter "procession_container_memory_events_total" ["event"]
        "How often the container met its limits since its group was made: low, high, max, oom, oom_kill (processes that the kernel killed), oom_group_kill (groups that it killed as a whole).";
    PRESSURE_RATIO: Gauge "procession_container_memory_pressure_ratio" ["scope", "share", "window"]
        "The part of the window, from 0 to 1, in which some or all processes (share) of the container or the machine (scope) waited for memory.";
    PRESSURE_SECONDS: Counter "procession_container_memory_pressure_seconds_total" ["scope", "share"]
        "Seconds in which some or all processes (share) of the container or the machine (scope) waited for memory.";

    // Leaks.
    LEAK_SUSPECTED: Gauge "procession_process_leak_suspected" ["process"]
        "1 when the live run's memory meets the leak rule, 0 when it does not; absent before there are enough samples.";
    LEAK_CONFIRMED: Gauge "procession_process_leak_confirmed" ["process"]
        "1 when nothing but a leak explains the live run's memory, 0 when something does; absent before there are enough samples.";
    LEAK_GROWTH: Gauge "procession_process_memory_growth_bytes_per_second" ["process"]
        "Growth of the tree's anonymous memory over the leak rule's window, in bytes per second.";
    LEAK_TO_LIMIT: Gauge "procession_process_memory_exhaustion_seconds" ["process", "limit"]
        "How long the tree's memory takes to its limit if it goes on growing like this, by the least limit: critical (the process's threshold), container or machine; absent where it does not grow.";
    LEAKS_SUSPECTED: Counter "procession_process_leaks_suspected_total" ["process"]
        "Times that the process's memory began to meet the leak rule.";
    LEAKS_CONFIRMED: Counter "procession_process_leaks_confirmed_total" ["process"]
        "Times that a leak of the process was confirmed.";
    LEAK_RECURRING: Gauge "procession_process_leak_recurring" ["process"]
        "Runs of the process, the last ones in a row, that leaked one like another; 0 where they did not.";
    LEAKS_RECURRING: Counter "procession_process_leaks_recurring_total" ["process"]
        "Times that a leak was found that the process's runs had one like another.";

    // Tokens.
    TOKENS: Counter "procession_tokens_total" ["process", "agent", "provider", "model", "kind"]
        "Tokens of closed responses, each in exactly one kind; their sum is the total.";
    PROCESS_TOKENS: Counter "procession_process_tokens_total" ["process", "kind"]
        "Tokens of closed responses for each process, from 0 for every process that declares an agent.";
    REASONING_TOKENS: Counter "procession_reasoning_tokens_total" ["process", "agent", "provider", "model"]
        "Thinking tokens; a part of the tokens of kind output.";
    COST: Counter "procession_cost_usd_total" ["process", "agent", "provider", "model"]
        "Cost of the priced tokens in US dollars, at the price of the day they were used.";
    COST_ESTIMATED: Counter "procession_cost_estimated_usd_total" ["process", "agent", "provider", "model"]
        "What unpriced tokens would have cost in US dollars by the model that `fallback_model` names; in no cost, and absent unless one is named.";
    UNPRICED_TOKENS: Counter "procession_unpriced_tokens_total" ["process", "agent", "provider", "model", "kind"]
        "Tokens that no price is known for; they are in no cost.";
    RESPONSES: Counter "procession_llm_responses_total" ["process", "agent", "provider", "model"]
        "Responses of models that were counted.";
    LLM_REQUESTS: Counter "procession_llm_requests_total" ["process", "agent", "model", "outcome"]
        "Calls of models that were told, by outcome: answered as ok, failed as error where that is told.";
    TOKEN_CORRECTIONS: Counter "procession_token_corrections_total" ["agent", "model", "direction"]
        "Tokens by which a counted response was later seen to be too low or too high.";
    SESSION_TOKENS: Gauge "procession_session_tokens" ["session_id", "kind"]
        "Tokens of a live conversation so far.";
    SESSION_COST: Gauge "procession_session_cost_usd" ["session_id"]
        "Cost of the priced tokens of a live conversation so far, in US dollars.";
    BUDGET_LIMIT_TOKENS: Gauge "procession_budget_limit_tokens" ["budget"]
        "Tokens that may be spent in the window of a budget.";
    BUDGET_LIMIT_COST: Gauge "procession_budget_limit_usd" ["budget"]
        "Money that may be spent in the window of a budget, in US dollars.";
    BUDGET_SPENT_TOKENS: Gauge "procession_budget_spent_tokens" ["budget"]
        "Tokens that are spent in the window of a budget, of the kinds that count for it.";
    BUDGET_SPENT_COST: Gauge "procession_budget_spent_usd" ["budget"]
        "Money that is spent in the window of a budget, in US dollars; without tokens that have no price.";
    BUDGET_UNPRICED: Gauge "procession_budget_unpriced_tokens" ["budget"]
        "Tokens without a price in the window of a budget in money, which does not see them.";
    BUDGET_USED: Gauge "procession_budget_used_ratio" ["budget"]
        "The part of a budget that is spent in its window: 1 when it is spent, and more when that went on.";
    BUDGET_WARNINGS: Counter "procession_budget_warnings_total" ["budget"]
        "Times that a part of a budget was reached that it warns at.";
    BUDGET_EXCEEDED: Counter "procession_budget_exceeded_total" ["budget", "action"]
        "Times that a budget was spent, by what followed.";
    BUDGET_BURN_TOKENS: Gauge "procession_budget_burn_tokens_per_second" ["budget"]
        "How fast a budget is spent, over some fifteen minutes; absent until something was spent for a minute.";
    BUDGET_BURN_COST: Gauge "procession_budget_burn_usd_per_second" ["budget"]
        "How fast a budget in money is spent, in US dollars a second over some fifteen minutes; absent until something was spent for a minute.";
    BUDGET_EXHAUSTION: Gauge "procession_budget_exhaustion_seconds" ["budget"]
        "How long a budget lasts if it is spent on as fast; absent where it is spent, lasts for ever, or where that is not known.";
    BUDGET_WINDOW_END: Gauge "procession_budget_window_end_timestamp_seconds" ["budget"]
        "When the window of a budget ends and another one begins, in seconds since 1970; absent for those without an end of the clock.";
    ORPHANED_SPENDERS: Counter "procession_process_orphaned_spenders_total" ["process"]
        "Runs of the process that went on spending behind their end, because something of them was left behind.";
    ORPHANED_TOKENS: Counter "procession_process_orphaned_tokens_total" ["process"]
        "Tokens that were spent behind the end of a run of the process.";
    INGEST_LINES: Counter "procession_ingest_lines_total" ["result"]
        "Lines of agents' logs that were read, by what became of them.";
    INGEST_BYTES: Counter "procession_ingest_bytes_total" []
        "Bytes of agents' logs that were read.";
    INGEST_FILES: Gauge "procession_ingest_files" []
        "Log files of agents that are followed.";
    INGEST_LAG_BYTES: Gauge "procession_ingest_lag_bytes" []
        "Bytes of agents' logs that are known to be written and were not read yet.";
    INGEST_LAG: Gauge "procession_ingest_lag_seconds" []
        "For how long reading agents' logs has been behind what is written; 0 while it is not.";
    INGEST_REUSED: Counter "procession_ingest_reused_ids_total" []
        "Responses that were counted although they bear the id of an earlier one, hours later and with another prompt.";
    COMPACTIONS: Counter "procession_compactions_total" ["agent"]
        "Times that the window of one of the agent's conversations was emptied into a summary, from its transcripts.";
    RATE_LIMIT_USED: Gauge "procession_rate_limit_used_ratio" ["agent", "window"]
        "The part of a limit of the agent's subscription that is used, from 0, as it last said itself; absent once the limit began anew.";
    RATE_LIMIT_RESET: Gauge "procession_rate_limit_reset_timestamp_seconds" ["agent", "window"]
        "When that limit begins anew, in seconds since 1970.";
    OTLP_REQUESTS: Counter "procession_otlp_requests_total" ["signal", "result"]
        "Bodies that agents sent over OpenTelemetry's protocol: accepted, or refused because they could not be read.";
    OTLP_POINTS: Counter "procession_otlp_datapoints_total" ["signal", "result"]
        "Points, records and spans that agents sent: used, unused because they tell of something else, or rejected because they cannot be true.";
    SOURCES_APART: Gauge "procession_token_source_disagreement_ratio" ["agent"]
        "By how much other sources of the agent's tokens differ from the one that is counted, over what that one told; absent where there is but one.";
    PRICE_TABLE_TIME: Gauge "procession_price_table_timestamp_seconds" []
        "The day that the price table was made, in seconds since 1970.";
}
