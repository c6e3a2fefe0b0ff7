//! Reading values out of the tree without stopping at the first fault.
//!
//! A [`Cursor`] is a value with the path that leads to it; its readers return nothing when the
//! value is wrong and leave the fault in the sink, so the caller goes on with a default that
//! nobody will see. [`Fields`] remembers which keys were asked for: the rest are unknown.

use std::rc::Rc;

use super::problem::{Place, Sink, nearest, quoted};
use super::tree::{Entry, Node, Value, joined};
use crate::secret;

/// How keys begin that are the writer's own, as in Compose: a place for what aliases repeat.
pub(super) const EXTENSION: &str = "x-";

/// A value that is being read.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    node: &'a Node,
    /// Where its key stands, for values that are missing.
    key: Option<Place>,
    path: Rc<str>,
    sink: &'a Sink<'a>,
}

impl<'a> Cursor<'a> {
    /// The whole file.
    pub(super) fn root(node: &'a Node, sink: &'a Sink<'a>) -> Self {
        Self { node, key: None, path: Rc::from(""), sink }
    }

    /// Where a fault of this value is shown.
    pub(super) fn place(&self) -> Place {
        match self.node.value {
            Value::Null => self.key.unwrap_or(self.node.place),
            _ => self.node.place,
        }
    }

    /// The way to this value.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Where its problems go.
    pub(super) fn sink(&self) -> &'a Sink<'a> {
        self.sink
    }

    /// Whether there is nothing behind the key.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    /// Whether this is a map.
    pub(super) fn is_map(&self) -> bool {
        matches!(self.node.value, Value::Map(_))
    }

    /// Whether this is a list.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.value, Value::List(_))
    }

    /// Says what is wrong with this value.
    pub(super) fn fault(&self, message: impl Into<String>, advice: impl Into<String>) {
        self.sink.fault(self.place(), &self.path, message.into(), said(advice.into()));
    }

    /// Says what is doubtful about this value.
    pub(super) fn warn(&self, message: impl Into<String>, advice: impl Into<String>) {
        self.sink.warn(self.place(), &self.path, message.into(), said(advice.into()));
    }

    /// Says what should stand here instead of what does. Always nothing, so that a reader can end
    /// with it.
    pub(super) fn expected<T>(&self, what: &str, advice: impl Into<String>) -> Option<T> {
        let advice = match (&self.node.value, advice.into()) {
            (Value::Broken, _) => return None,
            (Value::Null, advice) if advice.is_empty() => "write a value or remove the key".into(),
            (_, advice) => advice,
        };
        self.fault(format!("expected {what}, found {}", self.found()), advice);
        None
    }

    /// What stands here, in words.
    fn found(&self) -> String {
        match &self.node.value {
            Value::Null => "nothing".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
            Value::Broken => "a fault".to_owned(),
            Value::Scalar(scalar) => match &scalar.written {
                None if scalar.text.is_empty() => "an empty text".to_owned(),
                None => quoted(&scalar.text),
                Some(written) if secret::is_secret(written) => quoted(written),
                Some(written) => format!("{} from {}", quoted(&scalar.text), quoted(written)),
            },
        }
    }

    /// The word or text here, whatever it is.
    pub(super) fn scalar(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// A word or text that is not empty.
    pub(super) fn text(&self, what: &str) -> Option<&'a str> {
        match self.scalar() {
            Some(text) if !text.is_empty() => Some(text),
            _ => self.expected(what, ""),
        }
    }

    /// A text that some parser understands.
    pub(super) fn parsed<T>(
        &self,
        what: &str,
        parse: impl Fn(&str) -> Option<T>,
        advice: impl Fn(&str) -> Option<String>,
    ) -> Option<T> {
        let text = self.text(what)?;
        parse(text).or_else(|| self.expected(what, advice(text).unwrap_or_default()))
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let what = one_of(words.iter().map(|(word, _)| *word));
        let find = |text: &str| words.iter().find(|(word, _)| *word == text).map(|(_, v)| *v);
        self.parsed(&what, find, |text| {
            nearest(text, words.iter().map(|(word, _)| *word)).map(did_you_mean)
        })
    }

    /// The entries of a list; none when nothing is written.
    pub(super) fn items(&self, what: &str) -> Option<Vec<Self>> {
        match &self.node.value {
            Value::Null => Some(vec![]),
            Value::List(items) => Some(items.iter().enumerate().map(|i| self.item(i)).collect()),
            _ => self.expected(what, ""),
        }
    }

    /// The entries of a list, or the single value that stands in its place.
    pub(super) fn one_or_many(&self, what: &str) -> Option<Vec<Self>> {
        match self.node.value {
            Value::Scalar(_) => Some(vec![self.clone()]),
            _ => self.items(what),
        }
    }

    /// The entries of a map; none when nothing is written.
    pub(super) fn entries(&self, what: &str) -> Option<Vec<(&'a Entry, Self)>> {
        match &self.node.value {
            Value::Null => Some(vec![]),
            Value::Map(map) => Some(map.iter().map(|entry| (entry, self.child(entry))).collect()),
            _ => self.expected(what, ""),
        }
    }

    /// A map whose keys are known by name, but for those of the writer's own.
    pub(super) fn fields(&self, what: &str) -> Option<Fields<'a>> {
        let mut left = self.entries(what)?;
        left.retain(|(entry, _)| !entry.key.starts_with(EXTENSION));
        Some(Fields { map: self.clone(), left, known: vec![] })
    }

    /// The value of an entry of this map.
    fn child(&self, entry: &'a Entry) -> Self {
        let path = joined(&self.path, &entry.key).into();
        Self { node: &entry.value, key: Some(entry.place), path, sink: self.sink }
    }

    fn item(&self, (at, node): (usize, &'a Rc<Node>)) -> Self {
        Self { node, key: None, path: format!("{}[{at}]", self.path).into(), sink: self.sink }
    }
}

/// A map whose keys are known by name.
pub(super) struct Fields<'a> {
    map: Cursor<'a>,
    left: Vec<(&'a Entry, Cursor<'a>)>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The value behind a key, when the key is there.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Cursor<'a>> {
        self.known.push(key);
        let at = self.left.iter().position(|(entry, _)| entry.key == key)?;
        Some(self.left.remove(at).1)
    }

    /// What a reader makes of the value behind a key, when the key is there.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        reader: impl FnOnce(&Cursor<'a>) -> Option<T>,
    ) -> Option<T> {
        reader(&self.get(key)?)
    }

    /// Complains that a key is missing, unless one is left that is most likely meant to be it.
    pub(super) fn missing(&self, key: &str, advice: &str, elsewhere: &[(&str, &str)]) {
        let meant = did_you_mean(key);
        let misspelt = self.left.iter().any(|(entry, _)| {
            elsewhere.iter().any(|(word, advice)| *word == entry.key && *advice == meant)
                || nearest(&entry.key, [key]).is_some()
        });
        if !misspelt {
            let place = self.map.key.unwrap_or(self.map.place());
            let message = format!("`{key}` is missing");
            self.map.sink.fault(place, &self.map.path, message, Some(advice.to_owned()));
        }
    }

    /// Complains about every key that nobody asked for. `elsewhere` advises on words that people
    /// bring along from other tools.
    pub(super) fn finish(mut self, elsewhere: &[(&str, &str)]) {
        self.known.sort_unstable();
        let known = self.known.join(", ");
        for (entry, value) in &self.left {
            if value.sink.is_full() {
                value.sink.fault(entry.place, "", String::new(), None);
                continue;
            }
            let brought = elsewhere.iter().find(|(word, _)| *word == entry.key);
            let advice = match (brought, nearest(&entry.key, self.known.iter().copied())) {
                (Some((_, advice)), _) => (*advice).to_owned(),
                (None, Some(near)) => did_you_mean(near),
                (None, None) => format!("known here: {known}"),
            };
            value.sink.fault(entry.place, &value.path, "unknown key".to_owned(), Some(advice));
        }
    }
}

/// The question that offers a word.
pub(super) fn did_you_mean(word: &str) -> String {
    format!("did you mean `{word}`?")
}

/// A list of words for a message: "`a`, `b` or `c`".
fn one_of<'w>(words: impl Iterator<Item = &'w str>) -> String {
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

fn said(advice: String) -> Option<String> {
    (!advice.is_empty()).then_some(advice)
}
