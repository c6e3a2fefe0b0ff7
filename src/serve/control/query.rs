//! What stands behind the question mark, and names in paths. Pure.

use std::str::FromStr;
use std::time::Duration;

use super::problem::Problem;

/// The longest that an answer may be waited for.
const LONGEST_WAIT: f64 = 3600.0;

/// The parameters of a request.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=1&b=2`. A parameter that nobody knows is a fault: it was meant to do something.
    pub(super) fn read(text: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut pairs = Vec::new();
        for pair in text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if !known.contains(&name.as_str()) {
                let problem = Problem::bad_request(format!("unknown parameter {name:?}"));
                return Err(match known {
                    [] => problem.suggest("this path takes no parameters"),
                    known => problem.suggest(format!("known here: {}", known.join(", "))),
                });
            }
            pairs.push((name, value));
        }
        Ok(Self(pairs))
    }

    /// Puts a value in, as if it had been given.
    pub(super) fn put(&mut self, name: &str, value: String) {
        self.0.push((name.to_owned(), value));
    }

    /// Puts others in the place of the words of a name.
    pub(super) fn translate(&mut self, name: &str, word: impl Fn(&str) -> String) {
        for (_, value) in self.0.iter_mut().filter(|(known, _)| known == name) {
            *value = value
                .split(',')
                .filter(|it| !it.is_empty())
                .map(&word)
                .collect::<Vec<_>>()
                .join(",");
        }
    }

    /// The last value that was given for a name.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values, given one by one or with commas between.
    pub(super) fn words(&self, name: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(known, _)| known == name);
        values.flat_map(|(_, value)| value.split(',')).filter(|word| !word.is_empty()).collect()
    }

    /// A number.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        let number = |text: &str| {
            let fault =
                || Problem::bad_request(format!("{name}: expected a number, found {text:?}"));
            text.parse().map_err(|_| fault())
        };
        self.text(name).map(number).transpose()
    }

    /// Yes or no; the mere name is a yes.
    pub(super) fn is_set(&self, name: &str) -> Result<bool, Problem> {
        match self.text(name) {
            None | Some("false" | "0" | "no") => Ok(false),
            Some("" | "true" | "1" | "yes") => Ok(true),
            Some(other) => Err(Problem::bad_request(format!(
                "{name}: expected true or false, found {other:?}"
            ))),
        }
    }

    /// One of these words.
    pub(super) fn one_of(&self, name: &str, words: &[&str]) -> Result<Option<&str>, Problem> {
        let check = |text| {
            let fault = || format!("{name}: expected {}, found {text:?}", words.join(" or "));
            if words.contains(&text) { Ok(text) } else { Err(Problem::bad_request(fault())) }
        };
        self.text(name).map(check).transpose()
    }

    /// How long is to be waited, in seconds.
    pub(super) fn wait(&self) -> Result<Option<Duration>, Problem> {
        self.span("wait", LONGEST_WAIT)
    }

    /// Seconds, at most so many.
    pub(super) fn span(&self, name: &str, longest: f64) -> Result<Option<Duration>, Problem> {
        let Some(seconds) = self.number::<f64>(name)? else { return Ok(None) };
        if (0.0..=longest).contains(&seconds) {
            return Ok(Some(Duration::from_secs_f64(seconds)));
        }
        Err(Problem::bad_request(format!("{name}: expected seconds from 0 to {longest}")))
    }
}

/// Text with its `%20` and `+` resolved.
pub(super) fn decoded(text: &str) -> Result<String, Problem> {
    let fault = || Problem::bad_request(format!("{text:?} is not well percent-encoded UTF-8"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let pair = [rest.next().ok_or_else(fault)?, rest.next().ok_or_else(fault)?];
                let pair = std::str::from_utf8(&pair).map_err(|_| fault())?;
                u8::from_str_radix(pair, 16).map_err(|_| fault())?
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| fault())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_unknown_ones_refused() {
        let query =
            Query::read(Some("tail=5&follow&kind=a,b&kind=c%20d"), &["tail", "follow", "kind"]);
        let query = query.expect("all are known");
        assert_eq!(query.number::<usize>("tail").ok(), Some(Some(5)));
        assert_eq!(query.is_set("follow").ok(), Some(true));
        assert_eq!(query.words("kind"), ["a", "b", "c d"]);
        assert_eq!(query.wait().ok(), Some(None));
        for wrong in ["tial=5", "tail=%zz", "tail=%f", "tail=%ff"] {
            assert!(Query::read(Some(wrong), &["tail"]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_of_the_wrong_kind_are_refused() {
        let query = |text| Query::read(Some(text), &["wait", "tail", "follow", "stream"]);
        for text in ["wait=-1", "wait=NaN", "wait=1e9", "wait=soon"] {
            assert!(query(text).expect("known").wait().is_err(), "{text}");
        }
        let wait = query("wait=0.5").expect("known").wait().ok().flatten();
        assert_eq!(wait, Some(Duration::from_millis(500)));
        assert!(query("tail=-1").expect("known").number::<usize>("tail").is_err());
        assert!(query("follow=maybe").expect("known").is_set("follow").is_err());
        assert!(query("stream=both").expect("known").one_of("stream", &["stdout"]).is_err());
    }
}
