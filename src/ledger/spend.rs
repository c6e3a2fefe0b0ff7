//! The counters of tokens and money: they only grow, whatever is learnt late, and their label
//! values are bounded.

use std::collections::BTreeMap;

use crate::config::plan::{Plan, ProcessPlan, Standing};
use crate::ledger::labels::{Bounded, UNKNOWN};
use crate::ledger::request::Heard;
use crate::ledger::snapshot::TokenSeries;
use crate::tokens::otlp::{Figures, Signal};
use crate::tokens::quota::{Quota, Window};
use crate::tokens::{Correction, Cost, LineCounts, TokenCounts, Usage};
use crate::units::{Money, Wall};

/// Models that get a series of their own for each process; people use a handful.
const MODELS_PER_PROCESS: usize = 30;

/// Agents that get a series of their own, beyond which only configured ones do.
const AGENTS: usize = 10;

/// Providers that get a series of their own.
const PROVIDERS: usize = 10;

/// All counters of tokens and money since the start of this life.
#[derive(Debug)]
pub struct Spend {
    series: BTreeMap<SeriesKey, TokenSeries>,
    by_process: BTreeMap<String, TokenCounts>,
    corrections: BTreeMap<(String, String), (u64, u64)>,
    requests: BTreeMap<(String, String, String), (u64, u64)>,
    otlp: BTreeMap<Signal, Received>,
    lines: LineCounts,
    compactions: BTreeMap<String, u64>,
    quotas: BTreeMap<(String, Window), Quota>,
    agents: Bounded,
    providers: Bounded,
    models: BTreeMap<String, Bounded>,
}

/// What was sent of one signal over OpenTelemetry's protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Bodies that were read.
    pub bodies: u64,
    /// Bodies that could not be.
    pub broken: u64,
    /// Points, records and spans.
    pub figures: Figures,
}

/// Process, agent, provider, model.
type SeriesKey = (String, String, String, String);

impl Spend {
    /// Counters for the processes of a plan: those with an agent start at 0, and so do the tokens
    /// that belong to no process, where there is an agent at all.
    pub fn new(plan: &Plan) -> Self {
        let agents = || plan.processes.iter().filter_map(|process| process.agent.as_ref());
        let tells = |one: &&ProcessPlan| one.agent.is_some() || one.capture().is_some();
        let with_agent = plan.processes.iter().filter(tells);
        let names = with_agent.map(|process| process.name.clone());
        let unknown = agents().next().map(|_| UNKNOWN.to_owned());
        Self {
            series: BTreeMap::new(),
            by_process: names.chain(unknown).map(|name| (name, TokenCounts::default())).collect(),
            corrections: BTreeMap::new(),
            requests: BTreeMap::new(),
            otlp: BTreeMap::new(),
            lines: LineCounts::default(),
            compactions: agents().map(|agent| (agent.name.clone(), 0)).collect(),
            quotas: BTreeMap::new(),
            agents: Bounded::with(AGENTS, agents().map(|agent| agent.name.as_str())),
            providers: Bounded::new(PROVIDERS),
            models: BTreeMap::new(),
        }
    }

    /// Counts for a process that was added to the plan, from 0.
    pub fn admit(&mut self, process: &ProcessPlan) {
        // Those beside the plan are no news to wait for.
        let in_plan = process.standing != Standing::Spawned;
        let captured = process.capture().filter(|_| in_plan).map(|capture| capture.agent);
        let declared = process.agent.as_ref().map(|agent| agent.name.clone());
        let Some(agent) = declared.or(captured) else { return };
        self.agents.admit(&agent);
        self.compactions.entry(agent).or_default();
        for name in [&process.name, UNKNOWN] {
            self.by_process.entry(name.to_owned()).or_default();
        }
    }

    /// The label value of an agent's name.
    pub fn agent<'a>(&mut self, name: &'a str) -> &'a str {
        self.agents.admit(name)
    }

    /// Counts what was spent for `process`, which must be a name of the plan or [`UNKNOWN`], and
    /// whether it is a response of its own.
    pub fn count(&mut self, process: &str, usage: &Usage, response: bool) {
        let series = self.series(process, usage);
        series.tokens = series.tokens.plus(&usage.tokens);
        series.reasoning = series.reasoning.saturating_add(usage.reasoning);
        series.responses += u64::from(response && usage.is_a_response());
        match usage.cost {
            Cost::Priced(money) => series.cost = series.cost.saturating_add(money),
            Cost::Unpriced => series.unpriced = series.unpriced.plus(&usage.tokens),
            Cost::Estimated(money) => {
                series.unpriced = series.unpriced.plus(&usage.tokens);
                series.estimated = series.estimated.saturating_add(money);
            }
        }
        let total = self.by_process.entry(process.to_owned()).or_default();
        *total = total.plus(&usage.tokens);
    }

    fn series(&mut self, process: &str, usage: &Usage) -> &mut TokenSeries {
        let agent = self.agents.admit(&usage.agent).to_owned();
        let provider = self.providers.admit(&usage.provider).to_owned();
        let model = self.model(process, &usage.model).to_owned();
        let key = (process.to_owned(), agent, provider, model);
        self.series.entry(key.clone()).or_insert_with(|| empty_series(key))
    }

    fn model<'a>(&mut self, process: &str, model: &'a str) -> &'a str {
        let bound = || Bounded::new(MODELS_PER_PROCESS);
        self.models.entry(process.to_owned()).or_insert_with(bound).admit(model)
    }

    /// Counts a call for its outcome.
    pub fn requested(&mut self, process: &str, usage: &Usage, failed: bool) {
        let agent = self.agents.admit(&usage.agent).to_owned();
        let model = self.model(process, &usage.model).to_owned();
        let (answered, lost) = self.requests.entry((process.to_owned(), agent, model)).or_default();
        *(if failed { lost } else { answered }) += 1;
    }

    /// Counts what became of a body that was sent over OpenTelemetry's protocol.
    pub fn heard(&mut self, heard: Option<Heard>) {
        let Some(Heard { signal, figures, broken }) = heard else { return };
        let sum = self.otlp.entry(signal).or_default();
        sum.figures = sum.figures.plus(figures);
        sum.broken += u64::from(broken);
        sum.bodies += u64::from(!broken);
    }

    /// Books a late change apart from the counters.
    pub fn correct(&mut self, process: &str, correction: &Correction) {
        let agent = self.agents.admit(&correction.agent).to_owned();
        let model = self.model(process, &correction.model).to_owned();
        let (low, high) = self.corrections.entry((agent, model)).or_default();
        let side = if correction.tokens < 0 { high } else { low };
        *side = side.saturating_add(correction.tokens.unsigned_abs());
    }

    /// Adds up what became of the lines.
    pub fn read(&mut self, lines: &LineCounts) {
        let sum = &mut self.lines;
        sum.counted = sum.counted.saturating_add(lines.counted);
        sum.duplicate = sum.duplicate.saturating_add(lines.duplicate);
        sum.ignored = sum.ignored.saturating_add(lines.ignored);
        sum.malformed = sum.malformed.saturating_add(lines.malformed);
        sum.oversized = sum.oversized.saturating_add(lines.oversized);
        sum.dropped = sum.dropped.saturating_add(lines.dropped);
        sum.unknown = sum.unknown.saturating_add(lines.unknown);
        sum.reused = sum.reused.saturating_add(lines.reused);
        sum.bytes = sum.bytes.saturating_add(lines.bytes);
    }

    /// Counts that an agent's window was emptied.
    pub fn compacted(&mut self, agent: &str) {
        let agent = self.agents.admit(agent).to_owned();
        *self.compactions.entry(agent).or_default() += 1;
    }

    /// Takes in how much of a limit is used, where nothing newer is known.
    pub fn limited(&mut self, quota: Quota) {
        let agent = self.agents.admit(&quota.agent).to_owned();
        let known = self.quotas.entry((agent, quota.window)).or_insert_with(|| quota.clone());
        if known.at <= quota.at {
            *known = quota;
        }
    }

    /// How often the windows of each agent were emptied.
    pub fn compactions(&self) -> &BTreeMap<String, u64> {
        &self.compactions
    }

    /// How much of limits is used, by agent and span, as far as that still holds.
    pub fn quotas(&self, now: Wall) -> BTreeMap<(String, Window), Quota> {
        let hold = self.quotas.iter().filter(|(_, quota)| quota.holds(now));
        hold.map(|(key, quota)| (key.clone(), quota.clone())).collect()
    }

    /// Every combination of labels that occurred.
    pub fn all_series(&self) -> Vec<TokenSeries> {
        self.series.values().cloned().collect()
    }

    /// Tokens of each process by kind.
    pub fn by_process(&self) -> &BTreeMap<String, TokenCounts> {
        &self.by_process
    }

    /// Late changes by agent and model: tokens counted too few, and too many.
    pub fn corrections(&self) -> &BTreeMap<(String, String), (u64, u64)> {
        &self.corrections
    }

    /// Calls that were answered and that failed, by process, agent and model.
    pub fn requests(&self) -> &BTreeMap<(String, String, String), (u64, u64)> {
        &self.requests
    }

    /// What was sent over OpenTelemetry's protocol.
    pub fn otlp(&self) -> &BTreeMap<Signal, Received> {
        &self.otlp
    }

    /// What became of the lines that were read.
    pub fn lines(&self) -> LineCounts {
        self.lines
    }
}

fn empty_series((process, agent, provider, model): SeriesKey) -> TokenSeries {
    TokenSeries {
        process,
        agent,
        provider,
        model,
        tokens: TokenCounts::default(),
        reasoning: 0,
        responses: 0,
        cost: Money::default(),
        estimated: Money::default(),
        unpriced: TokenCounts::default(),
    }
}
