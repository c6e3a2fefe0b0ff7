//! Invented transcripts with their own truth: what was used is decided first and written down
//! second, by code that shares nothing with the reader's.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::tokens::TokenCounts;

/// What was really used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truth {
    pub tokens: TokenCounts,
    pub responses: u64,
    pub nanos: i64,
}

/// Bytes that are written to one file at once.
pub struct Step {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
}

/// The corpus, as the order in which it is written.
pub struct Corpus {
    pub steps: Vec<Step>,
    pub truth: Truth,
    rng: u64,
    ids: u64,
}

/// Nano-dollars per token: input, output, cache read, cache write for 5 minutes and for 1 hour.
const MODELS: [(&str, [i64; 5]); 2] = [
    ("claude-sonnet-5", [2_000, 10_000, 200, 2_500, 4_000]),
    ("claude-opus-5", [5_000, 25_000, 500, 6_250, 10_000]),
];

struct Session {
    path: PathBuf,
    id: String,
    sidechain: bool,
    /// Lines that a fork or an aside may copy.
    lines: Vec<String>,
}

impl Corpus {
    /// `sessions` of some 100 KiB each; another seed gives other ids.
    pub fn new(seed: u64, sessions: u64) -> Self {
        let truth = Truth::default();
        let ids = seed * 1_000_000;
        let mut corpus = Self { steps: Vec::new(), truth, rng: seed, ids };
        for number in 0..sessions {
            corpus.session(seed * 10_000 + number);
        }
        corpus
    }

    /// Writes everything below `root`.
    pub fn write(&self, root: &Path) {
        for step in &self.steps {
            step.write(root);
        }
    }

    fn session(&mut self, number: u64) {
        let project = format!("-src-{}", number % 7);
        let id = format!("00000000-{number:04}-{:08x}", self.below(u32::MAX.into()));
        let path = PathBuf::from(format!("{project}/{id}.jsonl"));
        let mut main = Session { path, id: id.clone(), sidechain: false, lines: Vec::new() };
        self.responses(&mut main);
        if self.one_in(2) {
            let path = PathBuf::from(format!("{project}/{id}/subagents/x/agent-{number}.jsonl"));
            let mut agent = Session { path, id: id.clone(), sidechain: true, lines: Vec::new() };
            self.responses(&mut agent);
            // Some subagents' files repeat what their parent's hold.
            self.copy(&main, &agent.path, &id, false);
            let journal = PathBuf::from(format!("{project}/{id}/subagents/journal.jsonl"));
            let line = main.lines[0].replace("msg_", "msg_journal_");
            self.step(&journal, line.into_bytes());
        }
        if self.one_in(4) {
            let fork = format!("ffffffff-{number:04}");
            let path = PathBuf::from(format!("{project}/{fork}.jsonl"));
            self.copy(&main, &path, &fork, false);
            let mut own = Session { path, id: fork, sidechain: false, lines: Vec::new() };
            self.responses(&mut own);
        }
        if self.one_in(5) {
            let path = PathBuf::from(format!("{project}/{id}/subagents/agent-btw.jsonl"));
            self.copy(&main, &path, &id, true);
        }
        self.noise(&main.path);
        if self.one_in(6) {
            // Killed while it wrote: no line feed, and nothing of the response is whole.
            let line = self.line(&main, "msg_never", "claude-opus-5", 1, TokenCounts::default());
            let cut = line.len() / 2;
            let path = main.path.clone();
            self.steps.push(Step { path, bytes: line.as_bytes()[..cut].to_vec() });
        }
    }

    fn responses(&mut self, session: &mut Session) {
        for _ in 0..10 + self.below(20) {
            self.response(session);
            if self.one_in(5) {
                self.noise(&session.path);
            }
        }
    }

    fn response(&mut self, session: &mut Session) {
        self.ids += 1;
        let (model, rates) = MODELS[self.below(2) as usize];
        let id = format!("msg_{:06}", self.ids);
        let tokens = self.tokens();
        let blocks = 1 + self.below(4);
        let mut text = Vec::new();
        for block in 1..=blocks {
            let mut shown = tokens;
            let mut by = model;
            if block < blocks {
                // A placeholder, and sometimes by another model that was given up.
                shown.output = tokens.output.min(1 + self.below(3));
                if self.one_in(8) {
                    by = "claude-fable-5";
                    shown.cache_read = tokens.cache_read + 5_000;
                    shown.output = tokens.output.saturating_sub(1).min(2);
                }
            }
            let line = self.line(session, &id, by, block, shown);
            if self.one_in(40) {
                // Torn, and written again behind.
                text.extend_from_slice(&line.as_bytes()[..line.len() / 3]);
            }
            text.extend_from_slice(line.as_bytes());
            text.extend_from_slice(if self.one_in(10) { b"\r\n" } else { b"\n" });
            session.lines.push(line);
            if self.one_in(3) {
                self.step(&session.path, std::mem::take(&mut text));
            }
        }
        self.step(&session.path, text);
        self.book(tokens, rates);
    }

    fn book(&mut self, tokens: TokenCounts, rates: [i64; 5]) {
        let TokenCounts { input, output, cache_read, cache_write_5m, cache_write_1h, .. } = tokens;
        let used = [input, output, cache_read, cache_write_5m, cache_write_1h];
        self.truth.nanos += used.iter().zip(rates).map(|(n, rate)| *n as i64 * rate).sum::<i64>();
        self.truth.tokens = self.truth.tokens.plus(&tokens);
        self.truth.responses += 1;
    }

    fn tokens(&mut self) -> TokenCounts {
        let one_hour = self.one_in(3);
        TokenCounts {
            input: self.below(200),
            output: 4 + self.below(700),
            cache_read: self.below(150_000),
            cache_write_5m: self.below(5_000),
            cache_write_1h: if one_hour { 1 + self.below(5_000) } else { 0 },
            cache_write: 0,
        }
    }

    fn line(
        &mut self,
        session: &Session,
        id: &str,
        model: &str,
        block: u64,
        tokens: TokenCounts,
    ) -> String {
        let TokenCounts { input, output, cache_read, cache_write_5m, cache_write_1h, .. } = tokens;
        let (total, uuid) = (cache_write_5m + cache_write_1h, self.below(u64::MAX));
        let request = match self.below(12) {
            0 => String::new(),
            1 => r#""requestId":null,"#.to_owned(),
            2 => r#""requestId":"","#.to_owned(),
            _ => format!(r#""requestId":"req_{id}","#),
        };
        let split = match cache_write_1h {
            0 if self.one_in(2) => {
                r#""cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0}"#
                    .to_owned()
            }
            0 if self.one_in(2) => r#""cache_creation":null"#.to_owned(),
            long => format!(
                r#""cache_creation":{{"ephemeral_5m_input_tokens":{cache_write_5m},"ephemeral_1h_input_tokens":{long}}}"#
            ),
        };
        let space = if self.one_in(20) { " " } else { "" };
        let stop = if self.one_in(3) { "null" } else { "\"tool_use\"" };
        let text = self.text(1_800);
        let (session_id, side) = (&session.id, session.sidechain);
        format!(
            r#"{{"parentUuid":null,"isSidechain":{side},"cwd":"/src/x","sessionId":"{session_id}","version":"2.1.90",{request}"type":"assistant","uuid":"u{uuid:x}{block}","timestamp":"2026-11-01T10:00:02.100Z","message":{{"id":"{id}","model":"{model}","role":"assistant","stop_reason":{stop},"content":[{{"type":"text","text":"{text}","speed":null}}],"usage":{space}{{"input_tokens":{input},"cache_creation_input_tokens":{total},"cache_read_input_tokens":{cache_read},"output_tokens":{output},{split},"service_tier":"standard","speed":null}}}}}}"#
        )
    }

    /// Copies of a session's lines under another session id, as forks and asides make them.
    fn copy(&mut self, from: &Session, to: &Path, id: &str, new_requests: bool) {
        let count = from.lines.len() / 2;
        let mut text = String::new();
        for line in &from.lines[..count] {
            let mut line = line.replace(&from.id, id);
            if new_requests {
                line = line.replace("req_", "req_btw_");
            }
            let _ = writeln!(text, "{line}");
        }
        self.step(to, text.into_bytes());
    }

    /// Lines that do not count.
    fn noise(&mut self, path: &Path) {
        let text = self.text(3_000);
        let usage = r#""usage":{"input_tokens":77,"output_tokens":99999}"#;
        let line = match self.below(8) {
            0 => format!(
                r#"{{"type":"user","toolUseResult":{{{usage},"totalTokens":9}},"x":"{text}"}}"#
            ),
            1 => format!(
                r#"{{"type":"progress","data":{{"message":{{"type":"assistant","message":{{"id":"msg_progress",{usage}}}}}}}}}"#
            ),
            2 => format!(
                r#"{{"type":"assistant","sessionId":"s","message":{{"id":"{}","model":"<synthetic>",{usage}}}}}"#,
                self.ids
            ),
            3 => format!(
                r#"{{"type":"assistant","sessionId":"s","isApiErrorMessage":true,"message":{{"id":"e",{usage}}}}}"#
            ),
            4 => "\0".repeat(500),
            5 => format!(r#"{{"type":"assistant","message":{{"id":"torn",{usage}"#),
            6 => "\u{fffd}garbage \\ \"usage\"".to_owned(),
            _ => format!(r#"{{"type":"user","message":{{"role":"user","content":"{text}"}}}}"#),
        };
        self.step(path, format!("{line}\n").into_bytes());
    }

    fn step(&mut self, path: &Path, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.steps.push(Step { path: path.to_owned(), bytes });
        }
    }

    fn text(&mut self, most: u64) -> String {
        let length = self.below(most) as usize;
        r#"some words, a \"quoted\" one, é and {\"usage\": null}. "#.repeat(length / 50)
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// xorshift64, by Marsaglia.
    pub fn below(&mut self, n: u64) -> u64 {
        self.rng ^= self.rng << 13;
        self.rng ^= self.rng >> 7;
        self.rng ^= self.rng << 17;
        self.rng % n
    }
}

impl Step {
    /// Appends the bytes below `root`.
    pub fn write(&self, root: &Path) {
        append(&root.join(&self.path), &self.bytes);
    }
}

/// Appends to a file, which is made where it is not there.
pub fn append(path: &Path, bytes: &[u8]) {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("a folder");
    }
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a file");
    file.write_all(bytes).expect("room on the disk");
}
