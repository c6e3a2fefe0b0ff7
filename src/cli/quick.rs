//! `procession -- CMD` with nothing else said: how every container starts us, read without first
//! building the description of all that could be said. Everything else is left to the full reading.

use std::ffi::OsString;

use crate::cli::{Cli, DEFAULT_LISTEN, LogFormat, LogOptions, OneCommand, listen};

/// Variables that options can be given by.
const OURS: &str = "PROCESSION_";

/// What was typed, where it is `--` and a command, and no variable of ours is set.
pub(super) fn read(
    mut arguments: impl Iterator<Item = OsString>,
    mut variables: impl Iterator<Item = OsString>,
) -> Option<Cli> {
    if arguments.nth(1)? != "--" {
        return None;
    }
    let command: Vec<String> =
        arguments.map(OsString::into_string).collect::<Result<_, _>>().ok()?;
    let is_ours = |name: OsString| name.as_encoded_bytes().starts_with(OURS.as_bytes());
    if command.is_empty() || variables.any(is_ours) {
        return None;
    }
    let one = OneCommand { listen: listen(DEFAULT_LISTEN).ok()?, store: None, command };
    let log = LogOptions { log_level: None, log_format: LogFormat::Text };
    Some(Cli { verb: None, one, log })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn quickly(line: &[&str], variables: &[&str]) -> Option<Cli> {
        read(line.iter().map(OsString::from), variables.iter().map(OsString::from))
    }

    #[test]
    fn what_is_read_quickly_is_what_the_full_reading_gives() {
        for line in [["procession", "--", "sh", "-c"], ["x", "--", "--", "--listen"]] {
            let quick = quickly(&line, &["PATH", "HOME"]).expect("the quick form");
            let full = Cli::try_parse_from(line).expect("a good line");
            assert_eq!(format!("{quick:?}"), format!("{full:?}"));
        }
    }

    #[test]
    fn whatever_else_is_said_is_left_to_the_full_reading() {
        for line in [&["p"][..], &["p", "run"], &["p", "--"], &["p", "--listen", "off", "--", "x"]]
        {
            assert!(quickly(line, &[]).is_none(), "{line:?}");
        }
        assert!(quickly(&["p", "--", "x"], &["PROCESSION_LOG"]).is_none());
        let broken = std::os::unix::ffi::OsStringExt::from_vec(vec![0xff]);
        let line = ["p".into(), "--".into(), broken];
        assert!(read(line.into_iter(), std::iter::empty()).is_none());
    }
}
