//! Prices by date, tier and kind.

use super::*;

const NOV: Wall = Wall(1_795_000_000_000);

fn dollars(model: &str, tokens: TokenCounts, extras: &Extras) -> Option<f64> {
    match Prices::embedded().cost(model, NOV, &tokens, extras) {
        Cost::Priced(money) => Some(money.dollars()),
        Cost::Unpriced | Cost::Estimated(_) => None,
    }
}

fn million(kind: TokenKind) -> TokenCounts {
    let mut tokens = TokenCounts::default();
    match kind {
        TokenKind::Input => tokens.input = 1_000_000,
        TokenKind::Output => tokens.output = 1_000_000,
        TokenKind::CacheRead => tokens.cache_read = 1_000_000,
        TokenKind::CacheWrite5m => tokens.cache_write_5m = 1_000_000,
        TokenKind::CacheWrite1h => tokens.cache_write_1h = 1_000_000,
        TokenKind::CacheWrite => tokens.cache_write = 1_000_000,
    }
    tokens
}

#[test]
fn the_embedded_table_can_be_read() {
    let prices = Prices::parse(EMBEDDED).expect("the table in the binary");
    assert!(prices.models.len() > 30);
    assert!(prices.as_of().is_some());
}

#[test]
fn a_million_tokens_cost_what_the_list_says() {
    for (model, input, output) in [
        ("claude-3-opus-20240229", 15.0, 75.0),
        ("claude-3-sonnet-20240229", 3.0, 15.0),
        ("claude-3-haiku-20240307", 0.25, 1.25),
        ("claude-3-5-haiku-20241022", 0.8, 4.0),
        ("claude-opus-4-20250514", 15.0, 75.0),
        ("claude-opus-4-5-20251101", 5.0, 25.0),
        ("claude-sonnet-5", 2.0, 10.0),
        ("claude-opus-5-5", 4.0, 20.0),
    ] {
        let none = Extras::default();
        assert_eq!(dollars(model, million(TokenKind::Input), &none), Some(input), "{model}");
        assert_eq!(dollars(model, million(TokenKind::Output), &none), Some(output), "{model}");
    }
}

#[test]
fn each_way_to_cache_has_its_own_price() {
    for (kind, cost) in [
        (TokenKind::CacheRead, Some(0.2)),
        (TokenKind::CacheWrite5m, Some(2.5)),
        (TokenKind::CacheWrite1h, Some(4.0)),
        // For a time that is not told: five minutes is what is written where nobody asks for more.
        (TokenKind::CacheWrite, Some(2.5)),
    ] {
        let found = dollars("claude-sonnet-5", million(kind), &Extras::default());
        assert_eq!(found, cost, "{kind:?}");
    }
}

#[test]
fn what_has_no_price_is_unpriced_and_never_free() {
    let batch = Extras { service_tier: Some("batch".into()), ..Extras::default() };
    let priority = Extras { service_tier: Some("priority".into()), ..Extras::default() };
    let fast = Extras { fast: true, ..Extras::default() };
    let input = million(TokenKind::Input);
    assert_eq!(dollars("claude-next-9", input, &Extras::default()), None);
    assert_eq!(dollars("claude-sonnet", input, &Extras::default()), None);
    assert_eq!(dollars("", input, &Extras::default()), None);
    assert_eq!(dollars("claude-3-5-haiku@20241022", input, &batch), None);
    assert_eq!(dollars("claude-sonnet-5", input, &priority), None);
    assert_eq!(dollars("claude-sonnet-5", input, &fast), None);
    assert_eq!(dollars("claude-3-sonnet", million(TokenKind::CacheRead), &Extras::default()), None);
}

#[test]
fn tiers_of_service_place_and_searches_change_the_cost() {
    let input = million(TokenKind::Input);
    let plain = Extras::default();
    for (extras, cost) in [
        (Extras { service_tier: Some("batch".into()), ..plain.clone() }, 2.5),
        (Extras { fast: true, ..plain.clone() }, 10.0),
        (Extras { inference_geo: Some("us".into()), ..plain.clone() }, 5.5),
        (Extras { web_searches: 3, ..plain.clone() }, 5.03),
        (Extras { fast: true, inference_geo: Some("us".into()), ..plain.clone() }, 11.0),
    ] {
        assert_eq!(dollars("claude-opus-5", input, &extras), Some(cost), "{extras:?}");
    }
}

#[test]
fn a_long_prompt_raises_the_rate_of_the_whole_request() {
    let at = TokenCounts { cache_read: 100_000, output: 10, ..TokenCounts::default() };
    let above = TokenCounts { cache_read: 100_001, output: 10, ..TokenCounts::default() };
    let cost = |t| Prices::embedded().cost("claude-haiku-5-5", NOV, &t, &Extras::default());
    assert_eq!(cost(at), Cost::Priced(Money(1_005_000)));
    assert_eq!(cost(above), Cost::Priced(Money(5_025_050)));
}

#[test]
fn a_compaction_is_a_request_with_a_prompt_of_its_own() {
    let compaction = TokenCounts { input: 60_000, ..TokenCounts::default() };
    let tokens = TokenCounts { input: 120_000, ..TokenCounts::default() };
    let extras = Extras { compaction, ..Extras::default() };
    assert_eq!(dollars("claude-haiku-5-5", tokens, &extras), Some(0.012));
    assert_eq!(dollars("claude-haiku-5-5", tokens, &Extras::default()), Some(0.06));
}

#[test]
fn the_price_is_that_of_the_day() {
    let tokens = million(TokenKind::CacheRead);
    let cost = |at: &str| {
        let at = Wall::parse(at).expect("a time");
        Prices::embedded().cost("claude-sonnet-5-5", at, &tokens, &Extras::default())
    };
    assert_eq!(cost("2026-10-06T23:59:59Z"), Cost::Priced(Money(200_000_000)));
    assert_eq!(cost("2026-10-07T00:00:00Z"), Cost::Priced(Money(100_000_000)));
}

#[test]
fn a_response_is_rounded_once_half_up() {
    let text = r#"{"source": "", "as_of": "2026-01-01", "web_search_request": 0, "models":
        {"m": {"context": 1, "prices": [{"rates": {"input": 250, "output": 250}}]}}}"#;
    let prices = Prices::parse(text).expect("a table");
    for (input, output, nanos) in [(1, 0, 0), (1, 1, 1), (3, 3, 2), (0, 5, 1), (3, 2, 1)] {
        let tokens = TokenCounts { input, output, ..TokenCounts::default() };
        let cost = prices.cost("m", NOV, &tokens, &Extras::default());
        assert_eq!(cost, Cost::Priced(Money(nanos)), "{input} + {output}");
    }
}

#[test]
fn an_absurd_count_is_pinned_and_does_not_panic() {
    let tokens = TokenCounts { input: u64::MAX, output: u64::MAX, ..TokenCounts::default() };
    let extras = Extras { fast: true, web_searches: u64::MAX, ..Extras::default() };
    let cost = Prices::embedded().cost("claude-opus-5", NOV, &tokens, &extras);
    assert_eq!(cost, Cost::Priced(Money(i64::MAX)));
}

#[test]
fn a_faulty_table_is_refused_whole() {
    let table = |models: &str| {
        format!(r#"{{"source":"","as_of":"2026-01-01","web_search_request":0,"models":{models}}}"#)
    };
    for faulty in [
        "{".to_owned(),
        table(r#"{"m":{"context":1,"prices":[]}}"#),
        table(r#"{"m":{"context":1,"prices":[{"rates":{"input":-1}}]}}"#),
        table(r#"{"m":{"context":1,"prices":[{"rates":{"inptu":1}}]}}"#),
        table(r#"{"m":{"context":1,"aliases":["m"],"prices":[{"rates":{}}]}}"#),
        table(r#"{"m":{"context":1,"prices":[{"rates":{}},{"rates":{}}]}}"#),
        table(r#"{"m":{"context":1,"prices":[{"from":"May","rates":{}}]}}"#),
    ] {
        assert!(Prices::parse(&faulty).is_err(), "{faulty}");
    }
}

#[test]
fn the_window_of_a_model_is_its_own_or_what_its_name_says() {
    let prices = Prices::embedded();
    assert_eq!(prices.context_window("claude-sonnet-5"), Some(1_000_000));
    assert_eq!(prices.context_window("claude-sonnet-4-5-20250929"), Some(200_000));
    assert_eq!(prices.context_window("claude-sonnet-4-5[1m]"), Some(1_000_000));
    assert_eq!(prices.context_window("glm-4.6"), None);
}

#[test]
fn labels_are_short_and_say_who_answered() {
    let prices = Prices::embedded();
    for (model, label, provider) in [
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4-5", "anthropic"),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5", "aws.bedrock"),
        ("claude-opus-4-5@20251101", "claude-opus-4-5", "gcp.vertex_ai"),
        ("glm-4.6", "glm-4.6", "unknown"),
        ("", "unknown", "unknown"),
    ] {
        let found = prices.label(model);
        assert_eq!((found.model.as_str(), found.provider), (label, provider), "{model}");
    }
    assert_eq!(prices.label(&"x".repeat(500)).model.len(), 64);
}

#[test]
fn regional_endpoints_cost_more_where_the_table_says_so() {
    let input = million(TokenKind::Input);
    for (model, cost) in [
        ("us.anthropic.claude-opus-5", 5.5),
        ("global.anthropic.claude-opus-5", 5.0),
        ("anthropic.claude-opus-4-6-v1", 5.0),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", 6.0),
        ("us.anthropic.claude-3-opus-20240229-v1:0", 15.0),
    ] {
        assert_eq!(dollars(model, input, &Extras::default()), Some(cost), "{model}");
    }
    // The government's regions have prices of their own, which the table does not hold.
    assert_eq!(dollars("us-gov.anthropic.claude-opus-5", input, &Extras::default()), None);
}
