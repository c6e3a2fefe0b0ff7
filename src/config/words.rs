//! Command strings: split into words as a POSIX shell would, without running one.
//!
//! Nothing is expanded here, and an operator such as `&&` becomes a plain argument. That is what
//! Compose does, and it surprises people, so [`shell_habit`] says what was probably meant for a
//! shell.

use super::interpolate::is_name;

/// Builtins and keywords that only a shell knows, with which people begin commands.
const SHELL_WORDS: [&str; 9] =
    ["cd", "export", "source", ".", "exec", "if", "for", "while", "ulimit"];

/// The words of a command; nothing when a quote is not closed.
pub(super) fn split(command: &str) -> Option<Vec<String>> {
    shell_words::split(command).ok()
}

/// A part of a command string that only means something to a shell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// The command begins with `NAME=value`.
    Assignment(String),
    /// It begins with a builtin.
    Builtin(String),
    /// It has an operator somewhere.
    Operator(String),
    /// A word of it begins with the home of the user.
    Home(String),
}

/// What in a command string was probably meant for a shell.
pub(super) fn shell_habit(command: &str) -> Option<Habit> {
    let words = unquoted_words(command);
    let first = words.first()?;
    if SHELL_WORDS.contains(&first.as_str()) {
        return Some(Habit::Builtin(first.clone()));
    }
    if let Some((name, _)) = first.split_once('=').filter(|(name, _)| is_name(name)) {
        return Some(Habit::Assignment(name.to_owned()));
    }
    if let Some(operator) = words.iter().find(|word| is_operator(word)) {
        return Some(Habit::Operator(operator.clone()));
    }
    words.into_iter().find(|word| word == "~" || word.starts_with("~/")).map(Habit::Home)
}

/// Whether an unquoted word is, begins with or ends with an operator. An `&` or `;` inside a word
/// is left alone: addresses have them.
fn is_operator(word: &str) -> bool {
    let bare = word.trim_start_matches(|c: char| c.is_ascii_digit());
    matches!(word, "&&" | "||" | "|" | "|&" | "&" | ";")
        || bare.starts_with(['>', '<'])
        || word.starts_with("&>")
        || word.starts_with("$(")
        || word.starts_with('`')
        || (word.len() > 1 && word.ends_with(';'))
        || (word.len() > 1 && word.ends_with('&') && !word.contains("://"))
}

/// The words of a command with everything that is quoted or escaped left out, so that what remains
/// is what a shell would look at. A quoted word remains as an empty one.
fn unquoted_words(command: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = command.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some('"') | None, '\\') => {
                chars.next();
                word.get_or_insert_default();
            }
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default().push(HIDDEN);
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Stands in a word for a part that was quoted; no operator contains it.
const HIDDEN: char = '\u{0}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_split_as_in_a_shell() {
        let check = |command: &str, words: &[&str]| {
            assert_eq!(split(command).as_deref(), Some(words.map_owned().as_slice()), "{command}");
        };
        check("npm run dev", &["npm", "run", "dev"]);
        check("sh -c 'echo \"a b\"; exit 3'", &["sh", "-c", "echo \"a b\"; exit 3"]);
        check("a\\ b \"c d\"e ''", &["a b", "c de", ""]);
        assert_eq!(split("echo 'open"), None);
    }

    trait MapOwned {
        fn map_owned(&self) -> Vec<String>;
    }

    impl MapOwned for [&str] {
        fn map_owned(&self) -> Vec<String> {
            self.iter().map(|word| (*word).to_owned()).collect()
        }
    }

    #[test]
    fn what_only_a_shell_understands_is_seen() {
        for (command, operator) in [
            ("npm ci && npm run dev", "&&"),
            ("yes | head", "|"),
            ("server > log.txt", ">"),
            ("server 2>&1", "2>&1"),
            ("server 2>/dev/null", "2>/dev/null"),
            ("sleep 5; server", "5;"),
            ("server &", "&"),
            ("echo $(date)", "$(date)"),
        ] {
            assert_eq!(shell_habit(command), Some(Habit::Operator(operator.into())), "{command}");
        }
        assert_eq!(shell_habit("cd app"), Some(Habit::Builtin("cd".into())));
        assert_eq!(shell_habit("PORT=80 npm start"), Some(Habit::Assignment("PORT".into())));
    }

    #[test]
    fn what_means_the_same_without_a_shell_is_left_alone() {
        for command in [
            "npm run dev",
            "sh -c 'a && b | c > d'",
            "echo \"a && b\" '|' \\; \\> \\&",
            "curl http://x/?a=1&b=2;c",
            "curl http://x/?a=1&",
            "java -Dkey=value Main",
            "python3 -c \"import x; y > 3\"",
            "",
        ] {
            assert_eq!(shell_habit(command), None, "{command}");
        }
    }
}
