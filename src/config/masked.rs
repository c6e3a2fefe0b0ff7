//! What must not be repeated: values whose name says that they are secret.
//!
//! A name is all that can be judged by, so this masks too much rather than too little.

use crate::secret::is_secret;

/// What stands in the place of a secret.
pub(super) const MASK: &str = "***";

/// The value of a variable as it may be shown: masked by its name, and without the password of an
/// address such as `postgres://user:password@host`.
pub(super) fn mask_value(name: &str, value: &str) -> String {
    if is_secret(name) { MASK.to_owned() } else { mask_address(value) }
}

/// A command as it may be shown: `--token=x` and `--token x` lose their value.
pub(super) fn mask_command(command: &[String]) -> Vec<String> {
    let mut secret_follows = false;
    let mut masked = Vec::with_capacity(command.len());
    for word in command {
        let flag = word.starts_with('-').then_some(word.as_str());
        masked.push(match word.split_once('=') {
            _ if secret_follows && flag.is_none() => MASK.to_owned(),
            Some((name, _)) if is_name(name) && is_secret(name) => format!("{name}={MASK}"),
            _ => mask_address(word),
        });
        secret_follows = flag.is_some_and(|flag| is_name(flag) && is_secret(flag));
    }
    masked
}

/// A line of a file as it may be shown: everything behind a secret's name is masked.
pub(super) fn mask_line(line: &str) -> String {
    let secret = line.match_indices([':', '=']).find(|(at, _)| {
        let name = line[..*at].trim_end_matches(['\'', '"', ' ']);
        let name = name.rsplit(|c: char| !is_name_char(c)).next();
        name.is_some_and(is_secret)
    });
    match secret {
        Some((at, _)) if !line[at + 1..].trim().is_empty() => {
            let gap = if line[at + 1..].starts_with(' ') { " " } else { "" };
            format!("{}{gap}{MASK}", &line[..=at])
        }
        _ => mask_address(line),
    }
}

/// The text with the password of an address in it masked.
fn mask_address(text: &str) -> String {
    let Some(start) = text.find("://").map(|at| at + 3) else { return text.to_owned() };
    let authority = text[start..].split(['/', '?', '#', ' ']).next().unwrap_or_default();
    let Some(user) = authority.rfind('@') else { return text.to_owned() };
    match authority[..user].find(':') {
        Some(colon) => {
            format!("{}{MASK}{}", &text[..=start + colon], &text[start + user..])
        }
        None => text.to_owned(),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(is_name_char)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_secret() {
        for name in ["ANTHROPIC_API_KEY", "gh_token", "DbPassword", "AWS_CREDENTIALS", "BASIC_AUTH"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in ["PATH", "WEB_PORT", "HOME"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn addresses_lose_their_password_only() {
        assert_eq!(mask_value("URL", "postgres://me:pw@db/x"), "postgres://me:***@db/x");
        assert_eq!(mask_value("URL", "http://db:80/a@b:c"), "http://db:80/a@b:c");
    }

    #[test]
    fn commands_lose_the_values_of_secret_flags() {
        let command = ["run", "--token", "abc", "--api-key=def", "--port", "80", "SECRET=x"];
        let shown = mask_command(&command.map(String::from));
        assert_eq!(shown, ["run", "--token", "***", "--api-key=***", "--port", "80", "SECRET=***"]);
    }

    #[test]
    fn lines_of_files_lose_what_follows_a_secret_name() {
        assert_eq!(mask_line("  - API_KEY=abc"), "  - API_KEY=***");
        assert_eq!(mask_line("PASSWORD: abc def"), "PASSWORD: ***");
        assert_eq!(
            mask_line("environment: {A: b, \"API_KEY\": sk-1}"),
            "environment: {A: b, \"API_KEY\": ***"
        );
        assert_eq!(mask_line("ä: {ÖTOKEN: x}"), "ä: {ÖTOKEN: ***");
        assert_eq!(mask_line("restart: always"), "restart: always");
        assert_eq!(mask_line("secrets:"), "secrets:");
    }
}
