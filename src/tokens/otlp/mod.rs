//! What agents and applications send over OpenTelemetry's protocol: a body in, calls of models out.
//!
//! `protobuf` and `json` read the two encodings into the same points and records, one at a time and
//! without a copy of the whole; `streams` makes increments of sums, and one file for each convention
//! says what they mean. Refuses to keep what it does not understand: that is accepted and counted,
//! since a sender that is refused tries again or complains to its user.
//!
//! The protocol: <https://opentelemetry.io/docs/specs/otlp/>

mod attributes;
mod claude;
mod codex;
mod gemini;
mod genai;
mod json;
mod protobuf;
mod streams;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::attributes::Attributes;
use self::streams::Streams;
use crate::tokens::call::Call;
use crate::tokens::{TokenCounts, UsageKey, UsageSource};
use crate::units::Wall;

/// No call and no export interval has more tokens of a kind; what says so is broken.
const MOST_TOKENS: f64 = 1e12;

/// What a body tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Signal {
    /// Sums, gauges and histograms.
    Metrics,
    /// Events.
    Logs,
    /// Spans, of which nothing is used.
    Traces,
}

impl Signal {
    /// Every signal.
    pub const ALL: [Self; 3] = [Self::Metrics, Self::Logs, Self::Traces];

    /// The value of the `signal` label, and the end of its path.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Traces => "traces",
        }
    }
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Protocol buffers.
    Protobuf,
    /// The JSON that is their mapping.
    Json,
}

/// What a body told.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    /// Calls of models.
    pub calls: Vec<Call>,
    /// What became of its points, records and spans.
    pub figures: Figures,
}

/// What became of points, records and spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// They told of tokens.
    pub used: u64,
    /// They told of something else.
    pub unused: u64,
    /// They cannot be true: no number, or less than nothing.
    pub rejected: u64,
}

impl Figures {
    /// The sum of both.
    pub fn plus(self, other: Self) -> Self {
        Self {
            used: self.used.saturating_add(other.used),
            unused: self.unused.saturating_add(other.unused),
            rejected: self.rejected.saturating_add(other.rejected),
        }
    }
}

/// Why a body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed(pub String);

/// Reads bodies, one after the other, of one sender: sums go on from one to the next.
#[derive(Debug, Default)]
pub struct Decoder {
    streams: Streams,
}

impl Decoder {
    /// What a body tells. A body that cannot be read to its end tells nothing.
    pub fn read(
        &mut self,
        signal: Signal,
        encoding: Encoding,
        body: &[u8],
    ) -> Result<Told, Malformed> {
        let (told, next) = self.reading(signal, encoding, body)?;
        *self = next;
        Ok(told)
    }

    /// What a body tells, and who reads the one after it; for who does not know yet whether this one
    /// is taken, or sent once more.
    pub fn reading(
        &self,
        signal: Signal,
        encoding: Encoding,
        body: &[u8],
    ) -> Result<(Told, Self), Malformed> {
        let mut reading = Reading { streams: self.streams.clone(), ..Reading::default() };
        match (signal, encoding) {
            (Signal::Metrics, Encoding::Protobuf) => protobuf::metrics(body, &mut reading)?,
            (Signal::Metrics, Encoding::Json) => json::metrics(body, &mut reading)?,
            (Signal::Logs, Encoding::Protobuf) => protobuf::logs(body, &mut reading)?,
            (Signal::Logs, Encoding::Json) => json::logs(body, &mut reading)?,
            (Signal::Traces, Encoding::Protobuf) => protobuf::traces(body, &mut reading)?,
            (Signal::Traces, Encoding::Json) => json::traces(body, &mut reading)?,
        }
        let next = Self { streams: std::mem::take(&mut reading.streams) };
        Ok((reading.told(), next))
    }
}

/// A number of a sum or of a histogram's sum.
#[derive(Debug)]
struct Point<'a> {
    resource: &'a Attributes,
    name: &'a str,
    attributes: &'a Attributes,
    /// Nanoseconds since 1970, or 0.
    start: u64,
    time: u64,
    value: f64,
    cumulative: bool,
}

/// An event.
#[derive(Debug)]
struct Record<'a> {
    resource: &'a Attributes,
    /// As the event, its attribute `event.name` or its body says.
    name: &'a str,
    attributes: &'a Attributes,
    time: u64,
}

/// Which tokens a point counts, by the words of its convention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Input,
    Output,
    CacheRead,
    CacheWrite,
    Reasoning,
    Tool,
}

/// What a point counts.
#[derive(Debug)]
struct Piece {
    convention: Convention,
    conversation: String,
    provider: Option<String>,
    model: String,
    part: Part,
}

/// Whose words a point speaks, which decides about what includes what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Convention {
    Claude,
    Gemini,
    /// The counters of today and tomorrow.
    GenAi,
    /// The histogram of yesterday, which says the same where a sender has both.
    GenAiHistogram,
}

/// Points of one sender, conversation and model, in one interval.
type Group = (Convention, u64, String, String, u64, u64);

/// A body that is being read.
#[derive(Debug, Default)]
struct Reading {
    streams: Streams,
    groups: BTreeMap<Group, Sum>,
    calls: Vec<Call>,
    figures: Figures,
}

/// What the points of a group add up to.
#[derive(Debug, Default)]
struct Sum {
    provider: Option<String>,
    streams: u64,
    input: u64,
    output: u64,
    cache_read: u64,
    cache_write: u64,
    reasoning: u64,
    tool: u64,
}

impl Reading {
    /// Whether points of this name can tell anything, before their attributes are read.
    fn wants(name: &str) -> bool {
        claude::wants(name) || gemini::wants(name) || genai::wants(name)
    }

    fn point(&mut self, point: &Point<'_>) {
        let piece = claude::piece(point).or_else(|| gemini::piece(point));
        let Some(piece) = piece.or_else(|| genai::piece(point)) else {
            self.figures.unused += 1;
            return;
        };
        let stream = point.identity();
        let Some(tokens) = self.streams.grown(stream, point) else {
            self.figures.rejected += 1;
            return;
        };
        self.figures.used += 1;
        // Whole numbers below 2^53, by the bound.
        let tokens = tokens.round() as u64;
        if tokens == 0 {
            return;
        }
        let Piece { convention, conversation, provider, model, part } = piece;
        let resource = point.resource.identity();
        let group = (convention, resource, conversation, model, point.start, point.time);
        let sum = self.groups.entry(group).or_default();
        sum.provider = sum.provider.take().or(provider);
        sum.streams = sum.streams.wrapping_add(stream);
        *sum.of(part) += tokens;
    }

    fn record(&mut self, record: &Record<'_>) {
        let call = claude::call(record).or_else(|| codex::call(record));
        match call.or_else(|| gemini::call(record)) {
            Some(call) => {
                self.figures.used += 1;
                self.calls.push(call);
            }
            None => self.figures.unused += 1,
        }
    }

    fn told(self) -> Told {
        let mut calls = self.calls;
        // Who sends both says the same twice.
        let counters = self.groups.keys().any(|group| group.0 == Convention::GenAi);
        let groups = self.groups.into_iter();
        let groups = groups.filter(|(group, _)| !counters || group.0 != Convention::GenAiHistogram);
        calls.extend(groups.map(|(group, sum)| sum.call(group)));
        Told { calls, figures: self.figures }
    }
}

impl Point<'_> {
    fn identity(&self) -> u64 {
        let name = UsageKey::of("otlp", self.name.as_bytes()).0;
        name.wrapping_add(self.resource.identity().rotate_left(17))
            .wrapping_add(self.attributes.identity().rotate_left(31))
    }
}

impl Sum {
    fn of(&mut self, part: Part) -> &mut u64 {
        match part {
            Part::Input => &mut self.input,
            Part::Output => &mut self.output,
            Part::CacheRead => &mut self.cache_read,
            Part::CacheWrite => &mut self.cache_write,
            Part::Reasoning => &mut self.reasoning,
            Part::Tool => &mut self.tool,
        }
    }

    /// The increments of an interval, each token in one kind.
    fn call(self, (convention, _, conversation, model, start, time): Group) -> Call {
        let Self { input, output, cache_read, cache_write, reasoning, tool, .. } = self;
        let cached = cache_read.saturating_add(cache_write);
        let tokens = TokenCounts { input, output, cache_read, ..TokenCounts::default() };
        let tokens = match convention {
            // Without a split of its cache writes all of them are of the usual five minutes, as in
            // its transcripts.
            Convention::Claude => TokenCounts { cache_write_5m: cache_write, ..tokens },
            Convention::Gemini => gemini::counts(input, output, cache_read, reasoning, tool),
            Convention::GenAi | Convention::GenAiHistogram => {
                TokenCounts { input: input.saturating_sub(cached), cache_write, ..tokens }
            }
        };
        let id = [self.streams.to_le_bytes(), start.to_le_bytes(), time.to_le_bytes()].concat();
        Call {
            key: Some(UsageKey::of("otlp_metrics", &id)),
            source: UsageSource::OtlpMetrics,
            provider: self.provider,
            model,
            conversation,
            at: wall(time),
            tokens,
            reasoning: reasoning.min(tokens.output),
            ..Call::default()
        }
    }
}

/// The time of a point or a record; `None` for 0 and what lies beyond all calendars.
fn wall(nanos: u64) -> Option<Wall> {
    let millis = i64::try_from(nanos / 1_000_000).ok();
    millis.filter(|millis| *millis > 0).map(Wall)
}

/// What an event is called: by its own field, an attribute, or its body; the longest name that is the
/// end of another is said in full there.
fn event_name<'a>(field: &'a str, attribute: Option<&'a str>, body: &'a str) -> &'a str {
    let named = [field, attribute.unwrap_or_default()];
    let told = named.into_iter().find(|name| !name.is_empty());
    match told {
        Some(name) if body.ends_with(name) => body,
        Some(name) => name,
        None => body,
    }
}
