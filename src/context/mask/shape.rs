//! Which texts are secrets by their own look, whatever name they have.

/// What a family of tokens begins with, and the fewest characters that follow.
struct Shape {
    prefix: &'static str,
    at_least: usize,
}

/// The published prefixes of tokens that development machines see. The lengths are below those of
/// real ones, so that a shortened one is caught too, and above those of words.
const SHAPES: [Shape; 22] = [
    Shape { prefix: "sk-", at_least: 16 },
    Shape { prefix: "sk_live_", at_least: 10 },
    Shape { prefix: "sk_test_", at_least: 10 },
    Shape { prefix: "rk_live_", at_least: 10 },
    Shape { prefix: "whsec_", at_least: 16 },
    Shape { prefix: "ghp_", at_least: 16 },
    Shape { prefix: "gho_", at_least: 16 },
    Shape { prefix: "ghu_", at_least: 16 },
    Shape { prefix: "ghs_", at_least: 16 },
    Shape { prefix: "ghr_", at_least: 16 },
    Shape { prefix: "github_pat_", at_least: 16 },
    Shape { prefix: "glpat-", at_least: 16 },
    Shape { prefix: "xoxb-", at_least: 10 },
    Shape { prefix: "xoxp-", at_least: 10 },
    Shape { prefix: "xoxa-", at_least: 10 },
    Shape { prefix: "xoxr-", at_least: 10 },
    Shape { prefix: "xoxs-", at_least: 10 },
    Shape { prefix: "xapp-", at_least: 10 },
    Shape { prefix: "hf_", at_least: 20 },
    Shape { prefix: "npm_", at_least: 20 },
    Shape { prefix: "pypi-", at_least: 20 },
    Shape { prefix: "AIza", at_least: 30 },
];
/// AWS access key ids: a prefix and sixteen capitals or digits.
const AWS_PREFIXES: [&str; 2] = ["AKIA", "ASIA"];
const AWS_TAIL: usize = 16;
/// A JSON object in base64url, with which a JSON web token begins.
const JWT_PREFIX: &str = "eyJ";
const PEM_BEGIN: &str = "-----BEGIN ";
const PEM_SECRET: &str = "PRIVATE KEY-----";
const PEM_END: &str = "-----END";

/// A token that a text begins with: how much of it may be seen, and how long it is.
pub(super) fn token(text: &str) -> Option<(usize, usize)> {
    known(text).or_else(|| aws(text)).or_else(|| jwt(text)).or_else(|| pem(text))
}

fn known(text: &str) -> Option<(usize, usize)> {
    SHAPES.iter().find_map(|shape| {
        let tail = text.strip_prefix(shape.prefix)?;
        let length = run(tail, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        (length >= shape.at_least).then_some((shape.prefix.len(), shape.prefix.len() + length))
    })
}

fn aws(text: &str) -> Option<(usize, usize)> {
    let tail = AWS_PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix))?;
    let length = run(tail, |c| c.is_ascii_uppercase() || c.is_ascii_digit());
    (length == AWS_TAIL).then_some((text.len() - tail.len(), text.len() - tail.len() + length))
}

/// Two parts in base64url with a dot between, and a third one, which may be empty.
fn jwt(text: &str) -> Option<(usize, usize)> {
    let tail = text.strip_prefix(JWT_PREFIX)?;
    let length = run(tail, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    let has_parts = tail[..length].matches('.').count() >= 2;
    has_parts.then_some((JWT_PREFIX.len(), JWT_PREFIX.len() + length))
}

/// A private key in PEM; to its end line, or all that follows where that is missing.
fn pem(text: &str) -> Option<(usize, usize)> {
    let tail = text.strip_prefix(PEM_BEGIN)?;
    let title = tail.find(PEM_SECRET).filter(|at| !tail[..*at].contains('-'))?;
    let visible = PEM_BEGIN.len() + title + PEM_SECRET.len();
    let body = text[visible..].find(PEM_END).unwrap_or(text.len() - visible);
    Some((visible, visible + body))
}

fn run(text: &str, is_in: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_in(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_known_by_their_shape() {
        for (text, visible, length) in [
            ("sk-ant-api03-AbCdEf0123456789 rest", 3, 29),
            ("ghp_0123456789abcdefABCDEF", 4, 26),
            ("github_pat_11ABCDEFG0abcdefgh", 11, 29),
            ("xoxb-1234567890-abc", 5, 19),
            ("AKIAIOSFODNN7EXAMPLE,", 4, 20),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln\"", 3, 41),
            ("-----BEGIN RSA PRIVATE KEY-----abc-----END RSA", 31, 34),
        ] {
            assert_eq!(token(text), Some((visible, length)), "{text}");
        }
    }

    #[test]
    fn words_that_begin_alike_are_no_tokens() {
        for text in [
            "sk-learn",
            "sk-",
            "ghp_short",
            "AKIA",
            "AKIAIOSFODNN7EXAMPLETOOLONG",
            "eyJhbGciOiJIUzI1NiJ9",
            "-----BEGIN CERTIFICATE-----",
            "",
        ] {
            assert_eq!(token(text), None, "{text}");
        }
    }
}
