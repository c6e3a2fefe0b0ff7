//! Variables inside values: `${NAME}`, `${NAME:-default}` and their relatives, as Compose has them.
//!
//! Values are interpolated after the file is parsed, so a variable can never change its structure.
//! A variable that is not set and has no default is a fault: an empty string in its place would
//! start the wrong thing.

use std::borrow::Cow;

/// How deep defaults may contain variables with defaults. People write one level.
const MAX_NESTING: usize = 16;

/// How many faults of one value are told apart; the rest are of the same kind.
const MAX_FAILURES: usize = 10;

/// Looks up a variable.
pub type Vars<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A variable that has no value, or a `$` that begins none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// The text that failed, as it stands in the value.
    pub token: String,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub advice: String,
}

impl Failure {
    /// The failure without a word of the value, which is a secret: what follows a `$` in a password
    /// is a part of the password.
    pub(super) fn hidden(self) -> Self {
        let message = "`$` begins a variable, and this one is not set or not understood".into();
        let advice = "write `$$` for a dollar sign".into();
        Self { message, advice, ..self }
    }
}

/// The text with every variable replaced, or everything that is wrong with it. No more than
/// `limit` bytes are ever produced.
pub(super) fn interpolate<'t>(
    text: &'t str,
    vars: Vars<'_>,
    limit: usize,
) -> Result<Cow<'t, str>, Vec<Failure>> {
    if !text.contains('$') {
        return Ok(Cow::Borrowed(text));
    }
    let mut pass = Pass { vars, limit, out: String::new(), failures: Vec::new() };
    pass.text(text, 0);
    if pass.failures.is_empty() { Ok(Cow::Owned(pass.out)) } else { Err(pass.failures) }
}

/// Whether the text can be the name of a variable.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && name_length(text) == text.len()
}

struct Pass<'a> {
    vars: Vars<'a>,
    limit: usize,
    out: String,
    failures: Vec<Failure>,
}

impl Pass<'_> {
    fn text(&mut self, mut text: &str, depth: usize) {
        while let Some(at) = text.find('$') {
            self.push(&text[..at]);
            if self.failures.len() >= MAX_FAILURES {
                return;
            }
            text = &text[at..];
            match self.variable(text, depth) {
                Some(used) => text = &text[used..],
                None => return,
            }
        }
        self.push(text);
    }

    /// What begins with the `$` that `text` begins with: the bytes used, or nothing when the rest
    /// of the text cannot be understood.
    fn variable(&mut self, text: &str, depth: usize) -> Option<usize> {
        let rest = &text[1..];
        if rest.starts_with('$') {
            self.push("$");
            return Some(2);
        }
        if rest.starts_with('{') {
            return self.braced(text, depth);
        }
        let length = name_length(rest);
        if length == 0 {
            let token = format!("${}", rest.chars().next().map(String::from).unwrap_or_default());
            self.fail(token, "`$` begins a variable".into(), "write `$$` for a dollar sign".into());
            return Some(1);
        }
        self.plain(&rest[..length], &text[..=length]);
        Some(length + 1)
    }

    /// `${…}`.
    fn braced(&mut self, text: &str, depth: usize) -> Option<usize> {
        let Some(end) = closing_brace(text) else {
            let message = "`${` is not closed by `}`".into();
            self.fail("${".into(), message, "write `$${` for a dollar sign and a brace".into());
            return None;
        };
        let (token, inner) = (&text[..=end], &text[2..end]);
        if depth >= MAX_NESTING {
            let advice = format!("use at most {MAX_NESTING} defaults inside each other");
            self.fail("${".into(), "variables are nested too deeply".into(), advice);
            return None;
        }
        let (name, operator) = inner.split_at(name_length(inner));
        if name.is_empty() {
            let message = format!("{} does not name a variable", super::problem::quoted(token));
            let advice = "write `${NAME}`, or `$$` for a dollar sign".into();
            self.fail(token.into(), message, advice);
        } else if operator.is_empty() {
            self.plain(name, token);
        } else {
            self.with_operator(name, operator, token, depth);
        }
        Some(end + 1)
    }

    fn plain(&mut self, name: &str, token: &str) {
        match (self.vars)(name) {
            Some(value) => self.push(&value),
            None => {
                let advice = format!("set it, or give a default: `${{{name}:-default}}`");
                self.fail(token.into(), format!("the variable `{name}` is not set"), advice);
            }
        }
    }

    fn with_operator(&mut self, name: &str, operator: &str, token: &str, depth: usize) {
        let value = (self.vars)(name);
        // With a colon, an empty variable counts as one that is not set.
        let (value, operator) = match operator.strip_prefix(':') {
            Some(rest) => (value.filter(|value| !value.is_empty()), rest),
            None => (value, operator),
        };
        let mut chars = operator.chars();
        match (chars.next(), value) {
            (Some('-'), None) => self.text(chars.as_str(), depth + 1),
            (Some('-' | '?'), Some(value)) => self.push(&value),
            (Some('+'), Some(_)) => self.text(chars.as_str(), depth + 1),
            (Some('+'), None) => {}
            (Some('?'), None) => {
                let said = super::problem::shortened(chars.as_str());
                let message = match said.as_str() {
                    "" => format!("the variable `{name}` is required"),
                    said => format!("the variable `{name}` is required: {said}"),
                };
                self.fail(token.into(), message, "set it in the environment".into());
            }
            _ => {
                let message = format!("{} is not understood", super::problem::quoted(token));
                let advice = "write `${NAME}`, `${NAME:-default}` or `${NAME:?message}`".into();
                self.fail(token.into(), message, advice);
            }
        }
    }

    fn push(&mut self, text: &str) {
        if self.out.len() + text.len() <= self.limit {
            self.out.push_str(text);
        } else if self.failures.is_empty() {
            let message = format!("the value grows beyond {} bytes", self.limit);
            self.fail("$".into(), message, "use smaller or fewer variables".into());
        }
    }

    fn fail(&mut self, token: String, message: String, advice: String) {
        self.failures.push(Failure { token, message, advice });
    }
}

/// How many bytes at the beginning of the text are a variable's name.
fn name_length(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// Where the brace that `${` opens is closed; braces inside are paired.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => open += 1,
            '}' if open == 1 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(name: &str) -> Option<String> {
        match name {
            "SET" => Some("value".to_owned()),
            "EMPTY" => Some(String::new()),
            "BIG" => Some("x".repeat(100)),
            _ => None,
        }
    }

    fn check(text: &str, expected: &str) {
        let found = interpolate(text, &vars, 10_000).map(Cow::into_owned);
        assert_eq!(found, Ok(expected.to_owned()), "{text}");
    }

    fn check_failure(text: &str, token: &str, message: &str) {
        let failures = interpolate(text, &vars, 10_000).expect_err(text);
        assert_eq!((failures[0].token.as_str(), failures[0].message.as_str()), (token, message));
    }

    #[test]
    fn variables_are_replaced_as_compose_does() {
        check("no variable", "no variable");
        check("a ${SET} b $SET.", "a value b value.");
        check("$$SET $${SET} $$$$", "$SET ${SET} $$");
        check("${UNSET:-d} ${UNSET-d} ${EMPTY:-d} ${EMPTY-d}|", "d d d |");
        check("${SET:-d} ${SET:?m} ${SET+x} ${UNSET+x}|${EMPTY:+x}|", "value value x ||");
        check("${UNSET:-${EMPTY:-${SET}}}", "value");
        check("${UNSET:-{\"a\":1}}", "{\"a\":1}");
        check("${UNSET:-}", "");
    }

    #[test]
    fn what_has_no_value_is_a_failure() {
        check_failure("a ${UNSET}", "${UNSET}", "the variable `UNSET` is not set");
        check_failure("$UNSET", "$UNSET", "the variable `UNSET` is not set");
        check_failure(
            "${UNSET:?give a port}",
            "${UNSET:?give a port}",
            "the variable `UNSET` is required: give a port",
        );
        check_failure("price: 5$", "$", "`$` begins a variable");
        check_failure("^a$(b)", "$(", "`$` begins a variable");
        check_failure("${SET", "${", "`${` is not closed by `}`");
        check_failure("${}", "${}", "`${}` does not name a variable");
        check_failure("${SET!x}", "${SET!x}", "`${SET!x}` is not understood");
    }

    #[test]
    fn all_failures_of_a_value_are_told() {
        let failures = interpolate("${A} ${SET} ${B}", &vars, 100).unwrap_err();
        assert_eq!(failures.len(), 2);
    }

    #[test]
    fn hostile_values_are_bounded() {
        let deep = "${A:-".repeat(100_000) + &"}".repeat(100_000);
        check_failure(&deep, "${", "variables are nested too deeply");
        let unclosed = "${".repeat(500_000);
        check_failure(&unclosed, "${", "`${` is not closed by `}`");
        let many = "$BIG".repeat(1000);
        check_failure(&many, "$", "the value grows beyond 10000 bytes");
        assert!(interpolate(&"$(".repeat(100_000), &vars, 100).unwrap_err().len() <= MAX_FAILURES);
    }
}
