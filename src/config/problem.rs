//! What is wrong with a configuration, where, and what to write instead.
//!
//! Owns how a problem looks on a terminal. A problem is a value, not an early return: the passes
//! over a file put each one into a sink and go on, so that a person sees all of them at once.

use std::cell::{Cell, RefCell};
use std::fmt;

use crate::secret::mask::mask_line;

/// How many problems are shown. A person mends the first few and tries again; more would only
/// scroll the first ones away.
const MAX_SHOWN: usize = 100;

/// How many problems are kept until they are sorted. It bounds what a hostile file can make us
/// hold, and is well above [`MAX_SHOWN`] so that the ones shown are the first ones of the file.
const MAX_KEPT: usize = 1000;

/// The widest excerpt of a source line, so that a minified file does not fill the screen.
const MAX_EXCERPT: usize = 100;

/// The longest line that an excerpt is taken from. Each kept problem holds its line.
const MAX_LINE: usize = 4096;

/// The longest piece of somebody's text that is repeated inside a message.
const MAX_QUOTED: usize = 60;

/// Where something stands in a text, in lines and characters from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// How many characters are meant; what lies beyond the end of the line is ignored.
    pub width: usize,
}

/// Whether a configuration can be used in spite of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It cannot: nothing is started.
    Fault,
    /// It can, but it probably does not mean what was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Whether it prevents a start.
    pub level: Level,
    /// The file as the person named it.
    pub file: String,
    /// Where in the file; `None` when the file could not be read at all.
    pub place: Option<Place>,
    /// The way to the value: `processes.web.restart`. Empty for the file as a whole.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
    /// What to write instead.
    pub advice: Option<String>,
    /// The line it stands on, with secrets masked.
    excerpt: Option<String>,
}

impl Problem {
    /// A fault of a file that has no readable text.
    pub fn of_file(file: &str, message: String, advice: &str) -> Self {
        Self {
            level: Level::Fault,
            file: file.to_owned(),
            place: None,
            path: String::new(),
            message,
            advice: Some(advice.to_owned()),
            excerpt: None,
        }
    }
}

impl fmt::Display for Problem {
    /// `config.yaml:4:5: processes.web.restrat: unknown key; did you mean …`, then the source line
    /// with a caret under the place.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", printable(&self.file))?;
        if let Some(place) = self.place {
            write!(f, "{}:{}:", place.line, place.column)?;
        }
        if self.level == Level::Warning {
            write!(f, " warning:")?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " {}", self.message)?;
        if let Some(advice) = &self.advice {
            write!(f, "; {advice}")?;
        }
        match (&self.excerpt, self.place) {
            (Some(line), Some(place)) => write_excerpt(f, line, place),
            _ => Ok(()),
        }
    }
}

/// The source line and a caret line below it, cut to a window around the place.
fn write_excerpt(f: &mut fmt::Formatter<'_>, line: &str, place: Place) -> fmt::Result {
    let at = place.column - 1;
    let from = if at < MAX_EXCERPT { 0 } else { at - MAX_EXCERPT / 2 };
    let shown: String = line.chars().skip(from).take(MAX_EXCERPT).collect();
    let number = place.line.to_string();
    let margin = " ".repeat(number.len());
    let room = shown.chars().count().saturating_sub(at - from);
    let carets = "^".repeat(place.width.min(room).max(1));
    write!(f, "\n {number} | {}", printable(&shown))?;
    write!(f, "\n {margin} | {}{carets}", " ".repeat(at - from))
}

/// All problems of one reading, in the order of their places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    shown: Vec<Problem>,
    omitted: usize,
}

impl Problems {
    /// The problems that are shown, at most a hundred.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.shown.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.shown.is_empty()
    }

    /// How many there are, the omitted ones included.
    pub fn count(&self) -> usize {
        self.shown.len() + self.omitted
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self { shown: vec![problem], omitted: 0 }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.shown.iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        match self.omitted {
            0 => Ok(()),
            n => write!(f, "\nand {n} more"),
        }
    }
}

impl std::error::Error for Problems {}

/// Where the passes over one text put what they find.
#[derive(Debug)]
pub(super) struct Sink<'t> {
    file: &'t str,
    lines: Vec<&'t str>,
    found: RefCell<Vec<Problem>>,
    dropped: Cell<usize>,
    excerpts: bool,
    /// Kept apart from `found`, so that a dropped fault still prevents a start.
    faulty: Cell<bool>,
}

impl<'t> Sink<'t> {
    /// An empty sink for problems of `text`, which a person knows as `file`.
    pub(super) fn new(file: &'t str, text: &'t str) -> Self {
        Self {
            file,
            lines: lines_of(text),
            found: RefCell::default(),
            dropped: Cell::new(0),
            excerpts: true,
            faulty: Cell::new(false),
        }
    }

    /// As [`Sink::new`], for a text that is so full of secrets that no line of it is shown.
    pub(super) fn secretive(file: &'t str, text: &'t str) -> Self {
        Self { excerpts: false, ..Self::new(file, text) }
    }

    /// Takes a fault.
    pub(super) fn fault(&self, place: Place, path: &str, message: String, advice: Option<String>) {
        self.put(Level::Fault, place, path, message, advice);
    }

    /// Takes a warning.
    pub(super) fn warn(&self, place: Place, path: &str, message: String, advice: Option<String>) {
        self.put(Level::Warning, place, path, message, advice);
    }

    /// Takes over what was found in another text that this one names.
    pub(super) fn adopt(&self, other: Sink<'_>) {
        self.dropped.set(self.dropped.get() + other.dropped.get());
        self.faulty.set(self.faulty.get() || other.faulty.get());
        for problem in other.found.into_inner() {
            // Several processes may name the same file.
            if !self.found.borrow().contains(&problem) {
                self.keep(problem);
            }
        }
    }

    /// Whether anything found so far prevents a start.
    pub(super) fn is_faulty(&self) -> bool {
        self.faulty.get()
    }

    /// Whether what is put here is only counted from now on, so that advice would be wasted.
    pub(super) fn is_full(&self) -> bool {
        self.found.borrow().len() >= MAX_KEPT
    }

    /// One line of the text, from 1, without its end.
    pub(super) fn line(&self, number: usize) -> Option<&'t str> {
        self.lines.get(number.checked_sub(1)?).copied()
    }

    /// Everything found: this text's problems by place, then those of other files.
    pub(super) fn into_problems(self) -> Problems {
        let mut shown = self.found.into_inner();
        let own = self.file;
        shown.sort_by_key(|problem| (problem.file != own, problem.file.clone(), problem.place));
        let omitted = self.dropped.get() + shown.len().saturating_sub(MAX_SHOWN);
        shown.truncate(MAX_SHOWN);
        Problems { shown, omitted }
    }

    fn put(&self, level: Level, at: Place, path: &str, message: String, advice: Option<String>) {
        self.faulty.set(self.faulty.get() || level == Level::Fault);
        if self.is_full() {
            return self.dropped.set(self.dropped.get() + 1);
        }
        let place = self.inside(at);
        self.keep(Problem {
            level,
            file: self.file.to_owned(),
            place: Some(place),
            path: path.to_owned(),
            message,
            advice,
            excerpt: self.excerpt(place.line),
        });
    }

    /// A line to be shown, unless it is so long that nobody wrote it by hand.
    fn excerpt(&self, number: usize) -> Option<String> {
        let line = self.line(number).filter(|line| self.excerpts && line.len() <= MAX_LINE);
        line.map(mask_line)
    }

    fn keep(&self, problem: Problem) {
        let mut found = self.found.borrow_mut();
        if found.len() < MAX_KEPT {
            found.push(problem);
        } else {
            self.dropped.set(self.dropped.get() + 1);
        }
    }

    /// The place, moved to the end of the text where a parser points behind it.
    fn inside(&self, place: Place) -> Place {
        let line = place.line.clamp(1, self.lines.len().max(1));
        let length = self.line(line).map_or(0, |text| text.chars().count());
        let column = if place.line > line { length + 1 } else { place.column };
        Place { line, column: column.clamp(1, length + 1), width: place.width }
    }
}

/// The lines of a text as YAML counts them: a line ends at LF, CR LF or a lone CR.
fn lines_of(text: &str) -> Vec<&str> {
    text.split('\n')
        .map(|line| line.strip_suffix('\r').unwrap_or(line))
        .flat_map(|line| line.split('\r'))
        .collect()
}

/// Somebody's text in back-ticks, short enough for a message and without control characters.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", shortened(text))
}

/// As [`quoted`], without the back-ticks.
pub(super) fn shortened(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars.by_ref().take(MAX_QUOTED).collect();
    let rest = if chars.next().is_some() { "…" } else { "" };
    printable(&head) + rest
}

/// Every control character as one visible character, so that a caret stays in line and a file
/// cannot send escape sequences to a terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\t' => ' ',
            '\n' => '⏎',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The known word that `word` is most likely a misspelling of.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word: String = word.chars().take(MAX_QUOTED).collect::<String>().to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: usize, column: usize, width: usize) -> Place {
        Place { line, column, width }
    }

    fn rendered(text: &str, at: Place) -> String {
        let sink = Sink::new("config.yaml", text);
        sink.fault(at, "a.b", "is wrong".to_owned(), Some("mend it".to_owned()));
        sink.into_problems().to_string()
    }

    #[test]
    fn a_problem_shows_its_line_with_a_caret_below_the_place() {
        assert_eq!(
            rendered("a:\n  b: cde\n", place(2, 6, 3)),
            "config.yaml:2:6: a.b: is wrong; mend it\n 2 |   b: cde\n   |      ^^^"
        );
    }

    #[test]
    fn tabs_and_control_characters_do_not_move_the_caret() {
        assert_eq!(
            rendered("\tb: \u{1b}[31m", place(1, 5, 1)),
            "config.yaml:1:5: a.b: is wrong; mend it\n 1 |  b: \u{fffd}[31m\n   |     ^"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!("{}x{}", "-".repeat(500), "-".repeat(500));
        let shown = rendered(&text, place(1, 501, 1));
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[1].find('x'), lines[2].find('^'));
        assert!(lines[1].len() < MAX_EXCERPT + 10, "{shown}");
    }

    #[test]
    fn a_place_behind_the_text_is_moved_to_its_end() {
        let sink = Sink::new("config.yaml", "ab\ncd");
        assert_eq!(sink.inside(place(9, 9, 1)), place(2, 3, 1));
        assert_eq!(sink.inside(place(1, 9, 1)), place(1, 3, 1));
    }

    #[test]
    fn problems_are_sorted_by_place_and_capped() {
        let text = "x\n".repeat(2000);
        let sink = Sink::new("config.yaml", &text);
        for line in (1..=1500).rev() {
            sink.fault(place(line, 1, 1), "", format!("number {line}"), None);
        }
        let problems = sink.into_problems();
        assert_eq!(problems.count(), 1500);
        assert!(problems.to_string().ends_with("and 1400 more"));
        let lines: Vec<_> = problems.iter().map(|p| p.place.map(|p| p.line)).collect();
        assert!(lines.is_sorted());
    }

    #[test]
    fn an_excerpt_keeps_the_secret_of_its_line() {
        let shown = rendered("  API_TOKEN: hunter2", place(1, 3, 9));
        assert!(shown.contains("API_TOKEN: ***") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn the_nearest_word_must_be_near() {
        let known = ["restart", "command", "environment"];
        assert_eq!(nearest("restrat", known), Some("restart"));
        assert_eq!(nearest("Command", known), Some("command"));
        assert_eq!(nearest("enviroment", known), Some("environment"));
        assert_eq!(nearest("volumes", known), None);
    }
}
