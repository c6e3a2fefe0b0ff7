//! Rows for the tests of this room: one of each kind, told apart by a number.

use std::sync::Arc;
use std::time::Duration;

use crate::context::{Context, GitState};
use crate::ledger::row::{Batch, EventSource, Row, SampleRow, SessionEvent};
use crate::ledger::session::{Figures, Session, SessionEnd, SessionKind, SessionState, Totals};
use crate::tokens::{Cost, TokenCounts, Usage, UsageKey, UsageSource};
use crate::units::{Bytes, ExitStatus, Money, ProcId, SessionId, Wall};

/// The moment that all examples are of.
pub const AT: Wall = Wall(1_790_000_000_000);

pub fn id(number: u128) -> SessionId {
    SessionId::new(AT, number)
}

pub fn batch(rows: Vec<Row>) -> Batch {
    Batch { rows }
}

/// An event of session 1.
pub fn event(sequence: u64) -> Row {
    event_of(1, sequence)
}

pub fn event_of(session: u128, sequence: u64) -> Row {
    Row::Event(SessionEvent {
        session: id(session),
        sequence,
        at: AT,
        event_type: "started".into(),
        subtype: Some("anew".into()),
        previous_state: Some("initializing".into()),
        new_state: Some("active".into()),
        trigger: "executed".into(),
        source: EventSource::Init,
        detail: serde_json::json!({"attempt": 1}),
    })
}

/// A live session with everything that can be known of it.
pub fn session(number: u128) -> Row {
    let tokens = TokenCounts { input: 1, output: 2, cache_read: 3, ..TokenCounts::default() };
    Row::Session(Box::new(Session {
        id: id(number),
        kind: SessionKind::Process,
        parent: Some(id(99)),
        process: "web".into(),
        agent: Some("claude".into()),
        native_id: Some("native".into()),
        state: SessionState::Active,
        started: AT,
        last_activity: Wall(AT.0 + 5),
        main: Some(ProcId { pid: 42, start_ticks: u64::from(u32::MAX) + 1 }),
        context: Some(Arc::new(Context {
            command: vec!["npm".into(), "run".into()],
            git: Some(GitState { branch: Some("main".into()), ..GitState::default() }),
            ..Context::default()
        })),
        events: 2,
        figures: Figures {
            peak_memory: Some(Bytes(200)),
            mean_memory: Some(Bytes(100)),
            samples: 4,
            cpu_seconds: Some(1.5),
            tokens,
            cost: Money(77),
            unpriced_tokens: 6,
        },
        total: Totals::default(),
        end: None,
    }))
}

pub fn end() -> SessionEnd {
    SessionEnd {
        at: Wall(AT.0 + 10_000),
        duration: Duration::from_secs(10),
        status: Some(ExitStatus::Code(3)),
        reason: "it ended by itself".into(),
    }
}

/// A live session of which as little is known as a later life knows.
pub fn bare(number: u128) -> Session {
    Session {
        id: id(number),
        kind: SessionKind::Process,
        parent: None,
        process: "web".into(),
        agent: None,
        native_id: None,
        state: SessionState::Active,
        started: AT,
        last_activity: AT,
        main: None,
        context: None,
        events: 1,
        figures: Figures::default(),
        total: Totals::default(),
        end: None,
    }
}

/// A sample of session 1, so many milliseconds later.
pub fn sample(later: i64) -> Row {
    Row::Sample(SampleRow {
        session: id(1),
        at: Wall(AT.0 + later),
        resident: Bytes(4096),
        anonymous: Bytes(1024),
        processes: 3,
        label: "interval".into(),
    })
}

pub fn usage(key: u64) -> Row {
    Row::Usage {
        session: Some(id(1)),
        process: "web".into(),
        usage: Box::new(Usage {
            key: UsageKey(key),
            source: UsageSource::OtlpLogs,
            agent: "claude".into(),
            provider: "anthropic".into(),
            model: "a-model".into(),
            conversation: "native".into(),
            at: AT,
            tokens: TokenCounts { input: 10, output: 20, ..TokenCounts::default() },
            reasoning: 5,
            cost: Cost::Priced(Money(1_000)),
            withheld: 3,
        }),
    }
}
