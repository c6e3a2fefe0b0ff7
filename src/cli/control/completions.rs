//! `procession completions`: scripts that complete our words in a shell. They are generated once and
//! shipped as text, because their generator is larger than they are; a test holds them against the
//! command line.

use clap::{Args, ValueEnum};

use super::Failure;
use crate::cli::put;

#[derive(Debug, Args)]
pub struct Options {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// A shell.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shell {
    /// `source <(procession completions bash)`
    Bash,
    /// `procession completions zsh > "${fpath[1]}/_procession"`
    Zsh,
    /// `procession completions fish > ~/.config/fish/completions/procession.fish`
    Fish,
}

impl Shell {
    fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("completions/procession.bash"),
            Self::Zsh => include_str!("completions/procession.zsh"),
            Self::Fish => include_str!("completions/procession.fish"),
        }
    }
}

pub(super) fn print(options: &Options) -> Result<(), Failure> {
    Ok(put(options.shell.script())?)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;
    use clap_complete::{Shell as Dialect, generate};

    use super::*;
    use crate::cli::Cli;

    /// Set to write the scripts anew after a change of the command line.
    const BLESS: &str = "PROCESSION_BLESS";

    #[test]
    fn the_scripts_know_the_command_line() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/control/completions");
        for (shell, dialect, file) in [
            (Shell::Bash, Dialect::Bash, "procession.bash"),
            (Shell::Zsh, Dialect::Zsh, "procession.zsh"),
            (Shell::Fish, Dialect::Fish, "procession.fish"),
        ] {
            let mut script = Vec::new();
            generate(dialect, &mut Cli::command(), "procession", &mut script);
            let path = format!("{folder}/{file}");
            if std::env::var_os(BLESS).is_some() {
                std::fs::write(&path, &script).expect("our own sources can be written");
                continue;
            }
            let script = String::from_utf8(script).expect("text");
            assert!(script == shell.script(), "{file} is old: run the tests with {BLESS}=1");
        }
    }
}
