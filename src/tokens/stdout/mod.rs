//! What agents print of what they spend: lines in, responses and sums out, each token once.
//!
//! Two things are told, and neither alone is enough. The lines of a response come at once and lack
//! their output; a result comes late, sums everything up and is cumulative, so that results must not
//! be added. `account` keeps what was told of each conversation and model already, and gives the rest.
//!
//! All of it is held for some seconds: where the conversation has a transcript as well, that one is
//! closed first, is believed, and is exact in each kind.

mod account;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use self::account::Accounts;
use crate::chains::step::{Context, Deed, Step};
use crate::config::plan::{Capture, Dialect};
use crate::tokens::agents::{Extras, Sighting, claude, codex};
use crate::tokens::price::{ModelLabel, Prices};
use crate::tokens::quota::Quota;
use crate::tokens::seen::Seen;
use crate::tokens::{Cost, LineCounts, TokenCounts, Usage, UsageKey, UsageSource};
use crate::units::{Mono, Now, RunId, Wall};

/// From the last line of a response, or from a result, to its being told. Longer than a transcript
/// takes to close the same response: [`crate::tokens::book::QUIET`] behind its last line.
pub const HOLD: Duration = Duration::from_secs(5);

/// What became of lines is told this long after them at the latest.
const LINES: Duration = Duration::from_secs(1);

/// Runs whose lines are read at a time; of the one that was silent for longest the oldest goes.
const MOST_RUNS: usize = 1_024;

/// What is held of one run; with more, the oldest is told at once.
const MOST_HELD: usize = 1_024;

/// What one line tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A response, as far as it is known.
    Response(Box<Sighting>),
    /// The output of a response that is known by its other lines.
    Output {
        /// Which.
        key: UsageKey,
        /// Tokens.
        output: u64,
    },
    /// A sum.
    Total(Box<Total>),
    /// How much of a limit is used; when and of whom is for the reader to say.
    Limit(Quota),
    /// Nothing of interest.
    Nothing,
    /// It cannot be read.
    Malformed,
}

/// What was spent on one model of a conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Total {
    /// The agent's own id of the conversation.
    pub conversation: String,
    /// The model; empty where it is not told.
    pub model: String,
    /// Its tokens.
    pub tokens: TokenCounts,
    /// Those of the main thread since the last result, where that is told beside.
    pub lately: Option<TokenCounts>,
    /// Whether the tokens are all since the process or the conversation began, rather than those
    /// since the last result.
    pub cumulative: bool,
    /// What else decides about the cost.
    pub extras: Extras,
    /// The part of the output that was thinking.
    pub reasoning: u64,
    /// Tokens that the model's window holds, if that is told.
    pub window: Option<u64>,
}

/// What is told of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// The run that wrote it.
    pub run: Option<RunId>,
    /// The process.
    pub process: String,
    /// What was spent.
    pub spoken: Vec<Spoken>,
    /// What became of its lines.
    pub lines: LineCounts,
    /// How much of limits is used.
    pub quotas: Vec<Quota>,
}

/// Something that was spent.
#[derive(Clone, Debug, PartialEq)]
pub struct Spoken {
    /// The tokens.
    pub usage: Usage,
    /// Whether they are a response of their own, rather than the rest of responses told before.
    pub response: bool,
    /// What it tells of the conversation, where no better source does.
    pub step: Option<Step>,
}

/// Everything that is read.
#[derive(Debug, Default)]
pub struct Stdout {
    prices: Prices,
    accounts: Accounts,
    /// What was told, and is told no more.
    seen: Seen,
    runs: BTreeMap<RunId, Reading>,
}

/// A run whose lines are read.
#[derive(Debug)]
struct Reading {
    process: Arc<str>,
    agent: String,
    resumed: bool,
    reader: Reader,
    /// In the order of their coming.
    held: VecDeque<Held>,
    /// Windows of models, as results tell them.
    windows: BTreeMap<String, u64>,
    lines: LineCounts,
    quotas: Vec<Quota>,
    heard: Mono,
}

#[derive(Debug)]
enum Reader {
    Claude(Box<claude::stdout::Reader>),
    Codex(codex::stdout::Reader),
}

/// What waits to be told.
#[derive(Debug)]
struct Held {
    told: Sighting,
    response: bool,
    at: Wall,
    due: Mono,
}

impl Stdout {
    /// Of no run yet.
    pub fn new(prices: Prices) -> Self {
        Self { prices, ..Self::default() }
    }

    /// Uses these prices from now on.
    pub fn reprice(&mut self, prices: Prices) {
        self.prices = prices;
    }

    /// Takes in a line that a run wrote.
    pub fn line(&mut self, run: RunId, process: &Arc<str>, by: &Capture, line: &[u8], now: Now) {
        let mut told = Vec::new();
        let reading = self.reading(run, process, by, now);
        reading.lines.bytes += line.len() as u64;
        match &mut reading.reader {
            Reader::Claude(reader) => reader.decode(line, |one| told.push(one)),
            Reader::Codex(reader) => reader.decode(line, |one| told.push(one)),
        }
        let (mut useful, mut malformed) = (false, false);
        for one in told {
            malformed |= one == Told::Malformed;
            useful |= self.take(run, one, now);
        }
        let Some(reading) = self.runs.get_mut(&run) else { return };
        let counts = &mut reading.lines;
        *(match (malformed, useful) {
            (true, _) => &mut counts.malformed,
            (false, true) => &mut counts.counted,
            (false, false) => &mut counts.ignored,
        }) += 1;
    }

    /// Counts lines of a run that were too long to be read, or that came faster than they could be.
    pub fn lost(&mut self, run: RunId, process: &Arc<str>, by: &Capture, lost: Lost, now: Now) {
        let lines = &mut self.reading(run, process, by, now).lines;
        lines.oversized += lost.too_long;
        lines.dropped += lost.no_room;
    }

    /// When there is something to be told.
    pub fn due(&self) -> Option<Mono> {
        self.runs.values().filter_map(Reading::due).min()
    }

    /// What is to be told by now; all of it where nothing more will be read.
    pub fn settle(&mut self, now: Now, all: bool) -> Vec<Batch> {
        let prices = &self.prices;
        let batches = self.runs.iter_mut().filter_map(|(run, reading)| {
            if !all && reading.due().is_none_or(|due| due > now.mono) {
                return None;
            }
            let spoken = reading.spoken(prices, |held| all || held.due <= now.mono);
            self.seen.extend(spoken.iter().map(|spoken| spoken.usage.key));
            let (process, lines) =
                (reading.process.to_string(), std::mem::take(&mut reading.lines));
            let quotas = std::mem::take(&mut reading.quotas);
            Some(Batch { run: Some(*run), process, spoken, lines, quotas })
        });
        batches.collect()
    }

    /// The run's, with room made for it.
    fn reading(&mut self, run: RunId, process: &Arc<str>, by: &Capture, now: Now) -> &mut Reading {
        if !self.runs.contains_key(&run) && self.runs.len() >= MOST_RUNS {
            let silent = self.runs.iter().filter(|(_, one)| one.due().is_none());
            let oldest = silent.min_by_key(|(_, one)| one.heard).map(|(run, _)| *run);
            if let Some(oldest) = oldest.or_else(|| self.runs.keys().next().copied()) {
                self.runs.remove(&oldest);
            }
        }
        let begin = || Reading::new(process, by, now.mono);
        let reading = self.runs.entry(run).or_insert_with(begin);
        reading.heard = now.mono;
        reading
    }

    /// Whether it told anything that counts.
    fn take(&mut self, run: RunId, told: Told, now: Now) -> bool {
        let Some(reading) = self.runs.get_mut(&run) else { return false };
        let label = |model: &str| self.prices.label(model).model;
        match told {
            Told::Response(told) if self.seen.has(told.key) => false,
            Told::Response(told) => {
                let label = label(&told.model);
                self.accounts.spent(&told.conversation, &label, &told, reading.shown(told.key));
                reading.hold(*told, true, now)
            }
            Told::Output { key, output } => {
                let Some(told) = reading.with_output(key, output) else { return false };
                let label = label(&told.model);
                self.accounts.spent(&told.conversation, &label, &told, reading.shown(key));
                reading.hold(told, true, now)
            }
            Told::Total(total) => {
                if let Some(window) = total.window {
                    reading.windows.insert(total.model.clone(), window);
                }
                let label = label(&total.model);
                let rest = self.accounts.rest(&label, &total, reading.resumed);
                let Some((rest, first)) = rest else { return false };
                reading.hold(rest, first, now)
            }
            Told::Limit(quota) => {
                let agent = reading.agent.clone();
                reading.quotas.retain(|known| known.window != quota.window);
                reading.quotas.push(Quota { agent, at: now.wall, ..quota });
                false
            }
            Told::Nothing | Told::Malformed => false,
        }
    }
}

/// Lines that were not read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Those longer than a line may be.
    pub too_long: u64,
    /// Those for which there was no room.
    pub no_room: u64,
}

impl Reading {
    fn new(process: &Arc<str>, by: &Capture, now: Mono) -> Self {
        let reader = match by.dialect {
            Dialect::Codex => Reader::Codex(codex::stdout::Reader::new(by.model.clone())),
            Dialect::Claude | Dialect::Gemini | Dialect::Opencode => Reader::Claude(Box::default()),
        };
        Self {
            process: Arc::clone(process),
            agent: by.agent.clone(),
            resumed: by.resumed,
            reader,
            held: VecDeque::new(),
            windows: BTreeMap::new(),
            lines: LineCounts::default(),
            quotas: Vec::new(),
            heard: now,
        }
    }

    fn due(&self) -> Option<Mono> {
        let lines = (self.lines != LineCounts::default()).then(|| self.heard.after(LINES));
        self.held.iter().map(|held| held.due).chain(lines).min()
    }

    /// What is held of a response.
    fn shown(&self, key: UsageKey) -> Option<&Sighting> {
        self.held.iter().find(|held| held.told.key == key).map(|held| &held.told)
    }

    /// A response that is held, with its output.
    fn with_output(&self, key: UsageKey, output: u64) -> Option<Sighting> {
        let mut told = self.shown(key)?.clone();
        told.tokens.output = told.tokens.output.max(output);
        Some(told)
    }

    /// Holds something back for a while. Of a response the last line is believed, but for its output,
    /// which only grows.
    fn hold(&mut self, mut told: Sighting, response: bool, now: Now) -> bool {
        let due = now.mono.after(HOLD);
        if let Some(held) = self.held.iter_mut().find(|held| held.told.key == told.key) {
            told.tokens.output = told.tokens.output.max(held.told.tokens.output);
            held.due = due;
            let news = held.told != told;
            held.told = told;
            return news;
        }
        if self.held.len() >= MOST_HELD
            && let Some(oldest) = self.held.front_mut()
        {
            oldest.due = now.mono;
        }
        self.held.push_back(Held { told, response, at: now.wall, due });
        true
    }

    fn spoken(&mut self, prices: &Prices, due: impl Fn(&Held) -> bool) -> Vec<Spoken> {
        let (told, rest) = std::mem::take(&mut self.held).into_iter().partition(due);
        self.held = rest;
        let told: VecDeque<Held> = told;
        told.into_iter().map(|held| self.speak(held, prices)).collect()
    }

    fn speak(&self, held: Held, prices: &Prices) -> Spoken {
        let Held { told, response, at, .. } = held;
        let step = (response && !told.sidechain).then(|| self.step(&told, at, prices)).flatten();
        let label = prices.label(&told.model);
        let cost = prices.cost(&told.model, at, &told.tokens, &told.extras);
        Spoken { usage: self.usage(told, label, at, cost), response, step }
    }

    fn usage(&self, told: Sighting, label: ModelLabel, at: Wall, cost: Cost) -> Usage {
        Usage {
            key: told.key,
            source: UsageSource::Stdout,
            agent: self.agent.clone(),
            provider: label.provider.to_owned(),
            model: label.model,
            conversation: told.conversation,
            at,
            tokens: told.tokens,
            reasoning: told.reasoning,
            cost,
            withheld: 0,
        }
    }

    /// How full the window was; of a sum over requests nobody knows.
    fn step(&self, told: &Sighting, at: Wall, prices: &Prices) -> Option<Step> {
        let known = !told.extras.summed && !told.conversation.is_empty();
        let tokens = told.tokens.minus(&told.extras.compaction).total();
        let window = self.windows.get(&told.model).copied();
        let context = Context {
            tokens,
            model: told.model.clone(),
            window: window.or_else(|| prices.context_window(&told.model)),
        };
        known.then(|| Step {
            agent: self.agent.clone(),
            process: Some(self.process.to_string()),
            conversation: told.conversation.clone(),
            at,
            resumes: None,
            deed: Deed::Answered {
                calls: told.calls.clone(),
                context: Some(context).filter(|_| tokens > 0),
                excerpt: None,
            },
        })
    }
}
