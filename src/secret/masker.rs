//! The rule with what a configuration adds to it: patterns of its own.

use std::sync::Arc;

use regex_lite::{NoExpand, Regex, RegexBuilder};
use serde_json::Value;

use crate::secret::mask::{mask_command, mask_line, mask_shapes};
use crate::secret::{MASK, is_secret};

/// What a compiled pattern may take, in bytes: time per byte of text grows with it.
const LARGEST_PATTERN: usize = 64 * 1024;

/// How deep a JSON value is looked into; what lies deeper is masked as a whole.
const DEEPEST: usize = 32;

/// A pattern of the configuration.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// What it finds, for people.
    pub name: String,
    regex: Regex,
}

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, is too large, or would find something in an empty text.
    pub fn new(name: &str, pattern: &str) -> Result<Self, String> {
        let built = RegexBuilder::new(pattern).size_limit(LARGEST_PATTERN).build();
        let regex = built.map_err(|error| error.to_string())?;
        if regex.is_match("") {
            return Err("it is met by an empty text, and so everywhere".to_owned());
        }
        Ok(Self { name: name.to_owned(), regex })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        self.regex.as_str()
    }
}

/// Masks whatever we author, by the rule of the house and by the patterns of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Masker(Arc<[Pattern]>);

impl PartialEq for Masker {
    fn eq(&self, other: &Self) -> bool {
        let same = |(one, other): (&Pattern, &Pattern)| {
            (&one.name, one.as_str()) == (&other.name, other.as_str())
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&*other.0).all(same)
    }
}

impl Masker {
    /// The rule with these patterns.
    pub fn new(patterns: Vec<Pattern>) -> Self {
        Self(patterns.into())
    }

    /// The patterns of the configuration.
    pub fn patterns(&self) -> &[Pattern] {
        &self.0
    }

    /// A command with every secret in it replaced.
    pub fn command(&self, command: &[String]) -> Vec<String> {
        mask_command(command).into_iter().map(|word| self.own(word)).collect()
    }

    /// A line with everything behind a secret's name replaced.
    pub fn line(&self, line: &str) -> String {
        self.own(mask_line(line))
    }

    /// Free text with tokens, keys and personal data replaced.
    pub fn text(&self, text: &str) -> String {
        self.own(mask_shapes(text))
    }

    /// What applications sent us: texts lose what is secret, and what stands under a secret's name is
    /// replaced as a whole.
    pub fn json(&self, value: &mut Value) {
        self.json_below(value, DEEPEST);
    }

    fn json_below(&self, value: &mut Value, depth: usize) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(_) | Value::Object(_) if depth == 0 => *value = Value::from(MASK),
            Value::Array(values) => {
                values.iter_mut().for_each(|value| self.json_below(value, depth - 1));
            }
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    match value {
                        Value::String(text) if is_secret(name) && !text.is_empty() => {
                            *text = MASK.to_owned();
                        }
                        value => self.json_below(value, depth - 1),
                    }
                }
            }
            // A card number is one without quotes as well.
            Value::Number(number) => {
                let text = number.to_string();
                let masked = self.text(&text);
                if masked != text {
                    *value = Value::from(masked);
                }
            }
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn own(&self, text: String) -> String {
        self.0.iter().fold(text, |text, pattern| {
            match pattern.regex.replace_all(&text, NoExpand(MASK)) {
                std::borrow::Cow::Borrowed(_) => text,
                std::borrow::Cow::Owned(masked) => masked,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn masker() -> Masker {
        Masker::new(vec![Pattern::new("ticket", r"\bACME-[0-9]{4}\b").expect("it is a pattern")])
    }

    #[test]
    fn a_number_of_a_card_is_masked_without_quotes_and_other_numbers_are_not() {
        let mut value =
            json!({ "card": 4111111111111111_u64, "n": 1_790_000_000_000_i64, "x": 1.5 });
        masker().json(&mut value);
        assert_eq!(value, json!({ "card": "***", "n": 1_790_000_000_000_i64, "x": 1.5 }));
    }

    #[test]
    fn patterns_of_the_configuration_are_masked_everywhere() {
        let masker = masker();
        assert_eq!(masker.text("see ACME-1234, not ACME-12"), "see ***, not ACME-12");
        assert_eq!(masker.line("token: x ACME-1234"), "token: ***");
        assert_eq!(masker.command(&["run".into(), "ACME-1234".into()]), ["run", "***"]);
        assert_eq!(Masker::default().text("see ACME-1234"), "see ACME-1234");
    }

    #[test]
    fn what_makes_no_pattern_is_refused() {
        for wrong in ["(", "x*", "", "a{1000}{1000}", "(?:[a-z]{200}){200}"] {
            assert!(Pattern::new("wrong", wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn values_lose_what_stands_under_a_secret_name() {
        let mut value = json!({
            "api_key": "abc", "token": "", "max_tokens": 5, "note": "mail a@b.example",
            "deep": [{ "Authorization": "x", "at": "ACME-1234" }],
        });
        masker().json(&mut value);
        let masked = json!({
            "api_key": "***", "token": "", "max_tokens": 5, "note": "mail ***",
            "deep": [{ "Authorization": "***", "at": "***" }],
        });
        assert_eq!(value, masked);
    }

    #[test]
    fn what_lies_too_deep_is_masked_as_a_whole() {
        let mut deep = json!("a@b.example");
        for _ in 0..DEEPEST + 5 {
            deep = json!([deep]);
        }
        masker().json(&mut deep);
        assert!(deep.to_string().contains(MASK) && !deep.to_string().contains("example"));
    }
}
