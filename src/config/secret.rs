//! What must not be repeated: values whose name says that they are secret.
//!
//! A name is mostly all that can be judged by, so this masks too much rather than too little. What
//! stands inside a command or a line is found by `mask`.

use super::mask::mask_text;

/// What stands in the place of a secret.
pub(super) const MASK: &str = "***";

/// The parts of a name that make its value a secret.
const TELLTALES: [&str; 8] =
    ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "CREDENTIAL", "AUTH"];

/// Whether a variable, flag or key of this name holds a secret.
pub fn is_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    TELLTALES.iter().any(|part| upper.contains(part))
}

/// The value of a variable as it may be shown.
pub(super) fn mask_value(name: &str, value: &str) -> String {
    if is_secret(name) { MASK.to_owned() } else { mask_text(value, false) }
}

/// A line of a file as it may be shown: everything behind a secret's name is masked.
pub(super) fn mask_line(line: &str) -> String {
    mask_text(line, false)
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
        assert_eq!(mask_value("URL", "http://db/?token=a&b=c"), "http://db/?token=***&b=c");
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
        assert_eq!(mask_line("command: curl -u me:pw x"), "command: curl -u me:*** x");
    }
}
