//! Which metrics and labels a PromQL expression names. Not a parser: it tells names from words,
//! functions and strings, which is all that the contract needs.

use std::collections::{BTreeMap, BTreeSet};

/// What an expression names.
#[derive(Debug, Default, PartialEq)]
pub struct Names {
    /// The metrics, with the labels that each is matched by.
    pub metrics: BTreeMap<String, BTreeSet<String>>,
    /// The labels in `by`, `without`, `on`, `ignoring`, `group_left` and `group_right`.
    pub grouping: BTreeSet<String>,
}

/// Words that stand before a list of labels.
const LISTS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];
/// Words that stand where a metric could stand.
const WORDS: [&str; 16] = [
    "and", "or", "unless", "bool", "offset", "inf", "nan", "atan2", "sum", "min", "max", "avg",
    "count", "topk", "bottomk", "quantile",
];

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Text,
    Number,
    Sign(char),
}

/// Reads one expression.
pub fn names(expression: &str) -> Names {
    let tokens = tokens(expression);
    let mut names = Names::default();
    let mut at = 0;
    while at < tokens.len() {
        let Token::Name(name) = &tokens[at] else {
            // A range holds a duration, never a name.
            at = if tokens[at] == Token::Sign('[') { end(&tokens, at, ']') } else { at + 1 };
            continue;
        };
        let next = tokens.get(at + 1);
        if LISTS.contains(&name.as_str()) {
            if next == Some(&Token::Sign('(')) {
                let close = end(&tokens, at + 1, ')');
                names.grouping.extend(tokens[at + 2..close].iter().filter_map(name_of));
                at = close;
            }
        } else if next == Some(&Token::Sign('{')) {
            let close = end(&tokens, at + 1, '}');
            let matched = tokens[at + 2..close].iter().filter_map(name_of);
            names.metrics.entry(name.clone()).or_default().extend(matched);
            at = close;
        } else if next != Some(&Token::Sign('(')) && !WORDS.contains(&name.as_str()) {
            names.metrics.entry(name.clone()).or_default();
        }
        at += 1;
    }
    names
}

fn name_of(token: &Token) -> Option<String> {
    match token {
        Token::Name(name) => Some(name.clone()),
        _ => None,
    }
}

/// Where the bracket that opens at `from` is closed; the end where it is not.
fn end(tokens: &[Token], from: usize, close: char) -> usize {
    let length = tokens[from..].iter().position(|token| *token == Token::Sign(close));
    length.map_or(tokens.len(), |length| from + length)
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        let mut take = |wanted: fn(char) -> bool| {
            let mut word = String::from(first);
            while let Some(next) = rest.next_if(|next| wanted(*next)) {
                word.push(next);
            }
            word
        };
        match first {
            '"' | '\'' => {
                while let Some(next) = rest.next() {
                    match next {
                        '\\' => drop(rest.next()),
                        _ if next == first => break,
                        _ => {}
                    }
                }
                tokens.push(Token::Text);
            }
            '#' => drop(take(|c| c != '\n')),
            'a'..='z' | 'A'..='Z' | '_' | ':' => {
                tokens
                    .push(Token::Name(take(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')));
            }
            '0'..='9' => {
                take(|c| c.is_ascii_alphanumeric() || c == '.');
                tokens.push(Token::Number);
            }
            _ if first.is_whitespace() => {}
            // A variable of Grafana's stands for a duration or a number.
            '$' => {
                take(|c| c.is_ascii_alphanumeric() || c == '_');
                tokens.push(Token::Number);
            }
            _ => tokens.push(Token::Sign(first)),
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, metrics: &[(&str, &[&str])], grouping: &[&str]) {
        let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let metrics = metrics.iter().map(|(name, labels)| ((*name).to_owned(), set(labels)));
        let expected = Names { metrics: metrics.collect(), grouping: set(grouping) };
        assert_eq!(names(expression), expected, "{expression}");
    }

    #[test]
    fn names_are_told_from_words_functions_and_texts() {
        check("up == 0", &[("up", &[])], &[]);
        check(
            r#"sum by (process) (rate(a_total{kind!="not {a} name", job=~"$job"}[5m])) * 60"#,
            &[("a_total", &["kind", "job"])],
            &["process"],
        );
        check(
            "a unless on (job, instance) b offset 15m or a:b:rate5m",
            &[("a", &[]), ("b", &[]), ("a:b:rate5m", &[])],
            &["job", "instance"],
        );
        check(
            "sum without (x) (a[$__rate_interval]) / on (y) group_left b # and c",
            &[("a", &[]), ("b", &[])],
            &["x", "y"],
        );
    }
}
