//! One source file as the walls see it: the paths it names, the words it uses, its functions.
//!
//! Works on tokens, not on text and not on a syntax tree: comments and strings are gone, while what
//! stands inside a macro call is still there.

use std::collections::HashMap;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What one file says.
pub struct Source {
    /// From the root of the repository, with slashes.
    pub path: String,
    /// The whole text.
    pub text: String,
    /// Every path that is named, imports and places of use alike.
    pub names: Vec<Name>,
    /// Every macro, method and keyword that a wall may ask for.
    pub words: Vec<Word>,
    /// Every function with a body, closures excepted.
    pub functions: Vec<Function>,
    /// Modules that this file declares for tests only.
    test_modules: Vec<Vec<String>>,
}

/// A path that the file names.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// From `crate` if it lies in this package, else as written with imports resolved.
    pub segments: Vec<String>,
    /// As written.
    pub written: String,
    pub line: usize,
    /// Whether it is compiled for tests only.
    pub test: bool,
}

/// A macro (`todo!`), a method (`.unwrap`), an attribute (`#[ignore]`) or a keyword (`unsafe`).
pub struct Word {
    pub word: String,
    pub line: usize,
    /// How many arguments a method is called with.
    pub arguments: usize,
    pub test: bool,
}

/// A function with a body.
pub struct Function {
    pub name: String,
    /// Where its `fn` stands.
    pub line: usize,
    /// From its `fn` to its closing brace.
    pub lines: usize,
}

impl Source {
    /// Reads `text`, the content of the file at `path`.
    pub fn read(path: &str, text: &str) -> Result<Self, String> {
        let tokens: TokenStream =
            text.parse().map_err(|why| format!("{path}: cannot be read as Rust: {why}"))?;
        let mut reader = Reader::default();
        let place = Place { module: module_of(path), test: false };
        reader.read(tokens, &place);
        let names = reader.resolved();
        let Reader { words, functions, test_modules, .. } = reader;
        let (path, text) = (path.to_owned(), text.to_owned());
        Ok(Self { path, text, names, words, functions, test_modules })
    }

    /// Marks the files among `sources` that others declare for tests only.
    pub fn mark_tests(sources: &mut [Self]) {
        let declared = sources.iter().flat_map(|source| source.test_modules.clone());
        let declared: Vec<Vec<String>> = declared.collect();
        for source in sources {
            let module = module_of(&source.path);
            if declared.iter().any(|test| module.starts_with(test)) {
                source.names.iter_mut().for_each(|name| name.test = true);
                source.words.iter_mut().for_each(|word| word.test = true);
            }
        }
    }

    /// The file with a complaint about one of its lines, as an editor understands it.
    pub fn at(&self, line: usize, complaint: impl std::fmt::Display) -> String {
        format!("{}:{line}: {complaint}", self.path)
    }

    /// The text of a line, counted from one.
    pub fn line(&self, line: usize) -> &str {
        self.text.lines().nth(line - 1).unwrap_or_default()
    }
}

/// The module that a file holds, from the root of the package: `src/a/b.rs` is `a::b`.
pub fn module_of(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("src/").unwrap_or(path);
    let inner = inner.strip_suffix(".rs").unwrap_or(inner);
    let inner = inner.strip_suffix("/mod").unwrap_or(inner);
    if inner == "lib" {
        return Vec::new();
    }
    inner.split('/').map(str::to_owned).collect()
}

/// Where the reader stands.
#[derive(Clone)]
struct Place {
    module: Vec<String>,
    test: bool,
}

#[derive(Default)]
struct Reader {
    names: Vec<Name>,
    words: Vec<Word>,
    functions: Vec<Function>,
    test_modules: Vec<Vec<String>>,
    /// What a short name stands for: by an import, or because it is a module of this file.
    aliases: HashMap<String, Vec<String>>,
}

impl Reader {
    fn read(&mut self, tokens: TokenStream, place: &Place) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut place = place.clone();
        let outside = place.test;
        let mut at = 0;
        while at < tokens.len() {
            match &tokens[at] {
                TokenTree::Punct(p) if p.as_char() == '#' => {
                    at += 1;
                    place.test |= self.attribute(&tokens, &mut at, &place);
                }
                TokenTree::Ident(_) => {
                    self.ident(&tokens, &mut at, &place);
                    if is_braced(tokens.get(at - 1)) {
                        place.test = outside;
                    }
                }
                TokenTree::Group(group) => {
                    self.read(group.stream(), &place);
                    at += 1;
                    if is_braced(tokens.get(at - 1)) {
                        place.test = outside;
                    }
                }
                TokenTree::Punct(p) => {
                    if p.as_char() == ';' {
                        place.test = outside;
                    }
                    at += 1;
                }
                TokenTree::Literal(_) => at += 1,
            }
        }
    }

    /// Reads an attribute and says whether it marks an item as one of the tests.
    fn attribute(&mut self, tokens: &[TokenTree], at: &mut usize, place: &Place) -> bool {
        let inner = is_punct(tokens.get(*at), '!');
        let Some(TokenTree::Group(group)) = tokens.get(*at + usize::from(inner)) else {
            return false;
        };
        *at += 1 + usize::from(inner);
        let text = dense(group.stream());
        let line = group.span_open().start().line;
        self.word(&format!("#[{text}]"), line, place);
        self.read(group.stream(), place);
        ["cfg(test)", "test"].contains(&text.as_str())
            || text.ends_with("::test")
            || text.starts_with("cfg(all(test,")
    }

    fn ident(&mut self, tokens: &[TokenTree], at: &mut usize, place: &Place) {
        let word = tokens[*at].to_string();
        let line = tokens[*at].span().start().line;
        let next = tokens.get(*at + 1);
        let after_dot = *at > 0 && is_punct(tokens.get(*at - 1), '.');
        match word.as_str() {
            "use" if !is_punct(next, '<') => return self.import(tokens, at, place),
            "mod" => return self.module(tokens, at, place),
            "fn" => self.function(tokens, *at),
            "unsafe" => self.word("unsafe", line, place),
            _ if after_dot && is_call(tokens, *at) => {
                let (word, arguments) = (format!(".{word}"), arguments(tokens, *at));
                self.words.push(Word { word, line, arguments, test: place.test });
            }
            _ if !after_dot => return self.path(tokens, at, place),
            _ => {}
        }
        *at += 1;
    }

    fn word(&mut self, word: &str, line: usize, place: &Place) {
        let word = word.to_owned();
        self.words.push(Word { word, line, arguments: 0, test: place.test });
    }

    /// `mod name;` or `mod name { … }`.
    fn module(&mut self, tokens: &[TokenTree], at: &mut usize, place: &Place) {
        *at += 1;
        let Some(TokenTree::Ident(name)) = tokens.get(*at) else { return };
        *at += 1;
        let mut inside = place.clone();
        inside.module.push(name.to_string());
        if place.test {
            self.test_modules.push(inside.module.clone());
        }
        let mut absolute = vec!["crate".to_owned()];
        absolute.extend(inside.module.iter().cloned());
        self.aliases.entry(name.to_string()).or_insert(absolute);
        if let Some(TokenTree::Group(body)) = tokens.get(*at) {
            *at += 1;
            self.read(body.stream(), &inside);
        }
    }

    /// Measures the function whose `fn` stands at `at`; a pointer type or a declaration has no body.
    fn function(&mut self, tokens: &[TokenTree], at: usize) {
        let Some(TokenTree::Ident(name)) = tokens.get(at + 1) else { return };
        for token in &tokens[at + 2..] {
            match token {
                TokenTree::Punct(p) if p.as_char() == ';' => return,
                TokenTree::Group(body) if is_braced(Some(token)) => {
                    let line = tokens[at].span().start().line;
                    let lines = body.span_close().end().line - line + 1;
                    return self.functions.push(Function { name: name.to_string(), line, lines });
                }
                _ => {}
            }
        }
    }

    /// `use a::{b, c as d};`
    fn import(&mut self, tokens: &[TokenTree], at: &mut usize, place: &Place) {
        let line = tokens[*at].span().start().line;
        let start = *at + 1;
        while *at < tokens.len() && !is_punct(tokens.get(*at), ';') {
            *at += 1;
        }
        let mut found = Vec::new();
        flatten(&tokens[start..*at], &[], &mut found);
        for (path, alias) in found {
            let segments = absolute(&path, &place.module);
            self.names.push(Name {
                segments: segments.clone(),
                written: path.join("::"),
                line,
                test: place.test,
            });
            if let Some(alias) = alias {
                self.aliases.insert(alias, segments);
            }
        }
    }

    /// `a::b::c`, a lone `a`, or the macro call `a::b!(…)`.
    fn path(&mut self, tokens: &[TokenTree], at: &mut usize, place: &Place) {
        let line = tokens[*at].span().start().line;
        let mut path = vec![tokens[*at].to_string()];
        *at += 1;
        while is_punct(tokens.get(*at), ':') && is_punct(tokens.get(*at + 1), ':') {
            let Some(TokenTree::Ident(next)) = tokens.get(*at + 2) else { break };
            path.push(next.to_string());
            *at += 3;
        }
        let called = matches!(tokens.get(*at + 1), Some(TokenTree::Group(_)));
        if is_punct(tokens.get(*at), '!') && called {
            self.word(&format!("{}!", path[path.len() - 1]), line, place);
        }
        let segments = absolute(&path, &place.module);
        self.names.push(Name { segments, written: path.join("::"), line, test: place.test });
    }

    /// The names, with what was imported written out. Lone words are locals, fields and types, and
    /// say nothing that their import did not.
    fn resolved(&self) -> Vec<Name> {
        let worth = |name: &&Name| name.written.contains("::");
        self.names.iter().filter(worth).map(|name| self.expand(name)).collect()
    }

    fn expand(&self, name: &Name) -> Name {
        let mut name = name.clone();
        if let Some(known) = self.aliases.get(&name.segments[0])
            && known[0] != name.segments[0]
        {
            name.segments.splice(..1, known.iter().cloned());
        }
        name
    }
}

/// `path` with `self`, `super` and our own name resolved, as seen from `module`.
fn absolute(path: &[String], module: &[String]) -> Vec<String> {
    let mut base = module.to_vec();
    let mut rest = path;
    match path[0].as_str() {
        "crate" | "procession" => return rooted(&[], &path[1..]),
        "self" => rest = &rest[1..],
        "super" => {
            while rest.first().is_some_and(|segment| segment == "super") {
                base.pop();
                rest = &rest[1..];
            }
        }
        _ => return path.to_vec(),
    }
    rooted(&base, rest)
}

fn rooted(base: &[String], rest: &[String]) -> Vec<String> {
    std::iter::once("crate".to_owned()).chain(base.iter().chain(rest).cloned()).collect()
}

/// The leaves of a `use` tree, each with the name that it has from then on.
fn flatten(
    tokens: &[TokenTree],
    prefix: &[String],
    found: &mut Vec<(Vec<String>, Option<String>)>,
) {
    for branch in tokens.split(|token| is_punct(Some(token), ',')) {
        let mut path = prefix.to_vec();
        let mut alias = None;
        let mut tokens = branch.iter();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => {
                    let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                    flatten(&inner, &path, found);
                    path.clear();
                }
                TokenTree::Ident(word) if word == "as" => {
                    alias = tokens.next().map(ToString::to_string);
                }
                TokenTree::Ident(word) if word == "self" && !path.is_empty() => {}
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Punct(p) if p.as_char() == '*' => path.push("*".to_owned()),
                _ => {}
            }
        }
        if let Some(last) = path.last().cloned() {
            let alias = alias.or(Some(last)).filter(|name| name != "*" && name != "_");
            found.push((path, alias));
        }
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(p)) if p.as_char() == wanted)
}

fn is_braced(token: Option<&TokenTree>) -> bool {
    matches!(token, Some(TokenTree::Group(g)) if g.delimiter() == Delimiter::Brace)
}

/// Whether the method name at `at` is called, with or without `::<…>`.
fn is_call(tokens: &[TokenTree], at: usize) -> bool {
    matches!(tokens.get(at + 1), Some(TokenTree::Group(group))
        if group.delimiter() == Delimiter::Parenthesis)
        || is_punct(tokens.get(at + 1), ':') && is_punct(tokens.get(at + 2), ':')
}

/// How many arguments the method at `at` is called with.
fn arguments(tokens: &[TokenTree], at: usize) -> usize {
    let groups = tokens[at..].iter().filter_map(|token| match token {
        TokenTree::Group(group) => Some(group.stream()),
        _ => None,
    });
    let inside: Vec<TokenTree> = groups.take(1).flatten().collect();
    inside.split(|token| is_punct(Some(token), ',')).filter(|part| !part.is_empty()).count()
}

fn dense(tokens: TokenStream) -> String {
    tokens.to_string().split_whitespace().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names of a text at `src/room/file.rs`, those of tests in brackets.
    fn check(text: &str, expected: &[&str]) {
        let source = Source::read("src/room/file.rs", text).unwrap();
        let names = source.names.iter().map(|name| {
            let path = name.segments.join("::");
            if name.test { format!("[{path}]") } else { path }
        });
        assert_eq!(names.collect::<Vec<_>>(), expected, "in {text}");
    }

    #[test]
    fn imports_are_flattened() {
        check("use a::{b, c::{self, d as e}, f::*};", &["a::b", "a::c", "a::c::d", "a::f::*"]);
    }

    #[test]
    fn short_names_are_written_out() {
        check("use std::io; fn f() { io::stdout() }", &["std::io", "std::io::stdout"]);
        check("use a::b as c; type T = c::D;", &["a::b", "a::b::D"]);
        check("use a::b; fn f(&self) { self.b(b) }", &["a::b"]);
        check("pub mod inner; use inner::T;", &["crate::room::file::inner::T"]);
    }

    #[test]
    fn relative_paths_are_made_absolute() {
        check("use super::other::T;", &["crate::room::other::T"]);
        check("mod inner { use super::T; }", &["crate::room::file::T"]);
        check("use procession::units::Now;", &["crate::units::Now"]);
    }

    #[test]
    fn paths_inside_macros_are_seen_and_those_in_text_are_not() {
        check("fn f() { log!(\"std::fs\", a::b()) } // std::fs", &["a::b"]);
    }

    #[test]
    fn what_only_tests_see_is_told_apart() {
        check("#[cfg(test)] mod tests { use a::b; } use c::d;", &["[a::b]", "c::d"]);
        check("#[cfg(test)] use a::b; use c::d;", &["[a::b]", "c::d"]);
        check("#[tokio::test] async fn f() { a::b() }", &["tokio::test", "[a::b]"]);
        check("#[cfg(not(test))] use a::b;", &["a::b"]);
    }

    #[test]
    fn files_that_are_declared_for_tests_are_marked() {
        let read = |path: &str, text: &str| Source::read(path, text).unwrap();
        let mut sources = [
            read("src/a/mod.rs", "#[cfg(test)] mod story; mod real;"),
            read("src/a/story.rs", "use b::c;"),
            read("src/a/real.rs", "use b::c;"),
        ];
        Source::mark_tests(&mut sources);
        assert!(sources[1].names[0].test && !sources[2].names[0].test);
    }

    #[test]
    fn functions_are_measured_from_fn_to_brace() {
        let text =
            "fn short() {}\n\nconst fn long(\n  f: fn(u8) -> u8,\n) {\n}\ntrait T { fn no(); }\n";
        let source = Source::read("src/a.rs", text).unwrap();
        let measured: Vec<_> =
            source.functions.iter().map(|f| (f.name.as_str(), f.line, f.lines)).collect();
        assert_eq!(measured, [("short", 1, 1), ("long", 3, 4)]);
    }

    #[test]
    fn words_are_found_with_their_lines() {
        let text = "fn f() {\n x.unwrap();\n y.expect(\"\");\n unsafe { todo!() }\n a.b != c\n}";
        let source = Source::read("src/a.rs", text).unwrap();
        let words: Vec<_> = source.words.iter().map(|w| (w.word.as_str(), w.line)).collect();
        assert_eq!(words, [(".unwrap", 2), (".expect", 3), ("unsafe", 4), ("todo!", 4)]);
    }
}
