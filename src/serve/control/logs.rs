//! What processes wrote: the last lines that are kept, and what follows.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, HeaderMap};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::Desk;
use super::answer::{Answer, JSON_LINES, PLAIN, streamed, whole};
use super::problem::Problem;
use super::query::Query;
use crate::serve::wire;
use crate::units::Wall;

/// The most lines that are asked for at once; a ring holds fewer.
const MOST_LINES: usize = 100_000;

/// How long one question for more may wait; then it is asked again.
const TURN: Duration = Duration::from_secs(30);

/// The last output of processes, as the output room keeps it.
pub trait Logs: Send + Sync {
    /// Whether anything of this process is kept at all; `false` where its output is inherited, or
    /// where nothing is to be kept.
    fn keeps(&self, process: &str) -> bool;

    /// The last lines that are kept, at most so many.
    fn tail(&self, process: &str, lines: usize) -> Page;

    /// What was written from `cursor` on; waits up to `wait` when that is nothing yet.
    fn since<'a>(&'a self, process: &'a str, cursor: u64, wait: Duration) -> Turn<'a>;
}

/// Lines that are still to come.
pub type Turn<'a> = Pin<Box<dyn Future<Output = Page> + Send + 'a>>;

/// Some lines in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The lines.
    pub lines: Vec<Line>,
    /// The place behind the last of them, in bytes that the process wrote.
    pub next: u64,
    /// Bytes that are missing in front of them.
    pub missed: u64,
}

/// A line, or a piece of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it was read.
    pub at: Wall,
    /// Who wrote it.
    pub stream: Stream,
    /// Whether it goes on in the next one.
    pub partial: bool,
    /// Its bytes, without the newline.
    pub text: Vec<u8>,
}

/// Where a process wrote a line to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Nothing is kept of anybody.
#[derive(Debug)]
pub struct NoLogs;

impl Logs for NoLogs {
    fn keeps(&self, _: &str) -> bool {
        false
    }

    fn tail(&self, _: &str, _: usize) -> Page {
        Page::default()
    }

    fn since<'a>(&'a self, _: &'a str, next: u64, _: Duration) -> Turn<'a> {
        Box::pin(async move { Page { next, ..Page::default() } })
    }
}

/// The parameters of a question for logs.
pub(super) const PARAMETERS: [&str; 5] = ["tail", "follow", "since", "stream", "format"];

/// What is asked for, understood.
struct Question {
    process: String,
    stream: Option<String>,
    as_json: bool,
}

/// The lines that are asked for.
pub(super) fn answer(
    desk: &Arc<Desk>,
    process: &str,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Answer, Problem> {
    if !desk.sources.logs.keeps(process) {
        let detail = format!(
            "nothing that {process} writes is kept: `output.keep` is 0, or it goes straight to our own output"
        );
        let problem = Problem::conflict("no-logs", "no logs are kept", detail);
        return Err(
            problem.suggest("set `output: prefixed`, `json` or `quiet` for it, and `keep` above 0")
        );
    }
    let stream = query.one_of("stream", &["stdout", "stderr"])?.map(str::to_owned);
    let as_json = match query.one_of("format", &["text", "json"])? {
        Some(format) => format == "json",
        None => headers.get(ACCEPT).is_some_and(|kinds| kinds == JSON_LINES),
    };
    let tail = query.number::<usize>("tail")?.unwrap_or(MOST_LINES).min(MOST_LINES);
    let since = query.number::<u64>("since")?;
    let follow = query.is_set("follow")?;
    let question = Question { process: process.to_owned(), stream, as_json };
    let first = match since {
        Some(cursor) => Err(cursor),
        None => Ok(desk.sources.logs.tail(process, tail)),
    };
    let kind = if as_json { JSON_LINES } else { PLAIN };
    if follow {
        let turn = desk.streams.clone().try_acquire_owned();
        let turn = turn.map_err(|_| Problem::busy("too many answers are streamed"))?;
        let (pieces, answer) = streamed(kind);
        tokio::spawn(follow_up(Arc::clone(desk), question, first, pieces, turn));
        return Ok(answer);
    }
    match first {
        Ok(page) => Ok(whole(StatusCode::OK, kind, question.text(&page))),
        Err(cursor) => {
            let (desk, question) = (Arc::clone(desk), question);
            let (pieces, answer) = streamed(kind);
            tokio::spawn(async move {
                let logs = &desk.sources.logs;
                let page = logs.since(&question.process, cursor, Duration::ZERO).await;
                let _ = pieces.send(question.text(&page).into()).await;
            });
            Ok(answer)
        }
    }
}

/// Sends what is there and what follows, until the reader leaves or we do.
async fn follow_up(
    desk: Arc<Desk>,
    question: Question,
    first: Result<Page, u64>,
    pieces: mpsc::Sender<Bytes>,
    _turn: OwnedSemaphorePermit,
) {
    let logs = &desk.sources.logs;
    let lines = async {
        let mut cursor = match first {
            Ok(page) => {
                if !page.lines.is_empty() {
                    let _ = pieces.send(question.text(&page).into()).await;
                }
                page.next
            }
            Err(cursor) => cursor,
        };
        loop {
            let page = logs.since(&question.process, cursor, TURN).await;
            cursor = page.next;
            let text = question.text(&page);
            if !text.is_empty() && pieces.send(text.into()).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = lines => {}
        () = pieces.closed() => {}
        () = desk.told_to_stop() => {}
    }
}

impl Question {
    fn text(&self, page: &Page) -> String {
        let mut text = String::new();
        if page.missed > 0 && !self.as_json {
            text.push_str(&format!("[{} bytes are not kept any more]\n", page.missed));
        }
        let written: u64 = page.lines.iter().map(size).sum();
        let mut cursor = page.next.saturating_sub(written);
        for line in &page.lines {
            cursor += size(line);
            if self.stream.as_deref().is_none_or(|wanted| wanted == line.stream.as_str()) {
                text.push_str(&self.line(line, cursor));
            }
        }
        text
    }

    fn line(&self, line: &Line, cursor: u64) -> String {
        let said = String::from_utf8_lossy(&line.text).into_owned();
        if !self.as_json {
            return said + if line.partial { "" } else { "\n" };
        }
        let line = wire::LogLine {
            time: line.at.to_string(),
            process: self.process.clone(),
            stream: line.stream.as_str().to_owned(),
            line: said,
            partial: line.partial,
            cursor,
        };
        serde_json::to_string(&line).unwrap_or_default() + "\n"
    }
}

/// Bytes that the ring counts for a line: its newline is one of them.
fn size(line: &Line) -> u64 {
    line.text.len() as u64 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let line = |stream, partial, text: &str| Line {
            at: Wall(1_790_000_000_000),
            stream,
            partial,
            text: text.into(),
        };
        let lines = vec![
            line(Stream::Stdout, false, "one"),
            line(Stream::Stderr, true, "two"),
            line(Stream::Stderr, false, "\u{1b}[1m"),
        ];
        Page { lines, next: 113, missed: 0 }
    }

    fn text(stream: Option<&str>, as_json: bool, page: &Page) -> String {
        let stream = stream.map(str::to_owned);
        Question { process: "web".to_owned(), stream, as_json }.text(page)
    }

    #[test]
    fn pieces_are_put_together_again_as_text() {
        assert_eq!(text(None, false, &page()), "one\ntwo\u{1b}[1m\n");
        assert_eq!(text(Some("stdout"), false, &page()), "one\n");
        let gap = Page { missed: 7, ..page() };
        assert!(text(None, false, &gap).starts_with("[7 bytes are not kept any more]\n"));
    }

    #[test]
    fn each_line_says_where_the_next_begins() {
        let text = text(None, true, &page());
        let lines: Vec<wire::LogLine> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let cursors: Vec<u64> = lines.iter().map(|line| line.cursor).collect();
        assert_eq!(cursors, [104, 108, 113]);
        assert_eq!((lines[1].partial, lines[1].stream.as_str()), (true, "stderr"));
        assert_eq!(lines[0].time, "2026-09-21T14:13:20.000Z");
    }
}
