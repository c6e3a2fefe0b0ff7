//! Which names announce a secret.

/// A name that holds one of these, whatever else it holds, announces a secret. Compared without
/// hyphens, underscores and dots, and in lower case.
const TELLING: [&str; 14] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "authkey",
    "accesskey",
    "privatekey",
    "credential",
    "connectionstring",
    "accountkey",
    "sharedaccess",
    "signature",
];
/// These announce one only as a whole word of a name, because longer words hold them by chance.
const TELLING_WORDS: [&str; 9] =
    ["auth", "authorization", "cookie", "jwt", "keys", "oauth", "pass", "pat", "pwd"];
/// A word may end in these: `sshkey`, `basicauth`.
const TELLING_ENDINGS: [&str; 2] = ["key", "auth"];
/// Words that hold a telling one and are nothing of the kind.
const HARMLESS_WORDS: [&str; 4] = ["tokenizer", "tokenizers", "tokenize", "tokenization"];
/// Where the shell stands and stood.
const WORKING_DIRS: [&str; 2] = ["PWD", "OLDPWD"];
/// A number of tokens is a limit; no token has so few digits.
const LONGEST_COUNT: usize = 9;

/// Whether what `name` is set to should be hidden. The value only helps to tell a number of tokens
/// (`--max-tokens 4096`) from a token.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    if WORKING_DIRS.contains(&name) || is_count(name, value) {
        return false;
    }
    let spaced = words_of(name);
    let words = || spaced.split(' ').filter(|word| !HARMLESS_WORDS.contains(word));
    let joined: String = words().collect();
    TELLING.iter().any(|telling| joined.contains(telling))
        || words().any(|word| {
            TELLING_WORDS.contains(&word)
                || TELLING_ENDINGS.iter().any(|ending| word.ends_with(ending))
        })
}

/// The words of a name in lower case, one space between: `--apiKey_file` is `api key file`.
fn words_of(name: &str) -> String {
    let mut words = String::with_capacity(name.len() + 4);
    let mut after_lower = false;
    for c in name.chars() {
        let is_part = c.is_ascii_alphanumeric();
        if (!is_part || (c.is_ascii_uppercase() && after_lower)) && !words.ends_with(' ') {
            words.push(' ');
        }
        if is_part {
            words.push(c.to_ascii_lowercase());
        }
        after_lower = c.is_ascii_lowercase();
    }
    words.trim().to_owned()
}

/// Whether it is a number of tokens. A flag whose value is not known yet may be one.
fn is_count(name: &str, value: &str) -> bool {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    name.to_ascii_lowercase().contains("tokens") && is_number && value.len() <= LONGEST_COUNT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "--token",
            "GITHUB_TOKEN",
            "authToken",
            "--api-key",
            "--apikey",
            "apiKey",
            "OPENAI_API_KEY",
            "X-Api-Key",
            "client_secret",
            "PGPASSWORD",
            "MYSQL_PWD",
            "--passwd",
            "db.pass",
            "--auth",
            "basicauth",
            "Authorization",
            "AWS_SECRET_ACCESS_KEY",
            "GOOGLE_CREDENTIALS",
            "sshkey",
            "Cookie",
            "--tokens",
        ] {
            assert!(is_secret(name, ""), "{name}");
        }
    }

    #[test]
    fn names_that_only_look_like_it_are_left_alone() {
        for name in [
            "",
            "--author",
            "--authority",
            "--keyboard",
            "KEYCLOAK_URL",
            "--keep",
            "--tokenizer",
            "PWD",
            "OLDPWD",
            "--bypass",
            "--compass",
            "PATH",
            "--path",
            "--port",
            "-p",
        ] {
            assert!(!is_secret(name, "x"), "{name}");
        }
    }

    #[test]
    fn a_number_of_tokens_is_no_token() {
        assert!(!is_secret("--max-tokens", "4096"));
        assert!(!is_secret("MAX_THINKING_TOKENS", "128000"));
        assert!(is_secret("--tokens", "abc123"));
        assert!(is_secret("--tokens", "1234567890"));
        assert!(is_secret("--token", "4096"));
    }
}
