# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_procession_global_optspecs
    string join \n listen= store= g c/single-child r/rewrite= e= p= s w v/verbose l log-level= log-format= h/help V/version
end

function __fish_procession_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_procession_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_procession_using_subcommand
    set -l cmd (__fish_procession_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c procession -n "__fish_procession_needs_command" -l listen -d 'Where /metrics and the status page listen; `off` listens nowhere' -r
complete -c procession -n "__fish_procession_needs_command" -l store -d 'Keep history in this SQLite file, or in the database of a postgres:// URL; in memory when not given' -r -F
complete -c procession -n "__fish_procession_needs_command" -s r -l rewrite -d 'Pass signal S on as R, or not at all where R is 0' -r
complete -c procession -n "__fish_procession_needs_command" -s e -d 'Take this exit code of the command for 0' -r
complete -c procession -n "__fish_procession_needs_command" -s p -d 'Get this signal when our parent dies' -r
complete -c procession -n "__fish_procession_needs_command" -l log-level -d 'What is logged: error, warn, info, debug, trace, or levels by room: `warn,init=debug`. The usual level is info for `run` and warn for one command' -r
complete -c procession -n "__fish_procession_needs_command" -l log-format -d 'How it is logged' -r -f -a "text\t'For people'
json\t'For log shippers: one JSON object for each line'"
complete -c procession -n "__fish_procession_needs_command" -s g -d 'Pass signals on to the whole group of the command'
complete -c procession -n "__fish_procession_needs_command" -s c -l single-child -d 'Pass signals on to the command alone, as is usual'
complete -c procession -n "__fish_procession_needs_command" -s s -d 'Reap what is left behind also when not PID 1; always done'
complete -c procession -n "__fish_procession_needs_command" -s w -d 'Warn of every stranger that is reaped'
complete -c procession -n "__fish_procession_needs_command" -s v -l verbose -d 'Log more; up to three times'
complete -c procession -n "__fish_procession_needs_command" -s l -d 'Print the licence'
complete -c procession -n "__fish_procession_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c procession -n "__fish_procession_needs_command" -s V -l version -d 'Print version'
complete -c procession -n "__fish_procession_needs_command" -a "run" -d 'Run the processes of a configuration, until they are done or we are told to stop'
complete -c procession -n "__fish_procession_needs_command" -a "check" -d 'Read a configuration and print the plan, or every fault in it; start nothing'
complete -c procession -n "__fish_procession_needs_command" -a "schema" -d 'Print the JSON Schema of a configuration, for editors that complete and check it'
complete -c procession -n "__fish_procession_needs_command" -a "ps" -d 'List the processes with their state, memory and CPU time'
complete -c procession -n "__fish_procession_needs_command" -a "start" -d 'Start processes, and wait until they are ready'
complete -c procession -n "__fish_procession_needs_command" -a "stop" -d 'Stop processes, and wait until they have ended'
complete -c procession -n "__fish_procession_needs_command" -a "restart" -d 'Restart processes in the order of their dependencies, and wait until they are ready'
complete -c procession -n "__fish_procession_needs_command" -a "signal" -d 'Send a signal to processes'
complete -c procession -n "__fish_procession_needs_command" -a "reload" -d 'Read the configuration anew: only what changed restarts'
complete -c procession -n "__fish_procession_needs_command" -a "shutdown" -d 'Stop everything, as after a SIGTERM'
complete -c procession -n "__fish_procession_needs_command" -a "memory" -d 'Show what every process holds of memory, how that went, and why a leak is suspected'
complete -c procession -n "__fish_procession_needs_command" -a "logs" -d 'Show what processes wrote last, and what they write'
complete -c procession -n "__fish_procession_needs_command" -a "spawn" -d 'Run a command beside the configured processes'
complete -c procession -n "__fish_procession_needs_command" -a "orphans" -d 'List or end what sessions that are over left behind'
complete -c procession -n "__fish_procession_needs_command" -a "sessions" -d 'Show what ran and how it ended; open, export and forget sessions'
complete -c procession -n "__fish_procession_needs_command" -a "events" -d 'Show what happens, as it happens'
complete -c procession -n "__fish_procession_needs_command" -a "audit" -d 'Show who asked for what at the control doors, and what they got'
complete -c procession -n "__fish_procession_needs_command" -a "agents" -d 'Show the chains of agents: their conversations, how full they are, and what to hand over'
complete -c procession -n "__fish_procession_needs_command" -a "tokens" -d 'Show what was spent on models, and tell of calls'
complete -c procession -n "__fish_procession_needs_command" -a "budgets" -d 'Show what may be spent on models, what was, and how long that lasts'
complete -c procession -n "__fish_procession_needs_command" -a "completions" -d 'Print a script that completes words in a shell'
complete -c procession -n "__fish_procession_needs_command" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c procession -n "__fish_procession_using_subcommand run" -s c -l config -d 'The configuration' -r -F
complete -c procession -n "__fish_procession_using_subcommand run" -l log-level -d 'What is logged: error, warn, info, debug, trace, or levels by room: `warn,init=debug`. The usual level is info for `run` and warn for one command' -r
complete -c procession -n "__fish_procession_using_subcommand run" -l log-format -d 'How it is logged' -r -f -a "text\t'For people'
json\t'For log shippers: one JSON object for each line'"
complete -c procession -n "__fish_procession_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c procession -n "__fish_procession_using_subcommand check" -s c -l config -d 'The configuration' -r -F
complete -c procession -n "__fish_procession_using_subcommand check" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand schema" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand ps" -s w -l watch -d 'Show it again and again, every so many seconds' -r
complete -c procession -n "__fish_procession_using_subcommand ps" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand ps" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand ps" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand ps" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand start" -l timeout -d 'How many seconds to wait until it is done' -r
complete -c procession -n "__fish_procession_using_subcommand start" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand start" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand start" -l all -d 'All processes'
complete -c procession -n "__fish_procession_using_subcommand start" -l no-wait -d 'Do not wait until it is done'
complete -c procession -n "__fish_procession_using_subcommand start" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand start" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand stop" -l timeout -d 'How many seconds to wait until it is done' -r
complete -c procession -n "__fish_procession_using_subcommand stop" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand stop" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand stop" -l all -d 'All processes'
complete -c procession -n "__fish_procession_using_subcommand stop" -l no-wait -d 'Do not wait until it is done'
complete -c procession -n "__fish_procession_using_subcommand stop" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand stop" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand restart" -l timeout -d 'How many seconds to wait until it is done' -r
complete -c procession -n "__fish_procession_using_subcommand restart" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand restart" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand restart" -l all -d 'All processes'
complete -c procession -n "__fish_procession_using_subcommand restart" -l no-wait -d 'Do not wait until it is done'
complete -c procession -n "__fish_procession_using_subcommand restart" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand restart" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand signal" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand signal" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand signal" -l group -d 'Send it to the whole process group rather than to the main process alone'
complete -c procession -n "__fish_procession_using_subcommand signal" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand signal" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand reload" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand reload" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand reload" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand reload" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand shutdown" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand shutdown" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand shutdown" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand shutdown" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand memory; and not __fish_seen_subcommand_from explain label help" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand memory; and not __fish_seen_subcommand_from explain label help" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand memory; and not __fish_seen_subcommand_from explain label help" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand memory; and not __fish_seen_subcommand_from explain label help" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand memory; and not __fish_seen_subcommand_from explain label help" -a "explain" -d 'Print every value that thresholds and the leak rule look at, with what it is held against; where nothing leaks now, also what was said of the last run that did'
complete -c procession -n "__fish_procession_using_subcommand memory; and not __fish_seen_subcommand_from explain label help" -a "label" -d 'Say what the last sample of a process stands for, and the next one that is kept'
complete -c procession -n "__fish_procession_using_subcommand memory; and not __fish_seen_subcommand_from explain label help" -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c procession -n "__fish_procession_using_subcommand memory; and __fish_seen_subcommand_from explain" -l store -d 'Read a history that nobody supervises with, as after a container died: a file, or the URL of a database. Without it, the procession that runs is asked' -r -F
complete -c procession -n "__fish_procession_using_subcommand memory; and __fish_seen_subcommand_from explain" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand memory; and __fish_seen_subcommand_from explain" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand memory; and __fish_seen_subcommand_from explain" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand memory; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand memory; and __fish_seen_subcommand_from label" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand memory; and __fish_seen_subcommand_from label" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand memory; and __fish_seen_subcommand_from label" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand memory; and __fish_seen_subcommand_from help" -f -a "explain" -d 'Print every value that thresholds and the leak rule look at, with what it is held against; where nothing leaks now, also what was said of the last run that did'
complete -c procession -n "__fish_procession_using_subcommand memory; and __fish_seen_subcommand_from help" -f -a "label" -d 'Say what the last sample of a process stands for, and the next one that is kept'
complete -c procession -n "__fish_procession_using_subcommand memory; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c procession -n "__fish_procession_using_subcommand logs" -s n -l tail -d 'How many of the last lines of each; all that are kept when not given' -r
complete -c procession -n "__fish_procession_using_subcommand logs" -l stream -d 'Only `stdout` or only `stderr`' -r
complete -c procession -n "__fish_procession_using_subcommand logs" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand logs" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand logs" -s f -l follow -d 'Go on with what they write from now on'
complete -c procession -n "__fish_procession_using_subcommand logs" -s t -l timestamps -d 'Show when each line was read'
complete -c procession -n "__fish_procession_using_subcommand logs" -l json -d 'Print a JSON object for each line'
complete -c procession -n "__fish_procession_using_subcommand logs" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand spawn" -s w -l wait -d 'Wait for its end, and end with its exit code; for so many seconds at most' -r
complete -c procession -n "__fish_procession_using_subcommand spawn" -l name -d 'The name that it runs under; `spawned-N` when not given' -r
complete -c procession -n "__fish_procession_using_subcommand spawn" -l dir -d 'Where it starts' -r
complete -c procession -n "__fish_procession_using_subcommand spawn" -s u -l user -d 'As whom it runs: a name or a number, and a group behind a colon' -r
complete -c procession -n "__fish_procession_using_subcommand spawn" -l stop-signal -d 'How it is asked to end; SIGINT when not given' -r
complete -c procession -n "__fish_procession_using_subcommand spawn" -l stop-grace-period -d 'From the asking to SIGKILL, such as `10s`; `1s` when not given' -r
complete -c procession -n "__fish_procession_using_subcommand spawn" -l timeout -d 'How long it may run, such as `5m`; then it is asked to end' -r
complete -c procession -n "__fish_procession_using_subcommand spawn" -l memory -d 'What each of its processes may hold of memory of its own, such as `512MiB`' -r
complete -c procession -n "__fish_procession_using_subcommand spawn" -l cpu-time -d 'CPU time of each of its processes, such as `10s`' -r
complete -c procession -n "__fish_procession_using_subcommand spawn" -l nofile -d 'Open files of each of its processes' -r
complete -c procession -n "__fish_procession_using_subcommand spawn" -l nproc -d 'Processes that its user may have' -r
complete -c procession -n "__fish_procession_using_subcommand spawn" -l keep-output -d 'The last bytes of what it writes that are kept; `64KiB` when not given' -r
complete -c procession -n "__fish_procession_using_subcommand spawn" -s e -l env -d 'What is added to its environment' -r
complete -c procession -n "__fish_procession_using_subcommand spawn" -l shell -d 'A line for the shell, in place of a command' -r
complete -c procession -n "__fish_procession_using_subcommand spawn" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand spawn" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand spawn" -s i -l stdin -d 'Send what is typed here to it, until that ends or it does'
complete -c procession -n "__fish_procession_using_subcommand spawn" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand spawn" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand orphans" -l name -d 'Only those that are called so; those that tools of web projects leave running when not given' -r
complete -c procession -n "__fish_procession_using_subcommand orphans" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand orphans" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand orphans" -l all -d 'Whatever they are called'
complete -c procession -n "__fish_procession_using_subcommand orphans" -l dry-run -d 'List them and do nothing; this is what is done when nothing is said'
complete -c procession -n "__fish_procession_using_subcommand orphans" -l kill -d 'Ask them to end, and kill those that have not after two seconds'
complete -c procession -n "__fish_procession_using_subcommand orphans" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand orphans" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "list" -d 'List sessions, live and ended, newest first'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "show" -d 'Show all that is known of a session'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "events" -d 'Show what happened to a session, in order'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "tree" -d 'Show a session with all that are a part of it'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "stats" -d 'Count sessions by what they have in common'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "replay" -d 'Hold what is kept of sessions against what their events tell'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "open" -d 'Open a session of one\'s own, and print its id'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "heartbeat" -d 'Say that a session is active'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "close" -d 'Close a session'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "export" -d 'Print sessions, to be taken elsewhere'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "purge" -d 'Forget sessions that ended long ago'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "forget" -d 'Forget the ended sessions of a user or an agent, with all that are a part of them'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "output" -d 'Show what a spawned command wrote, and what it writes'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "write" -d 'Send a spawned command what comes on standard input'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "terminate" -d 'End a spawned command: ask it, then kill it'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "wait" -d 'Wait for the end of a spawned command, and end with its exit code'
complete -c procession -n "__fish_procession_using_subcommand sessions; and not __fish_seen_subcommand_from list show events tree stats replay open heartbeat close export purge forget output write terminate wait help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -s s -l state -d 'Only those in these states: active, idle, completed, failed, …' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -s k -l kind -d 'Only those of these kinds: process, conversation or external' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -s p -l process -d 'Only those of these processes' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -s u -l user -d 'Only those of these users' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -s a -l agent -d 'Only those of these agents' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -l parent -d 'Only the parts of this session' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -l project -d 'Only those in this checkout or folder' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -l since -d 'Only those that were opened then or later: 2026-11-20T09:30:00Z, or 2h for two hours ago' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -l until -d 'Only those that were opened before' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -s n -l limit -d 'How many at most' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -l cursor -d 'Go on behind an earlier answer: its `next`' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -l store -d 'Read a history that nobody supervises with, as after a container died: a file, or the URL of a database. Without it, the procession that runs is asked' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -l live -d 'Only those that live'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -l ended -d 'Only those that have ended'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from show" -l store -d 'Read a history that nobody supervises with, as after a container died: a file, or the URL of a database. Without it, the procession that runs is asked' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from show" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from show" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from events" -l from -d 'Begin with the event of this number' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from events" -l store -d 'Read a history that nobody supervises with, as after a container died: a file, or the URL of a database. Without it, the procession that runs is asked' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from events" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from events" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from events" -l json -d 'Print a JSON object for each event'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from events" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from tree" -l store -d 'Read a history that nobody supervises with, as after a container died: a file, or the URL of a database. Without it, the procession that runs is asked' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from tree" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from tree" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from tree" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from tree" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from stats" -l by -d 'What they have in common' -r -f -a "project\t''
user\t''
agent\t''
process\t''
kind\t''
tool\t''"
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from stats" -l since -d 'Only those that were opened then or later: 2026-11-20T09:30:00Z, or 2h for two hours ago' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from stats" -l until -d 'Only those that were opened before' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from stats" -l store -d 'Read a history that nobody supervises with, as after a container died: a file, or the URL of a database. Without it, the procession that runs is asked' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from stats" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from stats" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from stats" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from stats" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from replay" -l store -d 'A history that nobody supervises with: a file, or the URL of a database. Without it, the procession that runs is asked' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from replay" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from replay" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from replay" -l repair -d 'Make what is kept what the events tell'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from replay" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from replay" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from open" -l id -d 'Its id: while a session of this id is open, that one is answered' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from open" -l parent -d 'The session that it is a part of; that of the run that we are in when not given' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from open" -l agent -d 'The agent; its parent\'s when not given' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from open" -s u -l user -d 'The user; its parent\'s when not given' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from open" -l dir -d 'The project\'s folder; its parent\'s when not given' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from open" -s l -l label -d 'A name and a value of one\'s own; at most 16' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from open" -l on-parent-end -d 'What becomes of it when its parent ends: it ends as well, goes on, or is waited for' -r -f -a "end\t''
orphan\t''
wait\t''"
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from open" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from open" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from open" -l bound -d 'Stay, print what happens to it, and let it end with us'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from open" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from open" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from heartbeat" -l note -d 'What is done, in a few words' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from heartbeat" -l input-tokens -d 'Tokens that were sent since the last heartbeat' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from heartbeat" -l output-tokens -d 'Tokens that were answered since the last heartbeat' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from heartbeat" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from heartbeat" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from heartbeat" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from heartbeat" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from close" -l reason -d 'Why, in words' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from close" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from close" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from close" -l failed -d 'That it failed; else it completed'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from close" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from close" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from export" -l format -d 'One array, an object in each line, or a table' -r -f -a "json\t''
jsonl\t''
csv\t''"
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from export" -l user -d 'Only those of these users' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from export" -l agent -d 'Only those of these agents' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from export" -l process -d 'Only those of these processes' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from export" -l since -d 'Only those that were opened then or later: 2026-11-20T09:30:00Z, or how long ago (1h, 7d)' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from export" -l until -d 'Only those that were opened before' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from export" -l store -d 'Read a history that nobody supervises with, as after a container died: a file, or the URL of a database. Without it, the procession that runs is asked' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from export" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from export" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from export" -l anonymise -d 'Put hashes in the place of whatever could say who, where and on what'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from export" -l events -d 'What happened to each session as well; not in a table'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from export" -l output -d 'What spawned commands wrote last as well, masked as it is kept; not in a table, and not with --anonymise: nobody knows whose names are in it'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from export" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from purge" -l older-than -d 'Those that ended so long ago: 7d, 12h, …' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from purge" -l state -d 'Only those that ended as one of these' -r -f -a "completed\t''
failed\t''
timed_out\t''
killed\t''
oom\t''
lost\t''"
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from purge" -l reason -d 'Why; the audit trail keeps it' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from purge" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from purge" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from purge" -l dry-run -d 'Only count them'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from purge" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from purge" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from forget" -l user -d 'The user whose sessions go, with all that are a part of them' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from forget" -l agent -d 'The agent whose sessions go' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from forget" -l reason -d 'Why; the audit trail keeps it' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from forget" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from forget" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from forget" -l dry-run -d 'Only count them'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from forget" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from forget" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from output" -l cursor -d 'Begin at this place: `next` of an earlier answer' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from output" -l stream -d 'Only this output of it' -r -f -a "stdout\t''
stderr\t''
both\t''"
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from output" -l store -d 'Read a history that nobody supervises with, as after a container died: a file, or the URL of a database. Without it, the procession that runs is asked' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from output" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from output" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from output" -s f -l follow -d 'Go on until it has ended'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from output" -l json -d 'Print JSON, an object for each part'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from output" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from write" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from write" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from write" -l close -d 'Close its standard input behind it; always done behind our own'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from write" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from terminate" -l grace -d 'Seconds from the asking to SIGKILL; what it was started with when not given' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from terminate" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from terminate" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from terminate" -l force -d 'At once, by SIGKILL'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from terminate" -l no-wait -d 'Do not wait until it is over'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from terminate" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from terminate" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from wait" -l timeout -d 'For so many seconds at most' -r
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from wait" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from wait" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from wait" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from wait" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "list" -d 'List sessions, live and ended, newest first'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show all that is known of a session'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "events" -d 'Show what happened to a session, in order'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "tree" -d 'Show a session with all that are a part of it'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "stats" -d 'Count sessions by what they have in common'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "replay" -d 'Hold what is kept of sessions against what their events tell'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "open" -d 'Open a session of one\'s own, and print its id'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "heartbeat" -d 'Say that a session is active'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "close" -d 'Close a session'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "export" -d 'Print sessions, to be taken elsewhere'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "purge" -d 'Forget sessions that ended long ago'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "forget" -d 'Forget the ended sessions of a user or an agent, with all that are a part of them'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "output" -d 'Show what a spawned command wrote, and what it writes'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "write" -d 'Send a spawned command what comes on standard input'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "terminate" -d 'End a spawned command: ask it, then kill it'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "wait" -d 'Wait for the end of a spawned command, and end with its exit code'
complete -c procession -n "__fish_procession_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c procession -n "__fish_procession_using_subcommand events" -s k -l kind -d 'Only events of these kinds: run_ready, run_ended, phase_changed, …' -r
complete -c procession -n "__fish_procession_using_subcommand events" -s n -l tail -d 'Begin with so many of the last ones' -r
complete -c procession -n "__fish_procession_using_subcommand events" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand events" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand events" -l json -d 'Print a JSON object for each event'
complete -c procession -n "__fish_procession_using_subcommand events" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand audit" -l since -d 'Only what was asked then or later: a time as 2026-11-20T09:30:00Z, or how long ago (1h, 7d)' -r
complete -c procession -n "__fish_procession_using_subcommand audit" -l until -d 'Only what was asked before' -r
complete -c procession -n "__fish_procession_using_subcommand audit" -l action -d 'Only actions that have this in them: `stop`, `/v1/sessions`, `POST`, …' -r
complete -c procession -n "__fish_procession_using_subcommand audit" -l target -d 'Only of this process, session or agent' -r
complete -c procession -n "__fish_procession_using_subcommand audit" -s n -l tail -d 'So many lines, the newest; 0 is all' -r
complete -c procession -n "__fish_procession_using_subcommand audit" -l store -d 'Read a history that nobody supervises with, as after a container died: a file, or the URL of a database. Without it, the procession that runs is asked' -r -F
complete -c procession -n "__fish_procession_using_subcommand audit" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand audit" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand audit" -l refused -d 'Only what was refused'
complete -c procession -n "__fish_procession_using_subcommand audit" -l json -d 'Print a JSON object for each line'
complete -c procession -n "__fish_procession_using_subcommand audit" -l csv -d 'Print a table for other programs'
complete -c procession -n "__fish_procession_using_subcommand audit" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand agents; and not __fish_seen_subcommand_from list show conversations contains continuation hand-over interactions reset validate info help" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand agents; and not __fish_seen_subcommand_from list show conversations contains continuation hand-over interactions reset validate info help" -f -a "list" -d 'List the agents with their current conversation and how full it is'
complete -c procession -n "__fish_procession_using_subcommand agents; and not __fish_seen_subcommand_from list show conversations contains continuation hand-over interactions reset validate info help" -f -a "show" -d 'Show the conversations of an agent in order'
complete -c procession -n "__fish_procession_using_subcommand agents; and not __fish_seen_subcommand_from list show conversations contains continuation hand-over interactions reset validate info help" -f -a "conversations" -d 'List the conversations of an agent, newest first, page by page'
complete -c procession -n "__fish_procession_using_subcommand agents; and not __fish_seen_subcommand_from list show conversations contains continuation hand-over interactions reset validate info help" -f -a "contains" -d 'Say whether a conversation is in the chain of an agent: 0 if it is, 1 if not'
complete -c procession -n "__fish_procession_using_subcommand agents; and not __fish_seen_subcommand_from list show conversations contains continuation hand-over interactions reset validate info help" -f -a "continuation" -d 'Show what a conversation worked on: files, tools and tasks'
complete -c procession -n "__fish_procession_using_subcommand agents; and not __fish_seen_subcommand_from list show conversations contains continuation hand-over interactions reset validate info help" -f -a "hand-over" -d 'Say what the next conversation needs to know: to be put in front of it'
complete -c procession -n "__fish_procession_using_subcommand agents; and not __fish_seen_subcommand_from list show conversations contains continuation hand-over interactions reset validate info help" -f -a "interactions" -d 'Show what was asked and answered last, and page by page what came before'
complete -c procession -n "__fish_procession_using_subcommand agents; and not __fish_seen_subcommand_from list show conversations contains continuation hand-over interactions reset validate info help" -f -a "reset" -d 'Begin the chain of an agent anew: the next conversation is number 1'
complete -c procession -n "__fish_procession_using_subcommand agents; and not __fish_seen_subcommand_from list show conversations contains continuation hand-over interactions reset validate info help" -f -a "validate" -d 'Say whether every line of a transcript on disk parses, and which does not'
complete -c procession -n "__fish_procession_using_subcommand agents; and not __fish_seen_subcommand_from list show conversations contains continuation hand-over interactions reset validate info help" -f -a "info" -d 'Show how large a transcript on disk is, its messages, and its first and last time'
complete -c procession -n "__fish_procession_using_subcommand agents; and not __fish_seen_subcommand_from list show conversations contains continuation hand-over interactions reset validate info help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from list" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from list" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from list" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from show" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from show" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from show" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from conversations" -l before -d 'Only those with a lower number: `next` of the last page' -r
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from conversations" -l number -d 'Only the one with this number' -r
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from conversations" -s n -l limit -d 'How many at most' -r
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from conversations" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from conversations" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from conversations" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from conversations" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from contains" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from contains" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from contains" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from contains" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from continuation" -l conversation -d 'The conversation; the current one unless said' -r
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from continuation" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from continuation" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from continuation" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from continuation" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from hand-over" -l conversation -d 'The conversation; the current one unless said' -r
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from hand-over" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from hand-over" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from hand-over" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from hand-over" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from interactions" -l conversation -d 'Only those of this conversation' -r
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from interactions" -l before -d 'Only those that come before a page: its `next`' -r
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from interactions" -s n -l limit -d 'How many at most' -r
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from interactions" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from interactions" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from interactions" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from interactions" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from reset" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from reset" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from reset" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from reset" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from validate" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from validate" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from info" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from info" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from help" -f -a "list" -d 'List the agents with their current conversation and how full it is'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show the conversations of an agent in order'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from help" -f -a "conversations" -d 'List the conversations of an agent, newest first, page by page'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from help" -f -a "contains" -d 'Say whether a conversation is in the chain of an agent: 0 if it is, 1 if not'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from help" -f -a "continuation" -d 'Show what a conversation worked on: files, tools and tasks'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from help" -f -a "hand-over" -d 'Say what the next conversation needs to know: to be put in front of it'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from help" -f -a "interactions" -d 'Show what was asked and answered last, and page by page what came before'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from help" -f -a "reset" -d 'Begin the chain of an agent anew: the next conversation is number 1'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from help" -f -a "validate" -d 'Say whether every line of a transcript on disk parses, and which does not'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from help" -f -a "info" -d 'Show how large a transcript on disk is, its messages, and its first and last time'
complete -c procession -n "__fish_procession_using_subcommand agents; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c procession -n "__fish_procession_using_subcommand tokens; and not __fish_seen_subcommand_from record scan help" -l process -d 'Only this process, or family of replicas' -r
complete -c procession -n "__fish_procession_using_subcommand tokens; and not __fish_seen_subcommand_from record scan help" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand tokens; and not __fish_seen_subcommand_from record scan help" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand tokens; and not __fish_seen_subcommand_from record scan help" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand tokens; and not __fish_seen_subcommand_from record scan help" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand tokens; and not __fish_seen_subcommand_from record scan help" -f -a "record" -d 'Tell of a call of a model'
complete -c procession -n "__fish_procession_using_subcommand tokens; and not __fish_seen_subcommand_from record scan help" -f -a "scan" -d 'Sum up histories on disk: those of Claude Code, Codex, Gemini CLI and opencode'
complete -c procession -n "__fish_procession_using_subcommand tokens; and not __fish_seen_subcommand_from record scan help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -l input -d 'Prompt tokens that were neither read from nor written to a cache' -r
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -l output -d 'Generated tokens, thinking included' -r
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -l cache-read -d 'Prompt tokens read from a cache' -r
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -l cache-write -d 'Prompt tokens written to a cache' -r
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -l reasoning -d 'The part of the output that was thinking' -r
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -l session -d 'The session that it belongs to; by default that of the run that this is called in' -r
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -l agent -d 'The agent' -r
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -l endpoint -d 'The address that was called, or a name for it' -r
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -l latency-ms -d 'How long it took, in milliseconds' -r
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -l key -d 'What the call is known by: told twice, it counts once' -r
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -l failed -d 'It failed'
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from record" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from scan" -l by -d 'What sums are made by, several separated by commas' -r -f -a "day\t'The day of the response, in UTC'
model\t'The model'
project\t'The folder that the agent worked in'
conversation\t'The agent\'s own id of the conversation'"
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from scan" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from scan" -l csv -d 'Print lines of values separated by commas, with a line of headings'
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from scan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from help" -f -a "record" -d 'Tell of a call of a model'
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from help" -f -a "scan" -d 'Sum up histories on disk: those of Claude Code, Codex, Gemini CLI and opencode'
complete -c procession -n "__fish_procession_using_subcommand tokens; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c procession -n "__fish_procession_using_subcommand budgets" -l socket -d 'The control socket; by default that of the configuration, or the one in the usual folder' -r -F
complete -c procession -n "__fish_procession_using_subcommand budgets" -s c -l config -d 'The configuration that the procession runs, which says where its socket is' -r -F
complete -c procession -n "__fish_procession_using_subcommand budgets" -l json -d 'Print JSON'
complete -c procession -n "__fish_procession_using_subcommand budgets" -s h -l help -d 'Print help'
complete -c procession -n "__fish_procession_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "run" -d 'Run the processes of a configuration, until they are done or we are told to stop'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "check" -d 'Read a configuration and print the plan, or every fault in it; start nothing'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "schema" -d 'Print the JSON Schema of a configuration, for editors that complete and check it'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "ps" -d 'List the processes with their state, memory and CPU time'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "start" -d 'Start processes, and wait until they are ready'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "stop" -d 'Stop processes, and wait until they have ended'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "restart" -d 'Restart processes in the order of their dependencies, and wait until they are ready'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "signal" -d 'Send a signal to processes'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "reload" -d 'Read the configuration anew: only what changed restarts'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "shutdown" -d 'Stop everything, as after a SIGTERM'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "memory" -d 'Show what every process holds of memory, how that went, and why a leak is suspected'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "logs" -d 'Show what processes wrote last, and what they write'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "spawn" -d 'Run a command beside the configured processes'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "orphans" -d 'List or end what sessions that are over left behind'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "sessions" -d 'Show what ran and how it ended; open, export and forget sessions'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "events" -d 'Show what happens, as it happens'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "audit" -d 'Show who asked for what at the control doors, and what they got'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "agents" -d 'Show the chains of agents: their conversations, how full they are, and what to hand over'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "tokens" -d 'Show what was spent on models, and tell of calls'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "budgets" -d 'Show what may be spent on models, what was, and how long that lasts'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "completions" -d 'Print a script that completes words in a shell'
complete -c procession -n "__fish_procession_using_subcommand help; and not __fish_seen_subcommand_from run check schema ps start stop restart signal reload shutdown memory logs spawn orphans sessions events audit agents tokens budgets completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from memory" -f -a "explain" -d 'Print every value that thresholds and the leak rule look at, with what it is held against; where nothing leaks now, also what was said of the last run that did'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from memory" -f -a "label" -d 'Say what the last sample of a process stands for, and the next one that is kept'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "list" -d 'List sessions, live and ended, newest first'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "show" -d 'Show all that is known of a session'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "events" -d 'Show what happened to a session, in order'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "tree" -d 'Show a session with all that are a part of it'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "stats" -d 'Count sessions by what they have in common'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "replay" -d 'Hold what is kept of sessions against what their events tell'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "open" -d 'Open a session of one\'s own, and print its id'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "heartbeat" -d 'Say that a session is active'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "close" -d 'Close a session'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "export" -d 'Print sessions, to be taken elsewhere'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "purge" -d 'Forget sessions that ended long ago'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "forget" -d 'Forget the ended sessions of a user or an agent, with all that are a part of them'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "output" -d 'Show what a spawned command wrote, and what it writes'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "write" -d 'Send a spawned command what comes on standard input'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "terminate" -d 'End a spawned command: ask it, then kill it'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "wait" -d 'Wait for the end of a spawned command, and end with its exit code'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from agents" -f -a "list" -d 'List the agents with their current conversation and how full it is'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from agents" -f -a "show" -d 'Show the conversations of an agent in order'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from agents" -f -a "conversations" -d 'List the conversations of an agent, newest first, page by page'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from agents" -f -a "contains" -d 'Say whether a conversation is in the chain of an agent: 0 if it is, 1 if not'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from agents" -f -a "continuation" -d 'Show what a conversation worked on: files, tools and tasks'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from agents" -f -a "hand-over" -d 'Say what the next conversation needs to know: to be put in front of it'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from agents" -f -a "interactions" -d 'Show what was asked and answered last, and page by page what came before'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from agents" -f -a "reset" -d 'Begin the chain of an agent anew: the next conversation is number 1'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from agents" -f -a "validate" -d 'Say whether every line of a transcript on disk parses, and which does not'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from agents" -f -a "info" -d 'Show how large a transcript on disk is, its messages, and its first and last time'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from tokens" -f -a "record" -d 'Tell of a call of a model'
complete -c procession -n "__fish_procession_using_subcommand help; and __fish_seen_subcommand_from tokens" -f -a "scan" -d 'Sum up histories on disk: those of Claude Code, Codex, Gemini CLI and opencode'
