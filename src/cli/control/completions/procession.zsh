#compdef procession

autoload -U is-at-least

_procession() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'--listen=[Where /metrics and the status page listen; \`off\` listens nowhere]:ADDRESS:_default' \
'--store=[Keep history in this SQLite file, or in the database of a postgres\:// URL; in memory when not given]:FILE:_files' \
'*-r+[Pass signal S on as R, or not at all where R is 0]:S:R:_default' \
'*--rewrite=[Pass signal S on as R, or not at all where R is 0]:S:R:_default' \
'*-e+[Take this exit code of the command for 0]:CODE:_default' \
'-p+[Get this signal when our parent dies]:SIGNAL:_default' \
'--log-level=[What is logged\: error, warn, info, debug, trace, or levels by room\: \`warn,init=debug\`. The usual level is info for \`run\` and warn for one command]:LEVEL:_default' \
'--log-format=[How it is logged]:FORMAT:((text\:"For people"
json\:"For log shippers\: one JSON object for each line"))' \
'-g[Pass signals on to the whole group of the command]' \
'-c[Pass signals on to the command alone, as is usual]' \
'--single-child[Pass signals on to the command alone, as is usual]' \
'-s[Reap what is left behind also when not PID 1; always done]' \
'-w[Warn of every stranger that is reaped]' \
'*-v[Log more; up to three times]' \
'*--verbose[Log more; up to three times]' \
'-l[Print the licence]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'-V[Print version]' \
'--version[Print version]' \
'::command -- The command that is run and waited for:_default' \
":: :_procession_commands" \
"*::: :->procession" \
&& ret=0
    case $state in
    (procession)
        words=($line[2] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:procession-command-$line[2]:"
        case $line[2] in
            (run)
_arguments "${_arguments_options[@]}" : \
'-c+[The configuration]:FILE:_files' \
'--config=[The configuration]:FILE:_files' \
'--log-level=[What is logged\: error, warn, info, debug, trace, or levels by room\: \`warn,init=debug\`. The usual level is info for \`run\` and warn for one command]:LEVEL:_default' \
'--log-format=[How it is logged]:FORMAT:((text\:"For people"
json\:"For log shippers\: one JSON object for each line"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
'-c+[The configuration]:FILE:_files' \
'--config=[The configuration]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(schema)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(ps)
_arguments "${_arguments_options[@]}" : \
'-w+[Show it again and again, every so many seconds]::SECONDS:_default' \
'--watch=[Show it again and again, every so many seconds]::SECONDS:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
'*::names -- Only these processes, or families of replicas:_default' \
&& ret=0
;;
(start)
_arguments "${_arguments_options[@]}" : \
'--timeout=[How many seconds to wait until it is done]:SECONDS:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'()--all[All processes]' \
'--no-wait[Do not wait until it is done]' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
'*::names -- The processes, or families of replicas:_default' \
&& ret=0
;;
(stop)
_arguments "${_arguments_options[@]}" : \
'--timeout=[How many seconds to wait until it is done]:SECONDS:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'()--all[All processes]' \
'--no-wait[Do not wait until it is done]' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
'*::names -- The processes, or families of replicas:_default' \
&& ret=0
;;
(restart)
_arguments "${_arguments_options[@]}" : \
'--timeout=[How many seconds to wait until it is done]:SECONDS:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'()--all[All processes]' \
'--no-wait[Do not wait until it is done]' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
'*::names -- The processes, or families of replicas:_default' \
&& ret=0
;;
(signal)
_arguments "${_arguments_options[@]}" : \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--group[Send it to the whole process group rather than to the main process alone]' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':signal -- The signal\: HUP, SIGUSR1, 10, RTMIN+3:_default' \
'*::names -- The processes, or families of replicas:_default' \
&& ret=0
;;
(reload)
_arguments "${_arguments_options[@]}" : \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(shutdown)
_arguments "${_arguments_options[@]}" : \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(memory)
_arguments "${_arguments_options[@]}" : \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
'::name -- Only this process, with how it went; all of them at a glance when not given:_default' \
":: :_procession__subcmd__memory_commands" \
"*::: :->memory" \
&& ret=0

    case $state in
    (memory)
        words=($line[2] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:procession-memory-command-$line[2]:"
        case $line[2] in
            (explain)
_arguments "${_arguments_options[@]}" : \
'--store=[Read a history that nobody supervises with, as after a container died\: a file, or the URL of a database. Without it, the procession that runs is asked]:FILE|URL:_files' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':name -- The process:_default' \
&& ret=0
;;
(label)
_arguments "${_arguments_options[@]}" : \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
':name -- The process:_default' \
':text -- What it stands for, in a few words:_default' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_procession__subcmd__memory__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:procession-memory-help-command-$line[1]:"
        case $line[1] in
            (explain)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(label)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(logs)
_arguments "${_arguments_options[@]}" : \
'-n+[How many of the last lines of each; all that are kept when not given]:LINES:_default' \
'--tail=[How many of the last lines of each; all that are kept when not given]:LINES:_default' \
'--stream=[Only \`stdout\` or only \`stderr\`]:STREAM:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'-f[Go on with what they write from now on]' \
'--follow[Go on with what they write from now on]' \
'-t[Show when each line was read]' \
'--timestamps[Show when each line was read]' \
'--json[Print a JSON object for each line]' \
'-h[Print help]' \
'--help[Print help]' \
'*::names -- The processes, or families of replicas; all of them when none is named:_default' \
&& ret=0
;;
(spawn)
_arguments "${_arguments_options[@]}" : \
'-w+[Wait for its end, and end with its exit code; for so many seconds at most]::SECONDS:_default' \
'--wait=[Wait for its end, and end with its exit code; for so many seconds at most]::SECONDS:_default' \
'--name=[The name that it runs under; \`spawned-N\` when not given]:NAME:_default' \
'--dir=[Where it starts]:FOLDER:_default' \
'-u+[As whom it runs\: a name or a number, and a group behind a colon]:USER:_default' \
'--user=[As whom it runs\: a name or a number, and a group behind a colon]:USER:_default' \
'--stop-signal=[How it is asked to end; SIGINT when not given]:SIGNAL:_default' \
'--stop-grace-period=[From the asking to SIGKILL, such as \`10s\`; \`1s\` when not given]:DURATION:_default' \
'--timeout=[How long it may run, such as \`5m\`; then it is asked to end]:DURATION:_default' \
'--memory=[What each of its processes may hold of memory of its own, such as \`512MiB\`]:SIZE:_default' \
'--cpu-time=[CPU time of each of its processes, such as \`10s\`]:DURATION:_default' \
'--nofile=[Open files of each of its processes]:NUMBER:_default' \
'--nproc=[Processes that its user may have]:NUMBER:_default' \
'--keep-output=[The last bytes of what it writes that are kept; \`64KiB\` when not given]:SIZE:_default' \
'*-e+[What is added to its environment]:NAME=VALUE:_default' \
'*--env=[What is added to its environment]:NAME=VALUE:_default' \
'()--shell=[A line for the shell, in place of a command]:LINE:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'-i[Send what is typed here to it, until that ends or it does]' \
'--stdin[Send what is typed here to it, until that ends or it does]' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
'*::command -- The command:_default' \
&& ret=0
;;
(orphans)
_arguments "${_arguments_options[@]}" : \
'*--name=[Only those that are called so; those that tools of web projects leave running when not given]:NAME:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'(--name)--all[Whatever they are called]' \
'(--kill)--dry-run[List them and do nothing; this is what is done when nothing is said]' \
'--kill[Ask them to end, and kill those that have not after two seconds]' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(sessions)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_procession__subcmd__sessions_commands" \
"*::: :->sessions" \
&& ret=0

    case $state in
    (sessions)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:procession-sessions-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
'*-s+[Only those in these states\: active, idle, completed, failed, …]:STATE:_default' \
'*--state=[Only those in these states\: active, idle, completed, failed, …]:STATE:_default' \
'*-k+[Only those of these kinds\: process, conversation or external]:KIND:_default' \
'*--kind=[Only those of these kinds\: process, conversation or external]:KIND:_default' \
'*-p+[Only those of these processes]:NAME:_default' \
'*--process=[Only those of these processes]:NAME:_default' \
'*-u+[Only those of these users]:NAME:_default' \
'*--user=[Only those of these users]:NAME:_default' \
'*-a+[Only those of these agents]:NAME:_default' \
'*--agent=[Only those of these agents]:NAME:_default' \
'--parent=[Only the parts of this session]:ID:_default' \
'--project=[Only those in this checkout or folder]:PATH:_default' \
'--since=[Only those that were opened then or later\: 2026-11-20T09\:30\:00Z, or 2h for two hours ago]:TIME:_default' \
'--until=[Only those that were opened before]:TIME:_default' \
'-n+[How many at most]:COUNT:_default' \
'--limit=[How many at most]:COUNT:_default' \
'--cursor=[Go on behind an earlier answer\: its \`next\`]:CURSOR:_default' \
'--store=[Read a history that nobody supervises with, as after a container died\: a file, or the URL of a database. Without it, the procession that runs is asked]:FILE|URL:_files' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'(--ended)--live[Only those that live]' \
'--ended[Only those that have ended]' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
'::prefix -- Only those whose id, or own id, begins so:_default' \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
'--store=[Read a history that nobody supervises with, as after a container died\: a file, or the URL of a database. Without it, the procession that runs is asked]:FILE|URL:_files' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':id -- The session, by its identity or its own id:_default' \
&& ret=0
;;
(events)
_arguments "${_arguments_options[@]}" : \
'--from=[Begin with the event of this number]:NUMBER:_default' \
'--store=[Read a history that nobody supervises with, as after a container died\: a file, or the URL of a database. Without it, the procession that runs is asked]:FILE|URL:_files' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print a JSON object for each event]' \
'-h[Print help]' \
'--help[Print help]' \
':id -- The session, by its identity or its own id:_default' \
&& ret=0
;;
(tree)
_arguments "${_arguments_options[@]}" : \
'--store=[Read a history that nobody supervises with, as after a container died\: a file, or the URL of a database. Without it, the procession that runs is asked]:FILE|URL:_files' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
'::id -- The session, by its identity or its own id; without it all that live:_default' \
&& ret=0
;;
(stats)
_arguments "${_arguments_options[@]}" : \
'--by=[What they have in common]:WHAT:(project user agent process kind tool)' \
'--since=[Only those that were opened then or later\: 2026-11-20T09\:30\:00Z, or 2h for two hours ago]:TIME:_default' \
'--until=[Only those that were opened before]:TIME:_default' \
'--store=[Read a history that nobody supervises with, as after a container died\: a file, or the URL of a database. Without it, the procession that runs is asked]:FILE|URL:_files' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(replay)
_arguments "${_arguments_options[@]}" : \
'--store=[A history that nobody supervises with\: a file, or the URL of a database. Without it, the procession that runs is asked]:FILE|URL:_files' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--repair[Make what is kept what the events tell]' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(open)
_arguments "${_arguments_options[@]}" : \
'--id=[Its id\: while a session of this id is open, that one is answered]:ID:_default' \
'--parent=[The session that it is a part of; that of the run that we are in when not given]:ID:_default' \
'--agent=[The agent; its parent'\''s when not given]:NAME:_default' \
'-u+[The user; its parent'\''s when not given]:NAME:_default' \
'--user=[The user; its parent'\''s when not given]:NAME:_default' \
'--dir=[The project'\''s folder; its parent'\''s when not given]:FOLDER:_default' \
'*-l+[A name and a value of one'\''s own; at most 16]:NAME=VALUE:_default' \
'*--label=[A name and a value of one'\''s own; at most 16]:NAME=VALUE:_default' \
'--on-parent-end=[What becomes of it when its parent ends\: it ends as well, goes on, or is waited for]:POLICY:(end orphan wait)' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--bound[Stay, print what happens to it, and let it end with us]' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(heartbeat)
_arguments "${_arguments_options[@]}" : \
'--note=[What is done, in a few words]:TEXT:_default' \
'--input-tokens=[Tokens that were sent since the last heartbeat]:COUNT:_default' \
'--output-tokens=[Tokens that were answered since the last heartbeat]:COUNT:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':id -- The session, by its identity or its own id:_default' \
&& ret=0
;;
(close)
_arguments "${_arguments_options[@]}" : \
'--reason=[Why, in words]:TEXT:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--failed[That it failed; else it completed]' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':id -- The session, by its identity or its own id:_default' \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
'--format=[One array, an object in each line, or a table]:FORMAT:(json jsonl csv)' \
'*--user=[Only those of these users]:NAME:_default' \
'*--agent=[Only those of these agents]:NAME:_default' \
'*--process=[Only those of these processes]:NAME:_default' \
'--since=[Only those that were opened then or later\: 2026-11-20T09\:30\:00Z, or how long ago (1h, 7d)]:TIME:_default' \
'--until=[Only those that were opened before]:TIME:_default' \
'--store=[Read a history that nobody supervises with, as after a container died\: a file, or the URL of a database. Without it, the procession that runs is asked]:FILE|URL:_files' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--anonymise[Put hashes in the place of whatever could say who, where and on what]' \
'--events[What happened to each session as well; not in a table]' \
'(--anonymise)--output[What spawned commands wrote last as well, masked as it is kept; not in a table, and not with --anonymise\: nobody knows whose names are in it]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(purge)
_arguments "${_arguments_options[@]}" : \
'--older-than=[Those that ended so long ago\: 7d, 12h, …]:AGE:_default' \
'*--state=[Only those that ended as one of these]:STATE:(completed failed timed_out killed oom lost)' \
'--reason=[Why; the audit trail keeps it]:TEXT:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--dry-run[Only count them]' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(forget)
_arguments "${_arguments_options[@]}" : \
'--user=[The user whose sessions go, with all that are a part of them]:NAME:_default' \
'(--user)--agent=[The agent whose sessions go]:NAME:_default' \
'--reason=[Why; the audit trail keeps it]:TEXT:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--dry-run[Only count them]' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(output)
_arguments "${_arguments_options[@]}" : \
'--cursor=[Begin at this place\: \`next\` of an earlier answer]:CURSOR:_default' \
'--stream=[Only this output of it]:WHICH:(stdout stderr both)' \
'--store=[Read a history that nobody supervises with, as after a container died\: a file, or the URL of a database. Without it, the procession that runs is asked]:FILE|URL:_files' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'-f[Go on until it has ended]' \
'--follow[Go on until it has ended]' \
'--json[Print JSON, an object for each part]' \
'-h[Print help]' \
'--help[Print help]' \
':id -- Its session, or the pid of its main process:_default' \
&& ret=0
;;
(write)
_arguments "${_arguments_options[@]}" : \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--close[Close its standard input behind it; always done behind our own]' \
'-h[Print help]' \
'--help[Print help]' \
':id -- Its session, or the pid of its main process:_default' \
'::text -- What is sent; what comes on our standard input when not given:_default' \
&& ret=0
;;
(terminate)
_arguments "${_arguments_options[@]}" : \
'--grace=[Seconds from the asking to SIGKILL; what it was started with when not given]:SECONDS:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'(--grace)--force[At once, by SIGKILL]' \
'--no-wait[Do not wait until it is over]' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':id -- Its session, or the pid of its main process:_default' \
&& ret=0
;;
(wait)
_arguments "${_arguments_options[@]}" : \
'--timeout=[For so many seconds at most]:SECONDS:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':id -- Its session, or the pid of its main process:_default' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_procession__subcmd__sessions__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:procession-sessions-help-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(events)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(tree)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(stats)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(replay)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(open)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(heartbeat)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(close)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(purge)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(forget)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(output)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(write)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(terminate)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(wait)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(events)
_arguments "${_arguments_options[@]}" : \
'*-k+[Only events of these kinds\: run_ready, run_ended, phase_changed, …]:KIND:_default' \
'*--kind=[Only events of these kinds\: run_ready, run_ended, phase_changed, …]:KIND:_default' \
'-n+[Begin with so many of the last ones]:EVENTS:_default' \
'--tail=[Begin with so many of the last ones]:EVENTS:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print a JSON object for each event]' \
'-h[Print help]' \
'--help[Print help]' \
'*::names -- Only what happens to these processes, or families of replicas:_default' \
&& ret=0
;;
(audit)
_arguments "${_arguments_options[@]}" : \
'--since=[Only what was asked then or later\: a time as 2026-11-20T09\:30\:00Z, or how long ago (1h, 7d)]:TIME:_default' \
'--until=[Only what was asked before]:TIME:_default' \
'--action=[Only actions that have this in them\: \`stop\`, \`/v1/sessions\`, \`POST\`, …]:TEXT:_default' \
'--target=[Only of this process, session or agent]:NAME:_default' \
'-n+[So many lines, the newest; 0 is all]:LINES:_default' \
'--tail=[So many lines, the newest; 0 is all]:LINES:_default' \
'--store=[Read a history that nobody supervises with, as after a container died\: a file, or the URL of a database. Without it, the procession that runs is asked]:FILE|URL:_files' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--refused[Only what was refused]' \
'(--csv)--json[Print a JSON object for each line]' \
'--csv[Print a table for other programs]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(agents)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_procession__subcmd__agents_commands" \
"*::: :->agents" \
&& ret=0

    case $state in
    (agents)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:procession-agents-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':agent -- The agent:_default' \
&& ret=0
;;
(conversations)
_arguments "${_arguments_options[@]}" : \
'--before=[Only those with a lower number\: \`next\` of the last page]:NUMBER:_default' \
'--number=[Only the one with this number]:NUMBER:_default' \
'-n+[How many at most]:COUNT:_default' \
'--limit=[How many at most]:COUNT:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':agent -- The agent:_default' \
&& ret=0
;;
(contains)
_arguments "${_arguments_options[@]}" : \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':agent -- The agent:_default' \
':id -- The conversation'\''s id:_default' \
&& ret=0
;;
(continuation)
_arguments "${_arguments_options[@]}" : \
'--conversation=[The conversation; the current one unless said]:ID:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':agent -- The agent:_default' \
&& ret=0
;;
(hand-over)
_arguments "${_arguments_options[@]}" : \
'--conversation=[The conversation; the current one unless said]:ID:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':agent -- The agent:_default' \
&& ret=0
;;
(interactions)
_arguments "${_arguments_options[@]}" : \
'--conversation=[Only those of this conversation]:ID:_default' \
'--before=[Only those that come before a page\: its \`next\`]:PLACE:_default' \
'-n+[How many at most]:COUNT:_default' \
'--limit=[How many at most]:COUNT:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':agent -- The agent:_default' \
&& ret=0
;;
(reset)
_arguments "${_arguments_options[@]}" : \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':agent -- The agent:_default' \
&& ret=0
;;
(validate)
_arguments "${_arguments_options[@]}" : \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':path -- The transcript:_files' \
&& ret=0
;;
(info)
_arguments "${_arguments_options[@]}" : \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':path -- The transcript:_files' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_procession__subcmd__agents__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:procession-agents-help-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(conversations)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(contains)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(continuation)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(hand-over)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(interactions)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(reset)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(validate)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(info)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(tokens)
_arguments "${_arguments_options[@]}" : \
'--process=[Only this process, or family of replicas]:NAME:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
":: :_procession__subcmd__tokens_commands" \
"*::: :->tokens" \
&& ret=0

    case $state in
    (tokens)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:procession-tokens-command-$line[1]:"
        case $line[1] in
            (record)
_arguments "${_arguments_options[@]}" : \
'--input=[Prompt tokens that were neither read from nor written to a cache]:COUNT:_default' \
'--output=[Generated tokens, thinking included]:COUNT:_default' \
'--cache-read=[Prompt tokens read from a cache]:COUNT:_default' \
'--cache-write=[Prompt tokens written to a cache]:COUNT:_default' \
'--reasoning=[The part of the output that was thinking]:COUNT:_default' \
'--session=[The session that it belongs to; by default that of the run that this is called in]:ID:_default' \
'--agent=[The agent]:NAME:_default' \
'--endpoint=[The address that was called, or a name for it]:TEXT:_default' \
'--latency-ms=[How long it took, in milliseconds]:MS:_default' \
'--key=[What the call is known by\: told twice, it counts once]:KEY:_default' \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--failed[It failed]' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
':model -- The model, as its provider names it; or `-` for calls on standard input\: a JSON list of them, or one on each line:_default' \
&& ret=0
;;
(scan)
_arguments "${_arguments_options[@]}" : \
'*--by=[What sums are made by, several separated by commas]:WHAT:((day\:"The day of the response, in UTC"
model\:"The model"
project\:"The folder that the agent worked in"
conversation\:"The agent'\''s own id of the conversation"))' \
'(--csv)--json[Print JSON]' \
'--csv[Print lines of values separated by commas, with a line of headings]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::paths -- Folders and files of transcripts; where the agents keep them unless given:_files' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_procession__subcmd__tokens__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:procession-tokens-help-command-$line[1]:"
        case $line[1] in
            (record)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(scan)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(budgets)
_arguments "${_arguments_options[@]}" : \
'--socket=[The control socket; by default that of the configuration, or the one in the usual folder]:PATH:_files' \
'-c+[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--config=[The configuration that the procession runs, which says where its socket is]:FILE:_files' \
'--json[Print JSON]' \
'-h[Print help]' \
'--help[Print help]' \
'::name -- Only this budget, with everything that is known of it; all of them at a glance when not given:_default' \
&& ret=0
;;
(completions)
_arguments "${_arguments_options[@]}" : \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':shell -- The shell:((bash\:"\`source <(procession completions bash)\`"
zsh\:"\`procession completions zsh > "\${fpath\[1\]}/_procession"\`"
fish\:"\`procession completions fish > ~/.config/fish/completions/procession.fish\`"))' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_procession__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:procession-help-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(schema)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(ps)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(start)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(stop)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(restart)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(signal)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(reload)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(shutdown)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(memory)
_arguments "${_arguments_options[@]}" : \
":: :_procession__subcmd__help__subcmd__memory_commands" \
"*::: :->memory" \
&& ret=0

    case $state in
    (memory)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:procession-help-memory-command-$line[1]:"
        case $line[1] in
            (explain)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(label)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(logs)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(spawn)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(orphans)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(sessions)
_arguments "${_arguments_options[@]}" : \
":: :_procession__subcmd__help__subcmd__sessions_commands" \
"*::: :->sessions" \
&& ret=0

    case $state in
    (sessions)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:procession-help-sessions-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(events)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(tree)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(stats)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(replay)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(open)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(heartbeat)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(close)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(export)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(purge)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(forget)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(output)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(write)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(terminate)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(wait)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(events)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(audit)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(agents)
_arguments "${_arguments_options[@]}" : \
":: :_procession__subcmd__help__subcmd__agents_commands" \
"*::: :->agents" \
&& ret=0

    case $state in
    (agents)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:procession-help-agents-command-$line[1]:"
        case $line[1] in
            (list)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(conversations)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(contains)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(continuation)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(hand-over)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(interactions)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(reset)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(validate)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(info)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(tokens)
_arguments "${_arguments_options[@]}" : \
":: :_procession__subcmd__help__subcmd__tokens_commands" \
"*::: :->tokens" \
&& ret=0

    case $state in
    (tokens)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:procession-help-tokens-command-$line[1]:"
        case $line[1] in
            (record)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(scan)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(budgets)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(completions)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
}

(( $+functions[_procession_commands] )) ||
_procession_commands() {
    local commands; commands=(
'run:Run the processes of a configuration, until they are done or we are told to stop' \
'check:Read a configuration and print the plan, or every fault in it; start nothing' \
'schema:Print the JSON Schema of a configuration, for editors that complete and check it' \
'ps:List the processes with their state, memory and CPU time' \
'start:Start processes, and wait until they are ready' \
'stop:Stop processes, and wait until they have ended' \
'restart:Restart processes in the order of their dependencies, and wait until they are ready' \
'signal:Send a signal to processes' \
'reload:Read the configuration anew\: only what changed restarts' \
'shutdown:Stop everything, as after a SIGTERM' \
'memory:Show what every process holds of memory, how that went, and why a leak is suspected' \
'logs:Show what processes wrote last, and what they write' \
'spawn:Run a command beside the configured processes' \
'orphans:List or end what sessions that are over left behind' \
'sessions:Show what ran and how it ended; open, export and forget sessions' \
'events:Show what happens, as it happens' \
'audit:Show who asked for what at the control doors, and what they got' \
'agents:Show the chains of agents\: their conversations, how full they are, and what to hand over' \
'tokens:Show what was spent on models, and tell of calls' \
'budgets:Show what may be spent on models, what was, and how long that lasts' \
'completions:Print a script that completes words in a shell' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'procession commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents_commands] )) ||
_procession__subcmd__agents_commands() {
    local commands; commands=(
'list:List the agents with their current conversation and how full it is' \
'show:Show the conversations of an agent in order' \
'conversations:List the conversations of an agent, newest first, page by page' \
'contains:Say whether a conversation is in the chain of an agent\: 0 if it is, 1 if not' \
'continuation:Show what a conversation worked on\: files, tools and tasks' \
'hand-over:Say what the next conversation needs to know\: to be put in front of it' \
'interactions:Show what was asked and answered last, and page by page what came before' \
'reset:Begin the chain of an agent anew\: the next conversation is number 1' \
'validate:Say whether every line of a transcript on disk parses, and which does not' \
'info:Show how large a transcript on disk is, its messages, and its first and last time' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'procession agents commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__contains_commands] )) ||
_procession__subcmd__agents__subcmd__contains_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents contains commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__continuation_commands] )) ||
_procession__subcmd__agents__subcmd__continuation_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents continuation commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__conversations_commands] )) ||
_procession__subcmd__agents__subcmd__conversations_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents conversations commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__hand-over_commands] )) ||
_procession__subcmd__agents__subcmd__hand-over_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents hand-over commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__help_commands] )) ||
_procession__subcmd__agents__subcmd__help_commands() {
    local commands; commands=(
'list:List the agents with their current conversation and how full it is' \
'show:Show the conversations of an agent in order' \
'conversations:List the conversations of an agent, newest first, page by page' \
'contains:Say whether a conversation is in the chain of an agent\: 0 if it is, 1 if not' \
'continuation:Show what a conversation worked on\: files, tools and tasks' \
'hand-over:Say what the next conversation needs to know\: to be put in front of it' \
'interactions:Show what was asked and answered last, and page by page what came before' \
'reset:Begin the chain of an agent anew\: the next conversation is number 1' \
'validate:Say whether every line of a transcript on disk parses, and which does not' \
'info:Show how large a transcript on disk is, its messages, and its first and last time' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'procession agents help commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__help__subcmd__contains_commands] )) ||
_procession__subcmd__agents__subcmd__help__subcmd__contains_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents help contains commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__help__subcmd__continuation_commands] )) ||
_procession__subcmd__agents__subcmd__help__subcmd__continuation_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents help continuation commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__help__subcmd__conversations_commands] )) ||
_procession__subcmd__agents__subcmd__help__subcmd__conversations_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents help conversations commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__help__subcmd__hand-over_commands] )) ||
_procession__subcmd__agents__subcmd__help__subcmd__hand-over_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents help hand-over commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__help__subcmd__help_commands] )) ||
_procession__subcmd__agents__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents help help commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__help__subcmd__info_commands] )) ||
_procession__subcmd__agents__subcmd__help__subcmd__info_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents help info commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__help__subcmd__interactions_commands] )) ||
_procession__subcmd__agents__subcmd__help__subcmd__interactions_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents help interactions commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__help__subcmd__list_commands] )) ||
_procession__subcmd__agents__subcmd__help__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents help list commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__help__subcmd__reset_commands] )) ||
_procession__subcmd__agents__subcmd__help__subcmd__reset_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents help reset commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__help__subcmd__show_commands] )) ||
_procession__subcmd__agents__subcmd__help__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents help show commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__help__subcmd__validate_commands] )) ||
_procession__subcmd__agents__subcmd__help__subcmd__validate_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents help validate commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__info_commands] )) ||
_procession__subcmd__agents__subcmd__info_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents info commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__interactions_commands] )) ||
_procession__subcmd__agents__subcmd__interactions_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents interactions commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__list_commands] )) ||
_procession__subcmd__agents__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents list commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__reset_commands] )) ||
_procession__subcmd__agents__subcmd__reset_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents reset commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__show_commands] )) ||
_procession__subcmd__agents__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents show commands' commands "$@"
}
(( $+functions[_procession__subcmd__agents__subcmd__validate_commands] )) ||
_procession__subcmd__agents__subcmd__validate_commands() {
    local commands; commands=()
    _describe -t commands 'procession agents validate commands' commands "$@"
}
(( $+functions[_procession__subcmd__audit_commands] )) ||
_procession__subcmd__audit_commands() {
    local commands; commands=()
    _describe -t commands 'procession audit commands' commands "$@"
}
(( $+functions[_procession__subcmd__budgets_commands] )) ||
_procession__subcmd__budgets_commands() {
    local commands; commands=()
    _describe -t commands 'procession budgets commands' commands "$@"
}
(( $+functions[_procession__subcmd__check_commands] )) ||
_procession__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'procession check commands' commands "$@"
}
(( $+functions[_procession__subcmd__completions_commands] )) ||
_procession__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'procession completions commands' commands "$@"
}
(( $+functions[_procession__subcmd__events_commands] )) ||
_procession__subcmd__events_commands() {
    local commands; commands=()
    _describe -t commands 'procession events commands' commands "$@"
}
(( $+functions[_procession__subcmd__help_commands] )) ||
_procession__subcmd__help_commands() {
    local commands; commands=(
'run:Run the processes of a configuration, until they are done or we are told to stop' \
'check:Read a configuration and print the plan, or every fault in it; start nothing' \
'schema:Print the JSON Schema of a configuration, for editors that complete and check it' \
'ps:List the processes with their state, memory and CPU time' \
'start:Start processes, and wait until they are ready' \
'stop:Stop processes, and wait until they have ended' \
'restart:Restart processes in the order of their dependencies, and wait until they are ready' \
'signal:Send a signal to processes' \
'reload:Read the configuration anew\: only what changed restarts' \
'shutdown:Stop everything, as after a SIGTERM' \
'memory:Show what every process holds of memory, how that went, and why a leak is suspected' \
'logs:Show what processes wrote last, and what they write' \
'spawn:Run a command beside the configured processes' \
'orphans:List or end what sessions that are over left behind' \
'sessions:Show what ran and how it ended; open, export and forget sessions' \
'events:Show what happens, as it happens' \
'audit:Show who asked for what at the control doors, and what they got' \
'agents:Show the chains of agents\: their conversations, how full they are, and what to hand over' \
'tokens:Show what was spent on models, and tell of calls' \
'budgets:Show what may be spent on models, what was, and how long that lasts' \
'completions:Print a script that completes words in a shell' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'procession help commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__agents_commands] )) ||
_procession__subcmd__help__subcmd__agents_commands() {
    local commands; commands=(
'list:List the agents with their current conversation and how full it is' \
'show:Show the conversations of an agent in order' \
'conversations:List the conversations of an agent, newest first, page by page' \
'contains:Say whether a conversation is in the chain of an agent\: 0 if it is, 1 if not' \
'continuation:Show what a conversation worked on\: files, tools and tasks' \
'hand-over:Say what the next conversation needs to know\: to be put in front of it' \
'interactions:Show what was asked and answered last, and page by page what came before' \
'reset:Begin the chain of an agent anew\: the next conversation is number 1' \
'validate:Say whether every line of a transcript on disk parses, and which does not' \
'info:Show how large a transcript on disk is, its messages, and its first and last time' \
    )
    _describe -t commands 'procession help agents commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__agents__subcmd__contains_commands] )) ||
_procession__subcmd__help__subcmd__agents__subcmd__contains_commands() {
    local commands; commands=()
    _describe -t commands 'procession help agents contains commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__agents__subcmd__continuation_commands] )) ||
_procession__subcmd__help__subcmd__agents__subcmd__continuation_commands() {
    local commands; commands=()
    _describe -t commands 'procession help agents continuation commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__agents__subcmd__conversations_commands] )) ||
_procession__subcmd__help__subcmd__agents__subcmd__conversations_commands() {
    local commands; commands=()
    _describe -t commands 'procession help agents conversations commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__agents__subcmd__hand-over_commands] )) ||
_procession__subcmd__help__subcmd__agents__subcmd__hand-over_commands() {
    local commands; commands=()
    _describe -t commands 'procession help agents hand-over commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__agents__subcmd__info_commands] )) ||
_procession__subcmd__help__subcmd__agents__subcmd__info_commands() {
    local commands; commands=()
    _describe -t commands 'procession help agents info commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__agents__subcmd__interactions_commands] )) ||
_procession__subcmd__help__subcmd__agents__subcmd__interactions_commands() {
    local commands; commands=()
    _describe -t commands 'procession help agents interactions commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__agents__subcmd__list_commands] )) ||
_procession__subcmd__help__subcmd__agents__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'procession help agents list commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__agents__subcmd__reset_commands] )) ||
_procession__subcmd__help__subcmd__agents__subcmd__reset_commands() {
    local commands; commands=()
    _describe -t commands 'procession help agents reset commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__agents__subcmd__show_commands] )) ||
_procession__subcmd__help__subcmd__agents__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'procession help agents show commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__agents__subcmd__validate_commands] )) ||
_procession__subcmd__help__subcmd__agents__subcmd__validate_commands() {
    local commands; commands=()
    _describe -t commands 'procession help agents validate commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__audit_commands] )) ||
_procession__subcmd__help__subcmd__audit_commands() {
    local commands; commands=()
    _describe -t commands 'procession help audit commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__budgets_commands] )) ||
_procession__subcmd__help__subcmd__budgets_commands() {
    local commands; commands=()
    _describe -t commands 'procession help budgets commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__check_commands] )) ||
_procession__subcmd__help__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'procession help check commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__completions_commands] )) ||
_procession__subcmd__help__subcmd__completions_commands() {
    local commands; commands=()
    _describe -t commands 'procession help completions commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__events_commands] )) ||
_procession__subcmd__help__subcmd__events_commands() {
    local commands; commands=()
    _describe -t commands 'procession help events commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__help_commands] )) ||
_procession__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'procession help help commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__logs_commands] )) ||
_procession__subcmd__help__subcmd__logs_commands() {
    local commands; commands=()
    _describe -t commands 'procession help logs commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__memory_commands] )) ||
_procession__subcmd__help__subcmd__memory_commands() {
    local commands; commands=(
'explain:Print every value that thresholds and the leak rule look at, with what it is held against; where nothing leaks now, also what was said of the last run that did' \
'label:Say what the last sample of a process stands for, and the next one that is kept' \
    )
    _describe -t commands 'procession help memory commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__memory__subcmd__explain_commands] )) ||
_procession__subcmd__help__subcmd__memory__subcmd__explain_commands() {
    local commands; commands=()
    _describe -t commands 'procession help memory explain commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__memory__subcmd__label_commands] )) ||
_procession__subcmd__help__subcmd__memory__subcmd__label_commands() {
    local commands; commands=()
    _describe -t commands 'procession help memory label commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__orphans_commands] )) ||
_procession__subcmd__help__subcmd__orphans_commands() {
    local commands; commands=()
    _describe -t commands 'procession help orphans commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__ps_commands] )) ||
_procession__subcmd__help__subcmd__ps_commands() {
    local commands; commands=()
    _describe -t commands 'procession help ps commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__reload_commands] )) ||
_procession__subcmd__help__subcmd__reload_commands() {
    local commands; commands=()
    _describe -t commands 'procession help reload commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__restart_commands] )) ||
_procession__subcmd__help__subcmd__restart_commands() {
    local commands; commands=()
    _describe -t commands 'procession help restart commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__run_commands] )) ||
_procession__subcmd__help__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'procession help run commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__schema_commands] )) ||
_procession__subcmd__help__subcmd__schema_commands() {
    local commands; commands=()
    _describe -t commands 'procession help schema commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions_commands] )) ||
_procession__subcmd__help__subcmd__sessions_commands() {
    local commands; commands=(
'list:List sessions, live and ended, newest first' \
'show:Show all that is known of a session' \
'events:Show what happened to a session, in order' \
'tree:Show a session with all that are a part of it' \
'stats:Count sessions by what they have in common' \
'replay:Hold what is kept of sessions against what their events tell' \
'open:Open a session of one'\''s own, and print its id' \
'heartbeat:Say that a session is active' \
'close:Close a session' \
'export:Print sessions, to be taken elsewhere' \
'purge:Forget sessions that ended long ago' \
'forget:Forget the ended sessions of a user or an agent, with all that are a part of them' \
'output:Show what a spawned command wrote, and what it writes' \
'write:Send a spawned command what comes on standard input' \
'terminate:End a spawned command\: ask it, then kill it' \
'wait:Wait for the end of a spawned command, and end with its exit code' \
    )
    _describe -t commands 'procession help sessions commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__close_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__close_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions close commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__events_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__events_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions events commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__export_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions export commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__forget_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__forget_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions forget commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__heartbeat_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__heartbeat_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions heartbeat commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__list_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions list commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__open_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__open_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions open commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__output_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__output_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions output commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__purge_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__purge_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions purge commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__replay_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__replay_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions replay commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__show_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions show commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__stats_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__stats_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions stats commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__terminate_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__terminate_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions terminate commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__tree_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__tree_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions tree commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__wait_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__wait_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions wait commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__sessions__subcmd__write_commands] )) ||
_procession__subcmd__help__subcmd__sessions__subcmd__write_commands() {
    local commands; commands=()
    _describe -t commands 'procession help sessions write commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__shutdown_commands] )) ||
_procession__subcmd__help__subcmd__shutdown_commands() {
    local commands; commands=()
    _describe -t commands 'procession help shutdown commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__signal_commands] )) ||
_procession__subcmd__help__subcmd__signal_commands() {
    local commands; commands=()
    _describe -t commands 'procession help signal commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__spawn_commands] )) ||
_procession__subcmd__help__subcmd__spawn_commands() {
    local commands; commands=()
    _describe -t commands 'procession help spawn commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__start_commands] )) ||
_procession__subcmd__help__subcmd__start_commands() {
    local commands; commands=()
    _describe -t commands 'procession help start commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__stop_commands] )) ||
_procession__subcmd__help__subcmd__stop_commands() {
    local commands; commands=()
    _describe -t commands 'procession help stop commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__tokens_commands] )) ||
_procession__subcmd__help__subcmd__tokens_commands() {
    local commands; commands=(
'record:Tell of a call of a model' \
'scan:Sum up histories on disk\: those of Claude Code, Codex, Gemini CLI and opencode' \
    )
    _describe -t commands 'procession help tokens commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__tokens__subcmd__record_commands] )) ||
_procession__subcmd__help__subcmd__tokens__subcmd__record_commands() {
    local commands; commands=()
    _describe -t commands 'procession help tokens record commands' commands "$@"
}
(( $+functions[_procession__subcmd__help__subcmd__tokens__subcmd__scan_commands] )) ||
_procession__subcmd__help__subcmd__tokens__subcmd__scan_commands() {
    local commands; commands=()
    _describe -t commands 'procession help tokens scan commands' commands "$@"
}
(( $+functions[_procession__subcmd__logs_commands] )) ||
_procession__subcmd__logs_commands() {
    local commands; commands=()
    _describe -t commands 'procession logs commands' commands "$@"
}
(( $+functions[_procession__subcmd__memory_commands] )) ||
_procession__subcmd__memory_commands() {
    local commands; commands=(
'explain:Print every value that thresholds and the leak rule look at, with what it is held against; where nothing leaks now, also what was said of the last run that did' \
'label:Say what the last sample of a process stands for, and the next one that is kept' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'procession memory commands' commands "$@"
}
(( $+functions[_procession__subcmd__memory__subcmd__explain_commands] )) ||
_procession__subcmd__memory__subcmd__explain_commands() {
    local commands; commands=()
    _describe -t commands 'procession memory explain commands' commands "$@"
}
(( $+functions[_procession__subcmd__memory__subcmd__help_commands] )) ||
_procession__subcmd__memory__subcmd__help_commands() {
    local commands; commands=(
'explain:Print every value that thresholds and the leak rule look at, with what it is held against; where nothing leaks now, also what was said of the last run that did' \
'label:Say what the last sample of a process stands for, and the next one that is kept' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'procession memory help commands' commands "$@"
}
(( $+functions[_procession__subcmd__memory__subcmd__help__subcmd__explain_commands] )) ||
_procession__subcmd__memory__subcmd__help__subcmd__explain_commands() {
    local commands; commands=()
    _describe -t commands 'procession memory help explain commands' commands "$@"
}
(( $+functions[_procession__subcmd__memory__subcmd__help__subcmd__help_commands] )) ||
_procession__subcmd__memory__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'procession memory help help commands' commands "$@"
}
(( $+functions[_procession__subcmd__memory__subcmd__help__subcmd__label_commands] )) ||
_procession__subcmd__memory__subcmd__help__subcmd__label_commands() {
    local commands; commands=()
    _describe -t commands 'procession memory help label commands' commands "$@"
}
(( $+functions[_procession__subcmd__memory__subcmd__label_commands] )) ||
_procession__subcmd__memory__subcmd__label_commands() {
    local commands; commands=()
    _describe -t commands 'procession memory label commands' commands "$@"
}
(( $+functions[_procession__subcmd__orphans_commands] )) ||
_procession__subcmd__orphans_commands() {
    local commands; commands=()
    _describe -t commands 'procession orphans commands' commands "$@"
}
(( $+functions[_procession__subcmd__ps_commands] )) ||
_procession__subcmd__ps_commands() {
    local commands; commands=()
    _describe -t commands 'procession ps commands' commands "$@"
}
(( $+functions[_procession__subcmd__reload_commands] )) ||
_procession__subcmd__reload_commands() {
    local commands; commands=()
    _describe -t commands 'procession reload commands' commands "$@"
}
(( $+functions[_procession__subcmd__restart_commands] )) ||
_procession__subcmd__restart_commands() {
    local commands; commands=()
    _describe -t commands 'procession restart commands' commands "$@"
}
(( $+functions[_procession__subcmd__run_commands] )) ||
_procession__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'procession run commands' commands "$@"
}
(( $+functions[_procession__subcmd__schema_commands] )) ||
_procession__subcmd__schema_commands() {
    local commands; commands=()
    _describe -t commands 'procession schema commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions_commands] )) ||
_procession__subcmd__sessions_commands() {
    local commands; commands=(
'list:List sessions, live and ended, newest first' \
'show:Show all that is known of a session' \
'events:Show what happened to a session, in order' \
'tree:Show a session with all that are a part of it' \
'stats:Count sessions by what they have in common' \
'replay:Hold what is kept of sessions against what their events tell' \
'open:Open a session of one'\''s own, and print its id' \
'heartbeat:Say that a session is active' \
'close:Close a session' \
'export:Print sessions, to be taken elsewhere' \
'purge:Forget sessions that ended long ago' \
'forget:Forget the ended sessions of a user or an agent, with all that are a part of them' \
'output:Show what a spawned command wrote, and what it writes' \
'write:Send a spawned command what comes on standard input' \
'terminate:End a spawned command\: ask it, then kill it' \
'wait:Wait for the end of a spawned command, and end with its exit code' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'procession sessions commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__close_commands] )) ||
_procession__subcmd__sessions__subcmd__close_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions close commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__events_commands] )) ||
_procession__subcmd__sessions__subcmd__events_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions events commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__export_commands] )) ||
_procession__subcmd__sessions__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions export commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__forget_commands] )) ||
_procession__subcmd__sessions__subcmd__forget_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions forget commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__heartbeat_commands] )) ||
_procession__subcmd__sessions__subcmd__heartbeat_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions heartbeat commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help_commands] )) ||
_procession__subcmd__sessions__subcmd__help_commands() {
    local commands; commands=(
'list:List sessions, live and ended, newest first' \
'show:Show all that is known of a session' \
'events:Show what happened to a session, in order' \
'tree:Show a session with all that are a part of it' \
'stats:Count sessions by what they have in common' \
'replay:Hold what is kept of sessions against what their events tell' \
'open:Open a session of one'\''s own, and print its id' \
'heartbeat:Say that a session is active' \
'close:Close a session' \
'export:Print sessions, to be taken elsewhere' \
'purge:Forget sessions that ended long ago' \
'forget:Forget the ended sessions of a user or an agent, with all that are a part of them' \
'output:Show what a spawned command wrote, and what it writes' \
'write:Send a spawned command what comes on standard input' \
'terminate:End a spawned command\: ask it, then kill it' \
'wait:Wait for the end of a spawned command, and end with its exit code' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'procession sessions help commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__close_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__close_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help close commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__events_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__events_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help events commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__export_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__export_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help export commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__forget_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__forget_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help forget commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__heartbeat_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__heartbeat_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help heartbeat commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__help_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help help commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__list_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help list commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__open_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__open_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help open commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__output_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__output_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help output commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__purge_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__purge_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help purge commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__replay_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__replay_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help replay commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__show_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help show commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__stats_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__stats_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help stats commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__terminate_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__terminate_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help terminate commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__tree_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__tree_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help tree commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__wait_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__wait_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help wait commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__help__subcmd__write_commands] )) ||
_procession__subcmd__sessions__subcmd__help__subcmd__write_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions help write commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__list_commands] )) ||
_procession__subcmd__sessions__subcmd__list_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions list commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__open_commands] )) ||
_procession__subcmd__sessions__subcmd__open_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions open commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__output_commands] )) ||
_procession__subcmd__sessions__subcmd__output_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions output commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__purge_commands] )) ||
_procession__subcmd__sessions__subcmd__purge_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions purge commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__replay_commands] )) ||
_procession__subcmd__sessions__subcmd__replay_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions replay commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__show_commands] )) ||
_procession__subcmd__sessions__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions show commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__stats_commands] )) ||
_procession__subcmd__sessions__subcmd__stats_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions stats commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__terminate_commands] )) ||
_procession__subcmd__sessions__subcmd__terminate_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions terminate commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__tree_commands] )) ||
_procession__subcmd__sessions__subcmd__tree_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions tree commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__wait_commands] )) ||
_procession__subcmd__sessions__subcmd__wait_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions wait commands' commands "$@"
}
(( $+functions[_procession__subcmd__sessions__subcmd__write_commands] )) ||
_procession__subcmd__sessions__subcmd__write_commands() {
    local commands; commands=()
    _describe -t commands 'procession sessions write commands' commands "$@"
}
(( $+functions[_procession__subcmd__shutdown_commands] )) ||
_procession__subcmd__shutdown_commands() {
    local commands; commands=()
    _describe -t commands 'procession shutdown commands' commands "$@"
}
(( $+functions[_procession__subcmd__signal_commands] )) ||
_procession__subcmd__signal_commands() {
    local commands; commands=()
    _describe -t commands 'procession signal commands' commands "$@"
}
(( $+functions[_procession__subcmd__spawn_commands] )) ||
_procession__subcmd__spawn_commands() {
    local commands; commands=()
    _describe -t commands 'procession spawn commands' commands "$@"
}
(( $+functions[_procession__subcmd__start_commands] )) ||
_procession__subcmd__start_commands() {
    local commands; commands=()
    _describe -t commands 'procession start commands' commands "$@"
}
(( $+functions[_procession__subcmd__stop_commands] )) ||
_procession__subcmd__stop_commands() {
    local commands; commands=()
    _describe -t commands 'procession stop commands' commands "$@"
}
(( $+functions[_procession__subcmd__tokens_commands] )) ||
_procession__subcmd__tokens_commands() {
    local commands; commands=(
'record:Tell of a call of a model' \
'scan:Sum up histories on disk\: those of Claude Code, Codex, Gemini CLI and opencode' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'procession tokens commands' commands "$@"
}
(( $+functions[_procession__subcmd__tokens__subcmd__help_commands] )) ||
_procession__subcmd__tokens__subcmd__help_commands() {
    local commands; commands=(
'record:Tell of a call of a model' \
'scan:Sum up histories on disk\: those of Claude Code, Codex, Gemini CLI and opencode' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'procession tokens help commands' commands "$@"
}
(( $+functions[_procession__subcmd__tokens__subcmd__help__subcmd__help_commands] )) ||
_procession__subcmd__tokens__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'procession tokens help help commands' commands "$@"
}
(( $+functions[_procession__subcmd__tokens__subcmd__help__subcmd__record_commands] )) ||
_procession__subcmd__tokens__subcmd__help__subcmd__record_commands() {
    local commands; commands=()
    _describe -t commands 'procession tokens help record commands' commands "$@"
}
(( $+functions[_procession__subcmd__tokens__subcmd__help__subcmd__scan_commands] )) ||
_procession__subcmd__tokens__subcmd__help__subcmd__scan_commands() {
    local commands; commands=()
    _describe -t commands 'procession tokens help scan commands' commands "$@"
}
(( $+functions[_procession__subcmd__tokens__subcmd__record_commands] )) ||
_procession__subcmd__tokens__subcmd__record_commands() {
    local commands; commands=()
    _describe -t commands 'procession tokens record commands' commands "$@"
}
(( $+functions[_procession__subcmd__tokens__subcmd__scan_commands] )) ||
_procession__subcmd__tokens__subcmd__scan_commands() {
    local commands; commands=()
    _describe -t commands 'procession tokens scan commands' commands "$@"
}

if [ "$funcstack[1]" = "_procession" ]; then
    _procession "$@"
else
    compdef _procession procession
fi
