//! Conversations of an agent that memory has forgotten: found in the store, by page, number or id.

use std::sync::Arc;

use hyper::StatusCode;

use super::Desk;
use super::answer::{Answer, json};
use super::chains::shown_link;
use super::problem::Problem;
use super::query::Query;
use crate::chains::chain::{Chain, Link};
use crate::serve::wire::agents as wire;
use crate::store::reading::reader::Unanswered;
use crate::store::reading::{Answer as Kept, LinksWanted, Page, Question};

/// Conversations of one page where nothing is said, and at most.
const USUAL: u32 = 100;
/// See [`USUAL`].
const MOST: u32 = 1000;

/// A page, newest first. What memory knows is newer than what the store has of it.
pub(super) async fn page(desk: &Desk, chain: &Chain, query: &Query) -> Result<Answer, Problem> {
    let limit = query.number("limit")?.unwrap_or(USUAL).clamp(1, MOST);
    let (number, before) = (query.number::<u64>("number")?, query.number::<u64>("before")?);
    let below = before.unwrap_or(u64::MAX);
    let asked = |link: &&Arc<Link>| {
        link.number < below && number.is_none_or(|number| link.number == number)
    };
    let all = chain.links.iter().rev().filter(asked);
    let mut links: Vec<Arc<Link>> = all.take(limit as usize).cloned().collect();
    let oldest = chain.links.front().map_or(u64::MAX, |link| link.number);
    let mut more = chain.links.iter().rev().filter(asked).count() > links.len();
    let rest = limit - u32::try_from(links.len()).unwrap_or(limit);
    let is_whole = number.is_some() && !links.is_empty();
    if oldest > 1 && !is_whole && (rest > 0 || !more) {
        let before = Some(below.min(oldest));
        let wanted = LinksWanted { before, number, limit: rest, ..of(chain) };
        let kept = ask(desk, wanted).await?;
        // Nothing fits any more, but whether there is something has to be said.
        more |= kept.more;
        links.extend(kept.items.into_iter().map(Arc::new));
    }
    let next = links.last().map(|link| link.number).filter(|_| more);
    let conversations = links.iter().map(|link| shown_link(chain, link)).collect();
    let (agent, count) = (chain.agent.clone(), chain.count);
    Ok(json(StatusCode::OK, &wire::Conversations { agent, count, conversations, next }))
}

/// A conversation that is not in memory.
pub(super) async fn find(desk: &Desk, chain: &Chain, id: &str) -> Result<Option<Link>, Problem> {
    // All that there were are in memory.
    if chain.links.len() as u64 == chain.count {
        return Ok(None);
    }
    let wanted = LinksWanted { id: Some(id.to_owned()), limit: 1, ..of(chain) };
    Ok(ask(desk, wanted).await?.items.pop())
}

/// A conversation with all that it worked on, which memory keeps of the newest only.
pub(super) async fn whole(
    desk: &Desk,
    chain: &Chain,
    id: &str,
) -> Result<Option<Arc<Link>>, Problem> {
    let known = chain.get(id);
    if let Some(link) = known.filter(|link| !link.let_go) {
        return Ok(Some(Arc::clone(link)));
    }
    let wanted = LinksWanted { id: Some(id.to_owned()), limit: 1, ..of(chain) };
    let kept = ask(desk, wanted).await?.items.pop();
    Ok(match (known, kept) {
        (Some(known), Some(kept)) => {
            let continuation = Arc::new(known.whole_work(&kept.continuation));
            Some(Arc::new(Link { continuation, ..Link::clone(known) }))
        }
        (known, kept) => kept.map(Arc::new).or_else(|| known.cloned()),
    })
}

fn of(chain: &Chain) -> LinksWanted {
    LinksWanted { agent: chain.agent.clone(), ..LinksWanted::default() }
}

async fn ask(desk: &Desk, wanted: LinksWanted) -> Result<Page<Link>, Problem> {
    match desk.sources.history.ask(Question::Conversations(Box::new(wanted))).await {
        Ok(Kept::Conversations(page)) => Ok(page),
        Ok(_) => Err(Problem::no_reply()),
        Err(Unanswered::InMemory) => Ok(Page { items: Vec::new(), more: false }),
        Err(why) => Err(Problem::busy(&why.to_string())),
    }
}
