//! Whose standard output tells what was spent, by the words of a command.

use super::{Dialect, OutputMode, ProcessPlan};

/// Programs that run the one that they name.
const WRAPPERS: [&str; 18] = [
    "bunx",
    "chrt",
    "dumb-init",
    "env",
    "gosu",
    "ionice",
    "nice",
    "node",
    "nohup",
    "npx",
    "pnpm",
    "setpriv",
    "setsid",
    "stdbuf",
    "su-exec",
    "timeout",
    "tini",
    "yarn",
];

/// Packages of the agents' programs, as `npx` names them, with or without a version.
const PACKAGES: [(&str, Dialect); 2] =
    [("@anthropic-ai/claude-code", Dialect::Claude), ("@openai/codex", Dialect::Codex)];

/// Whether standard output is read for what was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadsStdout {
    /// Where the words of the command say that it tells: `claude -p --output-format json` (or
    /// `stream-json`) and `codex exec --json`.
    #[default]
    Auto,
    /// In any case.
    On,
    /// Never.
    Off,
}

/// How standard output is read for what was spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// In whose words it tells.
    pub dialect: Dialect,
    /// The name that its figures carry.
    pub agent: String,
    /// Whether the conversation may be an earlier one that goes on, so that its sums may begin with
    /// what was spent before.
    pub resumed: bool,
    /// The model that was asked for, where the command says.
    pub model: Option<String>,
}

impl ProcessPlan {
    /// How its standard output is read for what was spent; `None` where it is not, be it because it
    /// does not come by here.
    pub fn capture(&self) -> Option<Capture> {
        if self.output.mode == OutputMode::Passthrough {
            return None;
        }
        let words = self.words();
        let said = Said::of(&words);
        let dialect = match self.reads_stdout {
            ReadsStdout::Off => return None,
            ReadsStdout::Auto => said.as_ref().filter(|said| said.tells)?.dialect,
            ReadsStdout::On => self.stdout_dialect()?,
        };
        let agent = self.agent.as_ref().map(|agent| agent.name.clone());
        let agent = agent.unwrap_or_else(|| dialect.as_str().to_owned());
        // What a script does nobody can say.
        let resumed = said.as_ref().is_none_or(|said| said.resumed);
        Some(Capture { dialect, agent, resumed, model: said.and_then(|said| said.model) })
    }

    /// In whose words its standard output can tell anything: of its command, else of its agent.
    pub fn stdout_dialect(&self) -> Option<Dialect> {
        let words = self.words();
        let said = Said::of(&words).map(|said| said.dialect);
        let declared = self.agent.as_ref().map(|agent| agent.dialect);
        said.or(declared).filter(|known| matches!(known, Dialect::Claude | Dialect::Codex))
    }
}

/// What the words of a command say of an agent.
struct Said {
    dialect: Dialect,
    /// Whether it tells what it spends.
    tells: bool,
    resumed: bool,
    model: Option<String>,
}

impl Said {
    fn of(words: &[String]) -> Option<Self> {
        let (dialect, rest) = program(words)?;
        let end = rest.iter().position(|word| word == "--").unwrap_or(rest.len());
        let options = &rest[..end];
        let has = |names: &[&str]| options.iter().any(|word| names.contains(&word.as_str()));
        let (tells, resumed) = match dialect {
            Dialect::Claude => {
                let prints = has(&["--print"]) || short(options, 'p');
                let form = value(options, &["--output-format"]);
                let told = matches!(form.as_deref(), Some("json" | "stream-json"));
                let resumes = has(&["--continue", "--resume", "--fork-session", "--from-pr"])
                    || options.iter().any(|word| word.starts_with("--resume="))
                    || short(options, 'c')
                    || short(options, 'r');
                (prints && told, resumes)
            }
            Dialect::Codex => {
                let exec = has(&["exec", "e"]);
                (exec && has(&["--json", "--experimental-json"]), has(&["resume", "fork"]))
            }
            Dialect::Gemini | Dialect::Opencode => (false, false),
        };
        Some(Self { dialect, tells, resumed, model: value(options, &["--model", "-m"]) })
    }
}

/// The agent that a command runs, and the words for it.
fn program(words: &[String]) -> Option<(Dialect, &[String])> {
    for (at, word) in words.iter().enumerate() {
        if let Some(dialect) = product(word) {
            return Some((dialect, &words[at + 1..]));
        }
        if at == 0 && !WRAPPERS.contains(&last_part(word)) {
            return None;
        }
    }
    None
}

fn product(word: &str) -> Option<Dialect> {
    let of_package = |(name, _): &&(&str, Dialect)| {
        let version = word.strip_prefix(name);
        version.is_some_and(|version| version.is_empty() || version.starts_with('@'))
    };
    let package = PACKAGES.iter().find(of_package).map(|(_, dialect)| *dialect);
    let named = || Dialect::named(last_part(word));
    package.or_else(named).filter(|known| matches!(known, Dialect::Claude | Dialect::Codex))
}

fn last_part(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// Whether a letter stands among short options, which may be joined: `-pc`.
fn short(options: &[String], letter: char) -> bool {
    options.iter().any(|word| {
        let letters = word.strip_prefix('-').filter(|rest| rest.len() <= 4);
        letters.is_some_and(|rest| {
            rest.contains(letter) && rest.chars().all(|each| each.is_ascii_alphabetic())
        })
    })
}

/// What an option is set to, behind it or behind a `=`.
fn value(options: &[String], names: &[&str]) -> Option<String> {
    options.iter().enumerate().find_map(|(at, word)| {
        if names.contains(&word.as_str()) {
            return options.get(at + 1).cloned();
        }
        let (name, value) = word.split_once('=')?;
        names.contains(&name).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chains::limits::Limits;
    use crate::config::plan::{AgentPlan, OutputPlan};

    fn plan(command: &str) -> ProcessPlan {
        let words = shell_words::split(command).expect("words");
        let output = OutputPlan::new(OutputMode::Prefixed);
        ProcessPlan { output, ..ProcessPlan::new("a", words) }
    }

    /// `claude resumed opus`, or nothing.
    fn captured(command: &str) -> String {
        let Some(capture) = plan(command).capture() else { return String::new() };
        let resumed = if capture.resumed { " resumed" } else { "" };
        let model = capture.model.map(|model| format!(" {model}")).unwrap_or_default();
        format!("{}{resumed}{model}", capture.agent)
    }

    #[test]
    fn the_words_of_a_command_say_whether_it_tells_what_it_spends() {
        for (command, expected) in [
            ("claude -p --output-format json hi", "claude"),
            ("/usr/bin/claude --print hi --output-format=stream-json --verbose", "claude"),
            ("claude -pc --output-format json --model opus hi", "claude resumed opus"),
            ("claude -p --resume 5e0c --output-format json", "claude resumed"),
            ("npx -y @anthropic-ai/claude-code@2.1.90 -p --output-format json hi", "claude"),
            ("env A=b claude -p --output-format stream-json", "claude"),
            ("codex exec --json -m gpt-5.5 hi", "codex gpt-5.5"),
            ("codex exec resume --last --json", "codex resumed"),
            ("npx @openai/codex exec --json hi", "codex"),
            ("claude -p hi", ""),
            ("claude -p --output-format text hi", ""),
            ("claude --output-format json", ""),
            ("claude -- -p --output-format json", ""),
            ("codex exec hi", ""),
            ("codex --json", ""),
            ("python3 claude -p --output-format json", ""),
            ("@anthropic-ai/claude-codex -p --output-format json", ""),
            ("sh -c 'claude -p --output-format json'", ""),
            ("gemini -p --output-format json", ""),
            ("npx", ""),
        ] {
            assert_eq!(captured(command), expected, "{command}");
        }
    }

    #[test]
    fn what_was_asked_for_comes_before_what_the_words_say() {
        let mut told = plan("claude -p --output-format json hi");
        told.reads_stdout = ReadsStdout::Off;
        assert_eq!(told.capture(), None);
        told.reads_stdout = ReadsStdout::Auto;
        told.output.mode = OutputMode::Passthrough;
        assert_eq!(told.capture(), None, "it does not come by here");
        let mut script = plan("./build.sh");
        script.reads_stdout = ReadsStdout::On;
        assert_eq!(script.capture(), None, "nobody knows in whose words");
        script.agent = Some(AgentPlan {
            name: "coder".into(),
            dialect: Dialect::Codex,
            transcripts: vec![],
            limits: Limits::default(),
        });
        let capture = script.capture().expect("it is read");
        assert_eq!((capture.dialect, capture.agent.as_str()), (Dialect::Codex, "coder"));
        assert!(capture.resumed, "nobody knows what a script does");
    }
}
