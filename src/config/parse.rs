//! Grows the tree of a YAML text out of a parser's events.
//!
//! Owns what is YAML's business: syntax, duplicate keys, anchors, aliases, merge keys, and the
//! variables in values, which are replaced only here, after the structure is known. Recursion is
//! nowhere: open lists and maps lie on a stack of our own, which is bounded.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, Tag};

use super::interpolate::{Vars, interpolate};
use super::problem::{Place, Sink, quoted};
use super::tree::{Entry, MAX_TEXT, Node, Scalar, Value, joined};
use crate::secret::is_secret;

/// How much a text may grow by aliases and variables, in bytes and nodes together. An alias bomb
/// doubles with every line; this stops it long before it costs anything.
const MAX_EXPANDED: usize = 4 * MAX_TEXT;

/// How deep lists and maps may lie inside each other, aliases included. Six levels have a meaning,
/// and every walk over a tree of this depth fits any stack.
const MAX_DEPTH: usize = 32;

/// The tree of the only document in `text`, or nothing after a fault of syntax. Other faults are
/// left in the sink and in the tree as [`Value::Broken`].
pub(super) fn parse(text: &str, vars: Vars<'_>, sink: &Sink<'_>) -> Option<Rc<Node>> {
    let mut builder = Builder::new(vars, sink);
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => builder.event(event, span)?,
            Err(error) => {
                builder.syntax(&error);
                return None;
            }
        }
    }
    Some(builder.root.unwrap_or_else(|| Rc::new(null(&Span::default()))))
}

/// A list or map that is not closed yet.
struct Frame {
    place: Place,
    anchor: usize,
    weight: usize,
    depth: usize,
    kind: FrameKind,
}

enum FrameKind {
    List(Vec<Rc<Node>>),
    Map(MapFrame),
}

#[derive(Default)]
struct MapFrame {
    entries: Vec<Entry>,
    first: HashMap<String, Place>,
    merged: Vec<Rc<Node>>,
    key: Option<Key>,
}

/// A key that waits for its value.
enum Key {
    Named(String, Place),
    Merge(Place),
    /// Its fault is known; its value is dropped.
    Unusable,
}

struct Builder<'a, 't> {
    vars: Vars<'a>,
    sink: &'a Sink<'t>,
    open: Vec<Frame>,
    anchors: HashMap<usize, Rc<Node>>,
    root: Option<Rc<Node>>,
    expanded: usize,
}

impl<'a, 't> Builder<'a, 't> {
    fn new(vars: Vars<'a>, sink: &'a Sink<'t>) -> Self {
        Self { vars, sink, open: vec![], anchors: HashMap::new(), root: None, expanded: 0 }
    }

    /// Takes one event; nothing when the rest must not be read.
    fn event(&mut self, event: Event<'_>, span: Span) -> Option<()> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => {
                let message = "a second document begins here".to_owned();
                self.fault(start(&span), message, "keep one document, without `---` in between");
                return None;
            }
            Event::Alias(anchor) => {
                let node = self.alias(anchor, &span);
                self.add(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag.as_deref(), &span);
            }
            Event::SequenceStart(anchor, tag) => {
                self.tag(tag.as_deref(), &span);
                self.push(FrameKind::List(vec![]), anchor, &span)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.tag(tag.as_deref(), &span);
                self.push(FrameKind::Map(MapFrame::default()), anchor, &span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            _ => {}
        }
        Some(())
    }

    fn push(&mut self, kind: FrameKind, anchor: usize, span: &Span) -> Option<()> {
        if self.open.len() >= MAX_DEPTH {
            self.fault(start(span), too_deep(), "write it flatter");
            return None;
        }
        let place = Place { width: 1, ..start(span) };
        self.open.push(Frame { place, anchor, weight: 1, depth: 1, kind });
        Some(())
    }

    fn close(&mut self) {
        let Some(frame) = self.open.pop() else { return };
        let value = match frame.kind {
            FrameKind::List(items) => Value::List(items),
            FrameKind::Map(map) => Value::Map(self.merge(map)),
        };
        let Frame { place, anchor, weight, depth, .. } = frame;
        let node = Rc::new(Node { place, value, weight, depth });
        self.remember(anchor, &node);
        self.add(node);
    }

    fn remember(&mut self, anchor: usize, node: &Rc<Node>) {
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(node));
        }
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        span: &Span,
    ) {
        self.tag(tag, span);
        if self.expects_key() && anchor == 0 {
            return self.key(text, style, span);
        }
        let is_text = style != ScalarStyle::Plain || tag.is_some_and(|tag| tag.suffix == "str");
        let node = Rc::new(match text {
            "" | "~" | "null" | "Null" | "NULL" if !is_text => null(span),
            _ => self.interpolated(text, span),
        });
        self.remember(anchor, &node);
        self.add(node);
    }

    fn interpolated(&mut self, text: &str, span: &Span) -> Node {
        let place = extent(span);
        let limit = MAX_EXPANDED.saturating_sub(self.expanded);
        let (value, weight) = match interpolate(text, self.vars, limit) {
            Ok(replaced) => {
                let replaced = replaced.into_owned();
                let written = (replaced != text).then(|| text.to_owned());
                let weight = 1 + replaced.len();
                (Value::Scalar(Scalar { text: replaced, written }), weight)
            }
            Err(failures) => {
                let name = text.split_once('=').map_or("", |(name, _)| name);
                let secret = is_secret(&self.path()) || is_secret(name);
                for failure in failures {
                    let failure = if secret { failure.hidden() } else { failure };
                    let at = self.locate(&failure.token, span);
                    self.fault(at, failure.message, &failure.advice);
                }
                (Value::Broken, 1)
            }
        };
        self.expanded = self.expanded.saturating_add(weight);
        Node { place, value, weight, depth: 0 }
    }

    /// Where a piece of a scalar stands: it may lie anywhere between the scalar's two ends.
    fn locate(&self, token: &str, span: &Span) -> Place {
        let width = token.chars().count();
        for number in span.start.line()..=span.end.line() {
            let skip = if number == span.start.line() { span.start.col() } else { 0 };
            let Some(line) = self.sink.line(number) else { break };
            let Some((from, _)) = line.char_indices().nth(skip) else { continue };
            if let Some(at) = line[from..].find(token) {
                let column = skip + line[from..from + at].chars().count() + 1;
                return Place { line: number, column, width };
            }
        }
        extent(span)
    }

    fn alias(&mut self, anchor: usize, span: &Span) -> Rc<Node> {
        let Some(node) = self.anchors.get(&anchor).map(Rc::clone) else {
            let message = "this alias stands inside what it repeats".to_owned();
            self.fault(extent(span), message, "write the value out");
            return Rc::new(broken(span));
        };
        self.expanded = self.expanded.saturating_add(node.weight);
        if self.expanded > MAX_EXPANDED {
            let message = format!("aliases make this file grow beyond {MAX_EXPANDED} bytes");
            self.fault(extent(span), message, "use fewer of them");
            return Rc::new(broken(span));
        }
        if self.open.len() + node.depth > MAX_DEPTH {
            self.fault(extent(span), too_deep(), "write it flatter");
            return Rc::new(broken(span));
        }
        node
    }

    /// Puts a finished value where it belongs: into the open list or map, or at the root.
    fn add(&mut self, node: Rc<Node>) {
        let Some(frame) = self.open.last_mut() else {
            self.root = Some(node);
            return;
        };
        frame.weight = frame.weight.saturating_add(node.weight);
        frame.depth = frame.depth.max(node.depth + 1);
        let map = match &mut frame.kind {
            FrameKind::List(items) => return items.push(node),
            FrameKind::Map(map) => map,
        };
        match map.key.take() {
            Some(Key::Named(key, place)) => map.entries.push(Entry { key, place, value: node }),
            Some(Key::Merge(place)) => self.merge_value(node, place),
            Some(Key::Unusable) => {}
            None => self.key_node(&node),
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.open.last(), Some(Frame { kind: FrameKind::Map(map), .. }) if map.key.is_none())
    }

    fn key(&mut self, text: &str, style: ScalarStyle, span: &Span) {
        let place = extent(span);
        let merge = style == ScalarStyle::Plain && text == "<<";
        let Some(Frame { kind: FrameKind::Map(map), .. }) = self.open.last_mut() else { return };
        let first = map.first.get(text).copied();
        map.key = Some(match first {
            Some(_) => Key::Unusable,
            None if merge => Key::Merge(place),
            None => Key::Named(text.to_owned(), place),
        });
        match first {
            None => {
                map.first.insert(text.to_owned(), place);
            }
            Some(first) if merge => {
                let message = format!("`<<` stands here and in line {}", first.line);
                self.fault(place, message, "write one `<<: [*a, *b]`");
            }
            Some(first) => {
                let message = format!("this key stands here and in line {}", first.line);
                let advice = Some("keep one of them".to_owned());
                self.sink.fault(place, &joined(&self.path(), text), message, advice);
            }
        }
    }

    /// A key that is not a plain word: an anchored or aliased one is as good, others are not.
    fn key_node(&mut self, node: &Node) {
        if let Value::Scalar(scalar) = &node.value {
            let text = scalar.written.as_ref().unwrap_or(&scalar.text);
            let mark = Marker::new(0, node.place.line, node.place.column - 1);
            return self.key(text, ScalarStyle::SingleQuoted, &Span::empty(mark));
        }
        if !matches!(node.value, Value::Broken) {
            let message = "a key must be a word".to_owned();
            self.fault(node.place, message, "put quotes around it if it is meant to be text");
        }
        if let Some(Frame { kind: FrameKind::Map(map), .. }) = self.open.last_mut() {
            map.key = Some(Key::Unusable);
        }
    }

    fn merge_value(&mut self, node: Rc<Node>, place: Place) {
        let all_maps = match &node.value {
            Value::Map(_) | Value::Broken => true,
            Value::List(items) => items.iter().all(|item| matches!(item.value, Value::Map(_))),
            _ => false,
        };
        if !all_maps {
            let message = "`<<` takes a map or a list of maps".to_owned();
            self.fault(place, message, "write `<<: *name` where `&name` stands at a map");
            return;
        }
        if let Some(Frame { kind: FrameKind::Map(map), .. }) = self.open.last_mut() {
            match &node.value {
                Value::List(items) => map.merged.extend(items.iter().map(Rc::clone)),
                _ => map.merged.push(node),
            }
        }
    }

    /// The entries of a map and, behind them, those that it merges and does not write itself.
    fn merge(&self, map: MapFrame) -> Vec<Entry> {
        let mut entries = map.entries;
        if map.merged.is_empty() {
            return entries;
        }
        let mut known: HashSet<String> = map.first.into_keys().collect();
        let mut sources = HashSet::new();
        for source in map.merged.iter().filter(|source| sources.insert(Rc::as_ptr(source))) {
            let Value::Map(merged) = &source.value else { continue };
            for entry in merged {
                if !known.contains(&entry.key) {
                    known.insert(entry.key.clone());
                    entries.push(entry.clone());
                }
            }
        }
        entries
    }

    /// YAML's own tags say what would be read anyway; others would need a meaning.
    fn tag(&self, tag: Option<&Tag>, span: &Span) {
        if let Some(tag) = tag.filter(|tag| !tag.is_yaml_core_schema()) {
            let message = format!("the tag {} has no meaning here", quoted(&tag.to_string()));
            self.fault(start(span), message, "leave it out");
        }
    }

    fn fault(&self, place: Place, message: String, advice: &str) {
        self.sink.fault(place, &self.path(), message, Some(advice.to_owned()));
    }

    /// The way to the value that is being read.
    fn path(&self) -> String {
        let mut path = String::new();
        for frame in &self.open {
            match &frame.kind {
                FrameKind::List(items) => path.push_str(&format!("[{}]", items.len())),
                FrameKind::Map(MapFrame { key: Some(Key::Named(key, _)), .. }) => {
                    path = joined(&path, key);
                }
                FrameKind::Map(_) => {}
            }
        }
        path
    }

    /// The bracket that stands at a place, if one does.
    fn bracket(&self, place: Place) -> Option<(Place, char)> {
        let at = self.sink.line(place.line)?.chars().nth(place.column - 1)?;
        matches!(at, '[' | '{').then_some((place, at))
    }

    fn syntax(&self, error: &ScanError) {
        let mark = error.marker();
        let place = Place { line: mark.line(), column: mark.col() + 1, width: 1 };
        let line = self.sink.line(place.line).unwrap_or_default();
        let open = self.open.last().and_then(|frame| self.bracket(frame.place));
        let (place, message, advice) = super::syntax::explain(error.info(), place, line, open);
        self.fault(place, message, advice);
    }
}

/// What is said of a tree that is deeper than anything here means.
pub(super) fn too_deep() -> String {
    format!("lists and maps lie inside each other more than {MAX_DEPTH} deep")
}

fn null(span: &Span) -> Node {
    Node { place: extent(span), value: Value::Null, weight: 1, depth: 0 }
}

fn broken(span: &Span) -> Node {
    Node { place: extent(span), value: Value::Broken, weight: 1, depth: 0 }
}

fn start(span: &Span) -> Place {
    Place { line: span.start.line(), column: span.start.col() + 1, width: 1 }
}

/// The part of a span that lies in its first line.
fn extent(span: &Span) -> Place {
    let one_line = span.start.line() == span.end.line();
    let width = if one_line { span.end.col().saturating_sub(span.start.col()).max(1) } else { 1 };
    Place { width, ..start(span) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree in one line, `!` where a fault was found.
    fn tree(text: &str) -> String {
        let vars = |name: &str| (name == "V").then(|| "v".to_owned());
        let sink = Sink::new("config.yaml", text);
        let tree = parse(text, &vars, &sink).map(|root| printed(&root));
        let fault = if sink.is_faulty() { " !" } else { "" };
        tree.unwrap_or_default() + fault
    }

    fn printed(node: &Node) -> String {
        let list = |items: Vec<String>| items.join(", ");
        match &node.value {
            Value::Null => "null".to_owned(),
            Value::Broken => "broken".to_owned(),
            Value::Scalar(scalar) => format!("'{}'", scalar.text),
            Value::List(items) => format!("[{}]", list(items.iter().map(|n| printed(n)).collect())),
            Value::Map(entries) => {
                let entries = entries.iter().map(|e| format!("{}: {}", e.key, printed(&e.value)));
                format!("{{{}}}", list(entries.collect()))
            }
        }
    }

    #[test]
    fn nothing_is_null_unless_it_is_written_as_text() {
        assert_eq!(
            tree("[~, null, '', '~', !!str null, no]"),
            "[null, null, '', '~', 'null', 'no']"
        );
        assert_eq!(tree("a:\nb: ''"), "{a: null, b: ''}");
        assert_eq!(tree(""), "null");
    }

    #[test]
    fn values_are_interpolated_after_parsing_and_keys_never() {
        assert_eq!(tree("{$V: $V, b: '${V}: [x]'}"), "{$V: 'v', b: 'v: [x]'}");
        assert_eq!(tree("a: $W"), "{a: broken} !");
    }

    #[test]
    fn aliases_repeat_what_is_anchored() {
        assert_eq!(tree("[&a x, *a, &b [y], *b]"), "['x', 'x', ['y'], ['y']]");
        assert_eq!(tree("{&k a: 1, b: *k, *k : 2}"), "{a: '1', b: 'a'} !");
        assert_eq!(tree("&a [*a]"), "[broken] !");
    }

    #[test]
    fn own_keys_win_over_merged_ones_and_earlier_over_later() {
        let base = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\n";
        assert_eq!(
            tree(&format!("{base}z: {{<<: [*x, *y], a: 0}}")),
            "{x: {a: '1', b: '1'}, y: {b: '2', c: '2'}, z: {a: '0', b: '1', c: '2'}}"
        );
        assert_eq!(tree("{'<<': 1}"), "{<<: '1'}");
        assert_eq!(tree("{<<: {a: 1}, <<: {b: 1}}"), "{a: '1'} !");
    }

    #[test]
    fn a_broken_text_has_no_tree() {
        assert_eq!(tree("a: [b"), " !");
        assert_eq!(tree("a: 1\n---\nb: 2"), " !");
    }
}
