//! The families of tokens and money.

use crate::ledger::session::{Session, SessionKind};
use crate::ledger::snapshot::{Snapshot, TokenSeries};
use crate::metrics::catalogue as row;
use crate::metrics::families::{Families, budgets, count, sessions};
use crate::tokens::otlp::{Figures, Signal};
use crate::tokens::{LineCounts, TokenCounts, TokenKind};
use crate::units::{Money, Wall};

/// Adds them in the order of the catalogue.
pub(super) fn put(families: &mut Families, snapshot: &Snapshot) {
    let each = || snapshot.tokens.iter();
    families.each(
        &row::TOKENS,
        each().flat_map(|s| kinds(&s.tokens).map(|(kind, n)| (labels_with(s, kind), n))),
    );
    put_by_process(families, snapshot);
    families.each(&row::REASONING_TOKENS, each().map(|s| (labels(s), count(s.reasoning))));
    families.each(
        &row::COST,
        each()
            .filter(|s| has_price(&s.tokens, s.unpriced.total()))
            .map(|s| (labels(s), s.cost.dollars())),
    );
    families.each(
        &row::COST_ESTIMATED,
        each().filter(|s| s.estimated.0 > 0).map(|s| (labels(s), s.estimated.dollars())),
    );
    families.each(
        &row::UNPRICED_TOKENS,
        each().flat_map(|s| kinds(&s.unpriced).map(|(kind, n)| (labels_with(s, kind), n))),
    );
    families.each(&row::RESPONSES, each().map(|s| (labels(s), count(s.responses))));
    put_requests(families, snapshot);
    put_corrections(families, snapshot);
    put_conversations(families, snapshot);
    budgets::put(families, snapshot);
    put_ingest(families, snapshot);
    put_otlp(families, snapshot);
    let apart = snapshot.apart.iter();
    families.each(
        &row::SOURCES_APART,
        apart.filter_map(|(agent, apart)| apart.ratio().map(|ratio| ([agent.as_str()], ratio))),
    );
    families.one(&row::PRICE_TABLE_TIME, snapshot.prices_as_of.map(Wall::seconds));
}

fn labels(series: &TokenSeries) -> [&str; 4] {
    [&series.process, &series.agent, &series.provider, &series.model]
}

fn labels_with<'a>(series: &'a TokenSeries, kind: &'a str) -> [&'a str; 5] {
    let [process, agent, provider, model] = labels(series);
    [process, agent, provider, model, kind]
}

fn kinds(tokens: &TokenCounts) -> [(&'static str, f64); 6] {
    TokenKind::ALL.map(|kind| (kind.as_str(), count(tokens.of(kind))))
}

/// Whether any token was priced. Where none was, the cost is not 0 but unknown, and so absent.
fn has_price(tokens: &TokenCounts, unpriced: u64) -> bool {
    unpriced == 0 || tokens.total() > unpriced
}

/// From 0, as the ledger has them, for every process that declares an agent: an alert sees the first
/// token.
fn put_by_process(families: &mut Families, snapshot: &Snapshot) {
    let tokens = snapshot.process_tokens.iter();
    families.each(
        &row::PROCESS_TOKENS,
        tokens.flat_map(|(process, tokens)| {
            kinds(tokens).map(|(kind, n)| ([process.as_str(), kind], n))
        }),
    );
}

fn put_otlp(families: &mut Families, snapshot: &Snapshot) {
    let all = || Signal::ALL.into_iter().zip(std::iter::repeat(&snapshot.otlp));
    let received =
        || all().map(|(signal, otlp)| (signal, otlp.get(&signal).copied().unwrap_or_default()));
    families.each(
        &row::OTLP_REQUESTS,
        received().flat_map(|(signal, of)| {
            [("accepted", of.bodies), ("refused", of.broken)]
                .map(|(result, n)| ([signal.as_str(), result], count(n)))
        }),
    );
    families.each(
        &row::OTLP_POINTS,
        received().flat_map(|(signal, of)| {
            let Figures { used, unused, rejected } = of.figures;
            [("used", used), ("unused", unused), ("rejected", rejected)]
                .map(|(result, n)| ([signal.as_str(), result], count(n)))
        }),
    );
}

fn put_requests(families: &mut Families, snapshot: &Snapshot) {
    families.each(
        &row::LLM_REQUESTS,
        snapshot.requests.iter().flat_map(|((process, agent, model), (answered, failed))| {
            let labels = |outcome| [process.as_str(), agent, model, outcome];
            [(labels("ok"), count(*answered)), (labels("error"), count(*failed))]
        }),
    );
}

fn put_corrections(families: &mut Families, snapshot: &Snapshot) {
    families.each(
        &row::TOKEN_CORRECTIONS,
        snapshot.corrections.iter().flat_map(|((agent, model), (under, over))| {
            [([agent, model, "under"], count(*under)), ([agent, model, "over"], count(*over))]
        }),
    );
}

fn put_conversations(families: &mut Families, snapshot: &Snapshot) {
    let live = sessions::shown(snapshot);
    let conversations = || live.iter().filter(|(_, s)| s.kind == SessionKind::Conversation);
    families.each(
        &row::SESSION_TOKENS,
        conversations().flat_map(|(id, session)| {
            let (tokens, ..) = so_far(snapshot, session);
            kinds(&tokens).map(|(kind, n)| ([id.as_str(), kind], n))
        }),
    );
    families.each(
        &row::SESSION_COST,
        conversations().filter_map(|(id, session)| {
            let (tokens, cost, unpriced) = so_far(snapshot, session);
            has_price(&tokens, unpriced).then(|| ([id.as_str()], cost.dollars()))
        }),
    );
}

/// What a conversation used with what is being told of it: its tokens, what the priced ones cost, and
/// how many have no price.
fn so_far(snapshot: &Snapshot, session: &Session) -> (TokenCounts, Money, u64) {
    let figures = &session.figures;
    match snapshot.telling.get(&session.id) {
        None => (figures.tokens, figures.cost, figures.unpriced_tokens),
        Some(open) => (
            figures.tokens.plus(&open.tokens),
            figures.cost.saturating_add(open.cost),
            figures.unpriced_tokens.saturating_add(open.unpriced_tokens),
        ),
    }
}

fn put_ingest(families: &mut Families, snapshot: &Snapshot) {
    let LineCounts {
        counted,
        duplicate,
        ignored,
        malformed,
        oversized,
        unknown,
        dropped,
        bytes,
        reused,
    } = snapshot.lines;
    let results = [
        ("counted", counted),
        ("duplicate", duplicate),
        ("ignored", ignored),
        ("malformed", malformed),
        ("oversized", oversized),
        ("unknown", unknown),
        ("dropped", dropped),
    ];
    families.few(&row::INGEST_LINES, results.map(|(result, n)| ([result], count(n))));
    families.one(&row::INGEST_BYTES, count(bytes));
    families.one(&row::INGEST_FILES, count(snapshot.files));
    families.one(&row::INGEST_LAG_BYTES, count(snapshot.lag.bytes));
    let behind = snapshot.lag.since.map_or(0, |since| snapshot.at.wall.0.saturating_sub(since.0));
    families.one(&row::INGEST_LAG, Wall(behind.max(0)).seconds());
    families.one(&row::INGEST_REUSED, count(reused));
    let compactions = snapshot.compactions.iter();
    families.each(&row::COMPACTIONS, compactions.map(|(agent, n)| ([agent.as_str()], count(*n))));
    let quotas = || {
        snapshot
            .quotas
            .iter()
            .map(|((agent, window), quota)| ([agent.as_str(), window.as_str()], quota))
    };
    families.each(&row::RATE_LIMIT_USED, quotas().map(|(labels, quota)| (labels, quota.used)));
    families.each(
        &row::RATE_LIMIT_RESET,
        quotas().filter_map(|(labels, quota)| Some((labels, quota.resets?.seconds()))),
    );
}
