//! Which names say that their value is a secret: one rule for whatever is shown, logged or kept.
//!
//! A name is all that can be judged by, so that the rule hides too much rather than too little. It
//! goes by the words of a name, so that `--author` and `--max-tokens` stay readable. [`mask`] knows the
//! shapes of tokens as well, `personal` those of personal data, and a [`masker::Masker`] the patterns
//! that a configuration adds. `corpus.txt` holds invented examples of all.

pub mod keyed;
pub mod mask;
pub mod masker;

mod personal;

#[cfg(test)]
mod corpus;

/// What stands in the place of a secret.
pub const MASK: &str = "***";

/// Words that make any name secret in which they stand.
const WORDS: [&str; 12] = [
    "auth",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "key",
    "passphrase",
    "passwd",
    "password",
    "secret",
    "secrets",
    "token",
];

/// Words that do so at the end of a name of several: `PWD` alone is a folder.
const LAST_WORDS: [&str; 2] = ["pass", "pwd"];

/// How words end that were written in one: `APITOKEN`, `dbpassword`.
const ENDINGS: [&str; 8] =
    ["accesskey", "apikey", "passwd", "password", "privatekey", "pwd", "secret", "token"];

/// Whether a variable, flag or key of this name holds a secret.
pub fn is_secret(name: &str) -> bool {
    let words = words(name);
    let last = words.last().map_or("", String::as_str);
    words.iter().any(|word| {
        WORDS.contains(&word.as_str())
            || word != "pwd" && ENDINGS.iter().any(|ending| word.ends_with(ending))
    }) || words.len() > 1 && LAST_WORDS.contains(&last)
}

/// The words of a name in lower case: what stands between signs, and what begins with a capital
/// behind a small letter.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for c in name.chars() {
        let begins = before.is_lowercase() && c.is_uppercase();
        if begins || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
        before = c;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_others() {
        for name in [
            "API_KEY",
            "apiKey",
            "ANTHROPIC_API_KEY",
            "OPENAI_APIKEY",
            "--token",
            "GITHUB_TOKEN",
            "MYSQL_PWD",
            "DB_PASS",
            "dbpassword",
            "PGPASSWORD",
            "--Private.Key",
            "x-api-key",
            "Authorization",
            "Cookie",
            "AWS_SECRET_ACCESS_KEY",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "client-secret",
            "--no-auth",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in [
            "",
            "PATH",
            "PWD",
            "OLDPWDX",
            "--max-tokens",
            "--author",
            "--keyboard",
            "AUTHOR_NAME",
            "PASSTHROUGH",
            "pass",
            "monkey",
            "NODE_ENV",
        ] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
