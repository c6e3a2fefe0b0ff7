//! The families of sessions: how many there are, and the live ones one by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::chains::chain::Chain;
use crate::ledger::session::{Session, SessionKind, SessionState};
use crate::ledger::snapshot::Snapshot;
use crate::metrics::catalogue as row;
use crate::metrics::families::{Families, count};
use crate::units::SessionId;

/// Live sessions that have series of their own, the newest ones. Each has up to eleven; idle
/// conversations do not end by themselves, so that without a bound a busy day would grow without
/// end. `procession_sessions` counts all of them.
pub const LIVE_SESSIONS_SHOWN: usize = 64;

/// Adds them in the order of the catalogue.
pub(super) fn put(families: &mut Families, snapshot: &Snapshot) {
    put_counts(families, snapshot);
    put_bounds(families, snapshot);
    let live = shown(snapshot);
    put_live(families, &live);
    put_contexts(families, snapshot, &live);
    put_chains(families, snapshot);
}

/// The live sessions that have series of their own, each with its id as text.
pub(super) fn shown(snapshot: &Snapshot) -> Vec<(String, &Session)> {
    let hidden = snapshot.sessions.len().saturating_sub(LIVE_SESSIONS_SHOWN);
    let newest = snapshot.sessions.iter().skip(hidden).map(Arc::as_ref);
    newest.map(|session| (session.id.to_string(), session)).collect()
}

fn put_counts(families: &mut Families, snapshot: &Snapshot) {
    let live = live_by_state(snapshot);
    families.few(
        &row::SESSIONS,
        live.iter().map(|((kind, state), n)| ([kind.as_str(), state.as_str()], count(*n))),
    );
    let opened = snapshot.opened.iter();
    families.each(
        &row::SESSIONS_OPENED,
        opened.map(|((kind, process), n)| ([kind.as_str(), process.as_str()], count(*n))),
    );
    let ended = snapshot.closed.iter();
    families.each(
        &row::SESSIONS_ENDED,
        ended.map(|((kind, process, end), n)| {
            ([kind.as_str(), process.as_str(), end.as_str()], count(*n))
        }),
    );
}

fn put_bounds(families: &mut Families, snapshot: &Snapshot) {
    let house = &snapshot.house;
    families.one(&row::SESSIONS_LIMIT, f64::from(house.sessions_limit));
    families.one(&row::SESSIONS_LIMIT_USED, f64::from(house.sessions_open));
    families.one(&row::SESSIONS_REFUSED, count(house.sessions_refused));
    families.few(
        &row::SESSIONS_RESUMED,
        house.sessions_resumed.iter().map(|(kind, n)| ([kind.as_str()], count(*n))),
    );
    families.few(
        &row::IDLE_WARNINGS,
        house.idle_warnings.iter().map(|(kind, n)| ([kind.as_str()], count(*n))),
    );
}

fn put_live(families: &mut Families, live: &[(String, &Session)]) {
    let parents: Vec<String> = live
        .iter()
        .map(|(_, session)| session.parent.map(|parent| parent.to_string()).unwrap_or_default())
        .collect();
    families.each(
        &row::SESSION_INFO,
        live.iter().zip(&parents).map(|((id, session), parent)| {
            let agent = session.agent.as_deref().unwrap_or_default();
            ([id, session.kind.as_str(), &session.process, agent, parent], 1.0)
        }),
    );
    families.each(
        &row::SESSION_STARTED,
        live.iter().map(|(id, session)| ([id.as_str()], session.started.seconds())),
    );
    families.each(
        &row::SESSION_ACTIVITY,
        live.iter().map(|(id, session)| ([id.as_str()], session.last_activity.seconds())),
    );
}

/// How full the windows of live conversations are.
fn put_contexts(families: &mut Families, snapshot: &Snapshot, live: &[(String, &Session)]) {
    let links = snapshot.chains.iter().flat_map(|chain| {
        chain.links.iter().filter_map(move |link| Some((link.session?, (chain, link))))
    });
    let links: BTreeMap<SessionId, _> = links.collect();
    let known = live.iter().filter_map(|(id, session)| {
        let (chain, link) = links.get(&session.id)?;
        let tokens = link.context.as_ref()?.tokens;
        Some((id.as_str(), tokens, link.window(&chain.limits), link.ratio(&chain.limits)?))
    });
    let known: Vec<_> = known.collect();
    let tokens = known.iter().map(|(id, tokens, _, _)| ([*id], count(*tokens)));
    families.each(&row::SESSION_CONTEXT_TOKENS, tokens);
    let windows = known.iter().map(|(id, _, window, _)| ([*id], count(*window)));
    families.each(&row::SESSION_CONTEXT_WINDOW, windows);
    let ratios = known.iter().map(|(id, _, _, ratio)| ([*id], *ratio));
    families.each(&row::SESSION_CONTEXT_RATIO, ratios);
}

fn put_chains(families: &mut Families, snapshot: &Snapshot) {
    let is_live = |id: SessionId| snapshot.sessions.iter().any(|session| session.id == id);
    let ratio = |chain: &Chain| {
        let current = chain.current().filter(|link| link.session.is_some_and(is_live))?;
        current.ratio(&chain.limits)
    };
    let each = || snapshot.chains.iter().map(|chain| (chain.agent.as_str(), &**chain));
    families.each(
        &row::AGENT_CONTEXT_RATIO,
        each().filter_map(|(name, chain)| Some(([name], ratio(chain)?))),
    );
    families
        .each(&row::AGENT_CONVERSATIONS, each().map(|(name, chain)| ([name], count(chain.count))));
    families.each(
        &row::AGENT_HAND_OVERS,
        each().map(|(name, chain)| ([name], count(chain.hand_overs_due))),
    );
}

fn live_by_state(snapshot: &Snapshot) -> BTreeMap<(SessionKind, SessionState), u64> {
    let known = SessionKind::ALL.into_iter().flat_map(|kind| {
        let live = SessionState::ALL.into_iter().filter(|state| !state.is_end());
        live.map(move |state| ((kind, state), 0))
    });
    let mut counts: BTreeMap<_, u64> = known.collect();
    for session in &snapshot.sessions {
        *counts.entry((session.kind, session.state)).or_default() += 1;
    }
    counts
}
