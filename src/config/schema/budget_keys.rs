//! The keys of a budget.

use super::form::Form::{Many, Percent, Text, Words};
use super::form::Key;
use super::keys::ONE_HOOK;
use crate::config::plan::CountedKinds;

pub(super) const BUDGET: [Key; 10] = [
    ("process", Text, "The process whose spending counts, with all its replicas, or one replica."),
    ("agent", Text, "The agent whose spending counts; without it and `process` everything counts."),
    (
        "window",
        Words(&["day", "hour", "run", "life"]),
        "In which time: from midnight to midnight, which it is unless written; in the last sixty minutes at any moment; in one run of the process; or in this life of procession.",
    ),
    (
        "timezone",
        Text,
        "Where a day begins: UTC unless written; `local` for that of the container, or a name such as Europe/Berlin.",
    ),
    ("tokens", Text, "How many tokens may be spent, such as 5M or 250k; or write `cost`."),
    (
        "cost",
        Text,
        "How much money may be spent, in US dollars, such as `20 USD`; tokens without a known price are in no cost.",
    ),
    (
        "kinds",
        Many(&Words(&CountedKinds::NAMES)),
        "The kinds of tokens that count; all unless written.",
    ),
    (
        "warn",
        Many(&Percent),
        "Parts of the limit that are told of when they are reached; 50%, 80% and 95% unless written.",
    ),
    (
        "action",
        Many(&Text),
        "What follows beside the event when it is spent: a signal to the main processes, `hook`, `stop`, or `refuse`, so that nothing of it is begun by an order until its window is over; nothing unless written.",
    ),
    ("hook", ONE_HOOK, "The command that is run when it is spent, where `action` names `hook`."),
];
