//! What was typed, and what it means.

use std::os::unix::ffi::OsStringExt;

use clap::Parser;

use super::*;
use crate::cli::Cli;

/// Reads a line of words with these variables.
fn reading(line: &str, variables: &[(&str, &str)]) -> Reading {
    let look_up = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
    };
    read(line.split_whitespace().map(OsString::from), look_up)
}

fn request(line: &str, variables: &[(&str, &str)]) -> Request {
    match reading(line, variables) {
        Reading::Run(request) => *request,
        other => panic!("{line}: {other:?}"),
    }
}

fn passing(line: &str, variables: &[(&str, &str)]) -> Passing {
    request(line, variables).passing
}

#[test]
fn tinis_options_mean_what_they_mean_there() {
    let group = Passing { scope: PassingScope::Group, ..Passing::default() };
    let forgiving = |codes: &[u8]| Passing { forgiven: codes.to_vec(), ..Passing::default() };
    for name in ["/sbin/tini", "tini-static", "docker-init", "procession"] {
        let check = |options: &str, expected: &Passing| {
            assert_eq!(passing(&format!("{name} {options} -- a"), &[]), *expected, "{options}");
        };
        check("", &Passing::default());
        check("-s", &Passing::default());
        check("-g", &group);
        check("-gvs", &group);
        check("-e143", &forgiving(&[143]));
        check("-e 143 -e 0", &forgiving(&[143, 0]));
        check("-ge1", &Passing { forgiven: vec![1], ..group.clone() });
        check("-w", &Passing { warn_on_reap: true, ..Passing::default() });
        let dying = |n| Passing { parent_death: Some(Signal(n)), ..Passing::default() };
        check("-p SIGTERM", &dying(15));
        check("-pSIGRTMIN+3", &dying(37));
        let at = format!("{name} -- a");
        assert_eq!(passing(&at, &[("TINI_KILL_PROCESS_GROUP", "")]), group);
        assert_eq!(passing(&at, &[("TINI_SUBREAPER", "")]), Passing::default());
    }
}

#[test]
fn dumb_inits_options_mean_what_they_mean_there() {
    let usual = passing("/usr/bin/dumb-init a", &[]);
    let stop = Some(Signal::STOP);
    assert_eq!((usual.scope, usual.own_session), (PassingScope::Group, true));
    assert_eq!(usual.rewrite, [(Signal(20), stop), (Signal(21), stop), (Signal(22), stop)]);
    for (line, variables) in [
        ("dumb-init -c a", &[][..]),
        ("dumb-init --single-child a", &[]),
        ("dumb-init --sing a", &[]),
        ("dumb-init a", &[("DUMB_INIT_SETSID", "0")]),
        ("procession -c -- a", &[]),
    ] {
        assert_eq!(passing(line, variables), Passing::default(), "{line}");
    }
    assert_eq!(passing("dumb-init a", &[("DUMB_INIT_SETSID", "1")]), usual);
    assert_eq!(passing("dumb-init a", &[("TINI_VERBOSITY", "0")]), usual);
}

#[test]
fn signals_are_rewritten_by_number_and_by_name_and_the_last_word_counts() {
    let rules = |line: &str| passing(line, &[]).rewrite;
    let to_int = [(Signal::TERM, Some(Signal::INT))];
    for rule in ["-r 15:2", "-r15:2", "--rewrite=15:2", "--rewrite 15:2", "--rew TERM:sigint"] {
        assert_eq!(rules(&format!("dumb-init -c {rule} a")), to_int, "{rule}");
        assert_eq!(rules(&format!("procession {rule} -- a")), to_int, "{rule}");
    }
    assert_eq!(rules("dumb-init -c -r 15:0 a"), [(Signal::TERM, None)]);
    assert_eq!(rules("dumb-init -c -r 15:0 -r 15:2 a"), to_int);
    assert_eq!(rules("dumb-init -c -r 34:SIGRTMAX a"), [(Signal(34), Some(Signal(64)))]);
    assert_eq!(rules("dumb-init -r 20:15 a")[0], (Signal(20), Some(Signal::TERM)));
    assert_eq!(rules("dumb-init -r 20:15 a").len(), 3);
}

#[test]
fn the_command_begins_where_the_peers_see_its_beginning() {
    let command = |line: &str| {
        let words = request(line, &[]).command;
        words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(command("tini ls"), "ls");
    assert_eq!(command("tini -- ls -l"), "ls -l");
    // It would print its licence here, which nobody can want.
    assert_eq!(command("tini ls -l"), "ls -l");
    assert_eq!(command("tini echo -- -n"), "echo -n");
    assert_eq!(command("tini npm run dev -- --host"), "npm run dev --host");
    assert_eq!(command("tini -- npm run dev -- --host"), "npm run dev -- --host");
    assert_eq!(command("tini sh -c x -- y"), "sh -c x -- y");
    assert_eq!(command("dumb-init npm run dev -- --host"), "npm run dev -- --host");
    assert_eq!(command("dumb-init -v -- -x"), "-x");
    assert_eq!(command("procession -- --listen"), "--listen");
}

#[test]
fn words_that_are_not_text_reach_the_command() {
    let broken = OsString::from_vec(vec![b'a', 0xff]);
    let line = ["tini".into(), broken.clone(), broken.clone()];
    let Reading::Run(request) = read(line.into_iter(), |_| None) else { panic!("no command") };
    assert_eq!(request.command, [broken.clone(), broken]);
}

#[test]
fn nothing_listens_or_is_kept_under_a_borrowed_name_unless_we_are_asked() {
    for line in ["tini a", "dumb-init a"] {
        let plain = request(line, &[("PROCESSION_LISTEN", "")]);
        assert_eq!((plain.listen, plain.store, plain.recovers), (None, None, false), "{line}");
        let at = request(line, &[("PROCESSION_LISTEN", "127.0.0.1:1")]);
        assert_eq!(at.listen, "127.0.0.1:1".parse().ok());
        let kept = request(line, &[("PROCESSION_STORE", "/h.db")]);
        assert_eq!((kept.store, kept.recovers), (Some("/h.db".into()), true));
        assert!(request(line, &[("PROCESSION_STATE_DIR", "/s")]).recovers);
    }
    let ours = request("procession -- a", &[]);
    assert_eq!((ours.listen, ours.recovers), (DEFAULT_LISTEN.parse().ok(), true));
    assert_eq!(request("procession -- a", &[("PROCESSION_LISTEN", "off")]).listen, None);
    let flag = request("procession --listen off -- a", &[("PROCESSION_LISTEN", "[::]:1")]);
    assert_eq!(flag.listen, None);
    assert_eq!(request("procession --store=x -- a", &[]).store, Some("x".into()));
}

#[test]
fn how_much_is_said_follows_the_flags_then_the_variables() {
    for (line, variables, level) in [
        ("tini a", &[][..], "warn"),
        ("tini -v a", &[], "info"),
        ("tini -vvv a", &[], "trace"),
        ("tini -vvvvvv a", &[], "trace"),
        ("tini a", &[("TINI_VERBOSITY", "0")], "error"),
        ("tini -vvv a", &[("TINI_VERBOSITY", "1")], "warn"),
        ("tini a", &[("TINI_VERBOSITY", "junk")], "error"),
        ("dumb-init a", &[("DUMB_INIT_DEBUG", "1")], "debug"),
        ("dumb-init a", &[("DUMB_INIT_DEBUG", "yes")], "warn"),
        ("dumb-init -v a", &[], "debug"),
        ("procession --log-level off -- a", &[("PROCESSION_LOG", "info")], "off"),
        ("procession -v -- a", &[("PROCESSION_LOG", "store=info")], "store=info"),
    ] {
        assert_eq!(request(line, variables).log_level, level, "{line} {variables:?}");
    }
}

#[test]
fn what_cannot_be_understood_is_refused_as_the_peers_refuse_it() {
    for line in [
        "tini",
        "tini -x a",
        "tini -e",
        "tini -e 256 a",
        "tini -e x a",
        "tini -p NONSENSE a",
        "tini --",
        "tini --verbose a",
        "dumb-init",
        "dumb-init --",
        "dumb-init -r 15 a",
        "dumb-init -r 0:15 a",
        "dumb-init -r 15:65 a",
        "dumb-init -r :2 a",
        "dumb-init --ver a",
        "dumb-init -g a",
        "dumb-init --help=x a",
    ] {
        assert!(matches!(reading(line, &[]), Reading::Refused(_, 1)), "{line}");
    }
    for line in [
        "procession -e 256 -- a",
        "procession -r 1 -- a",
        "procession -p X -- a",
        "procession --listen nowhere -- a",
        "procession --log-format xml -- a",
    ] {
        assert!(matches!(reading(line, &[]), Reading::Refused(_, 2)), "{line}");
    }
    let said = reading("tini a", &[("PROCESSION_LISTEN", "9917")]);
    assert!(matches!(said, Reading::Refused(why, 1) if why.contains("9917")));
}

#[test]
fn questions_are_answered() {
    for line in ["tini -h", "tini -l", "tini --version", "dumb-init -h", "dumb-init --version"] {
        assert!(matches!(reading(line, &[]), Reading::Answer(_)), "{line}");
    }
}

#[test]
fn whatever_else_is_typed_under_our_own_name_is_left_to_the_full_reading() {
    for line in [
        "procession",
        "procession run",
        "procession check -c x",
        "procession --",
        "procession sh",
        "procession --help",
        "procession -V",
        "procession --nonsense -- a",
        "procession -x -- a",
    ] {
        assert_eq!(reading(line, &[]), Reading::Other, "{line}");
    }
}

/// The full reading describes the options in its help; both must know the same.
#[test]
fn the_full_reading_knows_the_same_options() {
    for option in [
        "-s",
        "-g",
        "-p TERM",
        "-e 143",
        "-w",
        "-v",
        "-vv",
        "-c",
        "-r 15:2",
        "--single-child",
        "--rewrite 15:2",
        "--verbose",
        "--listen off",
        "--store x",
        "--log-level info",
        "--log-format json",
        "-l",
    ] {
        let line = format!("procession {option} -- a");
        let full = Cli::try_parse_from(line.split_whitespace());
        assert!(full.is_ok(), "{line}: {:?}", full.err());
        assert_ne!(reading(&line, &[]), Reading::Other, "{line}");
    }
    assert!(Cli::try_parse_from(["procession", "-x", "--", "a"]).is_err());
}
