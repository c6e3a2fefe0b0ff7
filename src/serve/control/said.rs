//! What was asked and answered in the conversations of an agent: the newest from memory, and all that
//! came before them from the store, page by page.

use std::collections::BTreeSet;
use std::sync::Arc;

use hyper::StatusCode;

use super::Desk;
use super::answer::{Answer, json};
use super::chains::interaction;
use super::problem::Problem;
use super::query::Query;
use crate::chains::chain::Chain;
use crate::chains::interaction::Interaction;
use crate::serve::wire::agents as wire;
use crate::store::reading::reader::Unanswered;
use crate::store::reading::{Answer as Kept, MOST, Page, Question, SaidWanted};
use crate::units::Wall;

/// Interactions of one page where nothing is said.
const USUAL: u32 = 100;

/// Where a page ends: when the last one began, and its key as the store orders them.
type Place = (Wall, i64);

/// A page of the newest that are asked for, oldest first.
pub(super) async fn page(desk: &Desk, chain: &Chain, query: &Query) -> Result<Answer, Problem> {
    let limit = query.number("limit")?.unwrap_or(USUAL).min(MOST);
    let before = query.text("before").map(read).transpose()?;
    let of = query.text("conversation");
    let wanted = SaidWanted {
        agent: chain.agent.clone(),
        conversation: of.map(str::to_owned),
        before,
        limit,
    };
    let known = chain.interactions.iter().filter(|one| {
        of.is_none_or(|id| one.conversation == id)
            && before.is_none_or(|before| place(one) < before)
    });
    let kept = match desk.sources.history.ask(Question::Interactions(Box::new(wanted))).await {
        Ok(Kept::Interactions(page)) => page,
        Ok(_) => return Err(Problem::no_reply()),
        Err(Unanswered::InMemory) => Page { items: Vec::new(), more: false },
        // The newest can be told all the same.
        Err(_) if before.is_none() => Page { items: Vec::new(), more: false },
        Err(why) => return Err(Problem::busy(&why.to_string())),
    };
    let (items, more) = joined(known, kept, limit as usize);
    let next = items.first().filter(|_| more).map(|oldest| written(place(oldest)));
    let interactions = items.iter().map(|one| interaction(one)).collect();
    let agent = chain.agent.clone();
    Ok(json(StatusCode::OK, &wire::Interactions { agent, interactions, next }))
}

/// The newest of both, oldest first, and whether there are more. What memory knows of one is newer
/// than what the store has of it.
fn joined<'c>(
    known: impl Iterator<Item = &'c Arc<Interaction>>,
    kept: Page<Interaction>,
    limit: usize,
) -> (Vec<Arc<Interaction>>, bool) {
    // What is older than all that the store told may have others between: it comes with a later page.
    let oldest = kept.items.last().map(place).filter(|_| kept.more);
    let mut all: Vec<Arc<Interaction>> =
        known.filter(|one| oldest.is_none_or(|oldest| place(one) >= oldest)).cloned().collect();
    let keys: BTreeSet<u64> = all.iter().map(|one| one.key).collect();
    all.extend(kept.items.into_iter().filter(|one| !keys.contains(&one.key)).map(Arc::new));
    all.sort_by_key(|one| place(one));
    let surplus = all.len().saturating_sub(limit);
    all.drain(..surplus);
    (all, kept.more || surplus > 0)
}

fn place(one: &Interaction) -> Place {
    (one.at, one.key.cast_signed())
}

fn written((at, key): Place) -> String {
    format!("{:x}.{:x}", at.0.cast_unsigned(), key.cast_unsigned())
}

fn read(text: &str) -> Result<Place, Problem> {
    let read = || {
        let (at, key) = text.split_once('.')?;
        let number = |text| u64::from_str_radix(text, 16).map(u64::cast_signed).ok();
        Some((Wall(number(at)?), number(key)?))
    };
    read().ok_or_else(|| {
        let problem = Problem::bad_request("`before` is no place of a page");
        problem.suggest("take `next` of the page before, or leave it out for the newest")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chains::interaction::Origin;

    fn said(key: u64, at: i64) -> Interaction {
        Interaction {
            key,
            agent: "claude".into(),
            conversation: "c1".into(),
            session: None,
            at: Wall(at),
            origin: Origin::Api,
            prompt: None,
            response: None,
            metadata: serde_json::Map::new(),
        }
    }

    fn keys((items, more): (Vec<Arc<Interaction>>, bool)) -> (Vec<u64>, bool) {
        (items.iter().map(|one| one.key).collect(), more)
    }

    #[test]
    fn what_memory_and_the_store_know_comes_once_and_in_order() {
        let known: Vec<_> = [said(7, 70), said(3, 30), said(8, 80)].map(Arc::new).into();
        let page = |items, more| Page { items, more };
        let all = page(vec![said(7, 70), said(5, 50), said(3, 30), said(1, 10)], false);
        assert_eq!(keys(joined(known.iter(), all.clone(), 9)), (vec![1, 3, 5, 7, 8], false));
        assert_eq!(keys(joined(known.iter(), all, 2)), (vec![7, 8], true));
        // What was not committed yet, and lies before all that the store told of, waits for its page.
        let first = page(vec![said(7, 70), said(5, 50)], true);
        assert_eq!(keys(joined(known.iter(), first, 9)), (vec![5, 7, 8], true));
        let none = page(Vec::new(), false);
        assert_eq!(keys(joined(known.iter(), none, 2)), (vec![7, 8], true));
    }

    #[test]
    fn a_place_is_read_as_it_was_written() {
        for place in [(Wall(0), 0), (Wall(1_790_000_000_000), i64::MIN), (Wall(-5), -1)] {
            let text = written(place);
            assert!(read(&text).is_ok_and(|read| read == place), "{text}");
        }
        for odd in ["", "x", "1", "1.", ".1", "1.2.3", "1.x"] {
            assert!(read(odd).is_err(), "{odd}");
        }
    }
}
