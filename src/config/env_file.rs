//! Files of variables, in Compose's format.
//!
//! `NAME=value` or `NAME: value`, one to a line; `#` begins a comment at the start of a line, after
//! a space, or after a closing quote. Single quotes keep everything as it is, double quotes know
//! `\n`, `\r`, `\t`, `\"`, `\\` and `\$`, and both may span lines. Variables are replaced except
//! in single quotes. A name alone passes our own variable through. `export ` may stand in front.

use std::collections::HashMap;

use super::interpolate::{Vars, interpolate};
use super::problem::{Place, Sink, quoted};
use super::tree::MAX_TEXT;
use crate::secret::is_secret;

/// The variables in the order of the file. Faults go to the sink.
pub(super) fn parse(text: &str, vars: Vars<'_>, sink: &Sink<'_>) -> Vec<(String, String)> {
    let (found, latest) = (vec![], HashMap::new());
    let mut reader = Reader { rest: text, line: 1, column: 1, found, latest, vars, sink, grown: 0 };
    while reader.statement().is_some() {}
    reader.found
}

struct Reader<'t, 'a> {
    rest: &'t str,
    line: usize,
    column: usize,
    found: Vec<(String, String)>,
    /// Where each name stands in `found` for the last time.
    latest: HashMap<&'t str, usize>,
    vars: Vars<'a>,
    sink: &'a Sink<'a>,
    /// Bytes of all values so far, bounded like the file itself.
    grown: usize,
}

impl<'t> Reader<'t, '_> {
    /// Reads one line, or several when a quote spans them; nothing at the end of the file.
    fn statement(&mut self) -> Option<()> {
        self.skip(char::is_whitespace);
        if self.rest.is_empty() {
            return None;
        }
        if self.rest.starts_with('#') {
            self.skip(|c| c != '\n');
            return Some(());
        }
        if let Some(behind) = self.rest.strip_prefix("export ") {
            self.advance(self.rest.len() - behind.len());
            self.skip(is_blank);
        }
        let place = self.here();
        let name = self.skip(|c| !"=:\n#".contains(c) && !c.is_whitespace());
        self.skip(is_blank);
        if !is_name(name) {
            return self.bad_name(name, place);
        }
        if self.rest.starts_with(['=', ':']) {
            self.advance(1);
            self.skip(is_blank);
            let value = self.value(name)?;
            self.put(name, value);
        } else if self.rest.is_empty() || self.rest.starts_with(['\n', '\r', '#']) {
            self.found.extend((self.vars)(name).map(|value| (name.to_owned(), value)));
            self.skip(|c| c != '\n');
        } else {
            let message = format!("expected `=` behind {}", quoted(name));
            self.fault(place, name, message, "write `NAME=value`");
            self.skip(|c| c != '\n');
        }
        Some(())
    }

    fn bad_name(&mut self, name: &str, place: Place) -> Option<()> {
        // The text is not repeated: it may be the second line of a secret.
        let message = match name {
            "" => "expected the name of a variable".to_owned(),
            _ => "this cannot be the name of a variable".to_owned(),
        };
        self.fault(place, "", message, "write `NAME=value`");
        self.skip(|c| c != '\n');
        Some(())
    }

    /// The value that begins here. A broken one is an empty text; nothing when a quote swallows
    /// the rest of the file.
    fn value(&mut self, name: &str) -> Option<String> {
        match self.rest.chars().next() {
            Some(quote @ ('\'' | '"')) => self.quoted_value(name, quote),
            _ => {
                let place = self.here();
                let line = self.skip(|c| c != '\n');
                Some(self.replace(name, without_comment(line), place))
            }
        }
    }

    fn quoted_value(&mut self, name: &str, quote: char) -> Option<String> {
        let place = self.here();
        let Some(end) = closing_quote(&self.rest[1..], quote) else {
            let message = format!("the quote {quote} is not closed");
            self.fault(Place { width: 1, ..place }, name, message, "close it");
            return None;
        };
        let inner = &self.rest[1..=end];
        self.advance(end + 2);
        let behind = self.here();
        let rest = self.skip(|c| c != '\n').trim();
        if !rest.is_empty() && !rest.starts_with('#') {
            let message = "text follows the closing quote".to_owned();
            self.fault(behind, name, message, "put the whole value inside the quotes");
        }
        Some(match quote {
            '"' => self.replace(name, &unescape(inner), place),
            _ => inner.replace("\\'", "'"),
        })
    }

    /// The value with variables replaced: the file's own first, then ours.
    fn replace(&mut self, name: &str, value: &str, place: Place) -> String {
        let look_up = |wanted: &str| {
            let own = self.latest.get(wanted).map(|at| self.found[*at].1.clone());
            own.or_else(|| (self.vars)(wanted))
        };
        match interpolate(value, &look_up, MAX_TEXT.saturating_sub(self.grown)) {
            Ok(value) => value.into_owned(),
            Err(failures) => {
                for failure in failures {
                    let failure = if is_secret(name) { failure.hidden() } else { failure };
                    let advice = format!("{}, or put it in single quotes", failure.advice);
                    self.fault(place, name, failure.message, &advice);
                }
                String::new()
            }
        }
    }

    fn put(&mut self, name: &'t str, value: String) {
        self.grown = self.grown.saturating_add(value.len());
        if value.contains('\0') {
            let message = "a variable cannot contain a NUL character".to_owned();
            self.fault(self.here(), name, message, "remove it");
        }
        self.latest.insert(name, self.found.len());
        self.found.push((name.to_owned(), value));
    }

    fn here(&self) -> Place {
        Place { line: self.line, column: self.column, width: 1 }
    }

    fn skip(&mut self, while_true: impl Fn(char) -> bool) -> &'t str {
        let length = self.rest.find(|c| !while_true(c)).unwrap_or(self.rest.len());
        self.advance(length)
    }

    fn advance(&mut self, bytes: usize) -> &'t str {
        let (passed, rest) = self.rest.split_at(bytes);
        for c in passed.chars() {
            (self.line, self.column) =
                if c == '\n' { (self.line + 1, 1) } else { (self.line, self.column + 1) };
        }
        self.rest = rest;
        passed
    }

    fn fault(&self, place: Place, path: &str, message: String, advice: &str) {
        self.sink.fault(place, path, message, Some(advice.to_owned()));
    }
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() && c != '\n'
}

fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || "_.-".contains(c))
        && text.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
}

/// An unquoted value without the comment that a space and `#` begin.
fn without_comment(line: &str) -> &str {
    let comment = line.char_indices().find(|(at, c)| {
        *c == '#' && (*at == 0 || line[..*at].ends_with(|before: char| before.is_whitespace()))
    });
    line[..comment.map_or(line.len(), |(at, _)| at)].trim_end()
}

fn closing_quote(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let closes = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        closes.then_some(at)
    })
}

/// A double-quoted value with its escapes replaced. `\$` becomes `$$`, which is how a plain dollar
/// sign survives the variables.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            Some('$') => out.push_str("$$"),
            Some(c @ ('"' | '\\' | '\'')) => out.push(c),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Vec<(String, String)>, String) {
        let vars = |name: &str| (name == "OURS").then(|| "from outside".to_owned());
        let sink = Sink::secretive(".env", text);
        let found = parse(text, &vars, &sink);
        (found, sink.into_problems().to_string())
    }

    fn check(text: &str, expected: &[(&str, &str)]) {
        let (found, problems) = read(text);
        let found: Vec<(&str, &str)> = found.iter().map(|(n, v)| (&**n, &**v)).collect();
        assert_eq!((found.as_slice(), problems.as_str()), (expected, ""), "{text}");
    }

    fn check_fault(text: &str, expected: &str) {
        assert_eq!(read(text).1.lines().next(), Some(expected), "{text}");
    }

    #[test]
    fn values_are_read_as_compose_reads_them() {
        check("VAR=VAL", &[("VAR", "VAL")]);
        check("\u{20} # c\n\nVAR = VAL  \r\nB=\n", &[("VAR", "VAL"), ("B", "")]);
        check("VAR: VAL", &[("VAR", "VAL")]);
        check("export VAR=VAL", &[("VAR", "VAL")]);
        check("VAR=VAL # comment", &[("VAR", "VAL")]);
        check("VAR=VAL# not", &[("VAR", "VAL# not")]);
        check("VAR=\"VAL # not\" # comment", &[("VAR", "VAL # not")]);
        check("VAR='$X ${Y}'", &[("VAR", "$X ${Y}")]);
        check("VAR='Let\\'s go!'", &[("VAR", "Let's go!")]);
        check("VAR=\"{\\\"a\\\": \\\"b\\\"}\"", &[("VAR", "{\"a\": \"b\"}")]);
        check("VAR=\"a\\tb\\nc\\\\\"", &[("VAR", "a\tb\nc\\")]);
        check("VAR='two\nlines'\nB=1", &[("VAR", "two\nlines"), ("B", "1")]);
        check("A=1\nB=${A}${C:-2}", &[("A", "1"), ("B", "12")]);
        check("VAR=\"pa\\$word\"", &[("VAR", "pa$word")]);
        check("URL=http://a/?b=c&d=e#f", &[("URL", "http://a/?b=c&d=e#f")]);
        check("OURS\nTHEIRS\nA=1", &[("OURS", "from outside"), ("A", "1")]);
    }

    #[test]
    fn faults_keep_secrets() {
        let text = "PASSWORD hunter2\nTOKEN=hunter2$hunter3\nKEY='x\nhunter4+/\n";
        let (_, problems) = read(text);
        assert_eq!(problems.lines().count(), 3, "{problems}");
        assert!(!problems.contains("hunter"), "{problems}");
    }

    #[test]
    fn faults_name_line_and_column() {
        check_fault(
            "A=1\n B!=2",
            ".env:2:2: this cannot be the name of a variable; write `NAME=value`",
        );
        check_fault("A b", ".env:1:1: A: expected `=` behind `A`; write `NAME=value`");
        check_fault("A='x\ny", ".env:1:3: A: the quote ' is not closed; close it");
        check_fault(
            "A='x'y",
            ".env:1:6: A: text follows the closing quote; put the whole value inside the quotes",
        );
        check_fault(
            "A=pa$word",
            ".env:1:3: A: the variable `word` is not set; set it, or give a default: \
             `${word:-default}`, or put it in single quotes",
        );
    }
}
