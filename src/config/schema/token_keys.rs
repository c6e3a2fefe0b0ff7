//! The keys that say where tokens are told of, and what they cost.

use super::form::Form::{Either, Map, Named, Number, Off, Text, Whole, Words};
use super::form::{Form, Key};
use super::keys::OFF_OR_TEXT;

pub(super) const TOKENS: [Key; 7] = [
    (
        "otlp",
        Either(&[Off, Words(&["auto", "off"]), Whole(1, 65_535)]),
        "Where agents send what OpenTelemetry has them send, on the loopback address: `auto` for a free port where a process declares an agent, or a port.",
    ),
    (
        "pricing_file",
        OFF_OR_TEXT,
        "Prices in the form of LiteLLM's `model_prices_and_context_window.json`, laid over those of the binary; refused whole where it has a fault.",
    ),
    ("prices", Named(&Map(&PRICES, &[])), "Prices of single models, over all others."),
    (
        "fallback_model",
        Text,
        "The model by whose prices unknown ones are estimated; such an estimate is in no cost.",
    ),
    (
        "report",
        OFF_OR_TEXT,
        "The file that holds the sums of this life as JSON; none unless written.",
    ),
    ("log", OFF_OR_TEXT, "The file that gets a line for each call; none unless written."),
    ("orphaned_spenders", Words(&["report", "end"]), "What becomes of who spends behind its end."),
];

const DOLLARS: Form = Number(0.0, 1e6);

const PRICES: [Key; 7] = [
    ("input", DOLLARS, "Dollars for a million prompt tokens that no cache has to do with."),
    ("output", DOLLARS, "Of generated ones."),
    ("cache_read", DOLLARS, "Of those read from a cache."),
    ("cache_write_5m", DOLLARS, "Of those written to a cache for five minutes."),
    ("cache_write_1h", DOLLARS, "Of those written to a cache for an hour."),
    ("cache_write", DOLLARS, "Of those written to a cache for an unknown time."),
    ("context_window", Whole(1_000, 100_000_000), "Tokens that its window holds."),
];
