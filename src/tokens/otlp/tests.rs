//! Bodies as agents send them, in both encodings, and bodies that nobody should send.

use super::*;
use crate::tokens::agents::Extras;
use std::time::Duration;

/// A message of protocol buffers that is being written.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    fn number(mut self, field: u64, number: u64) -> Self {
        self.varint(field << 3);
        self.varint(number);
        self
    }

    fn fixed(mut self, field: u64, bits: u64) -> Self {
        self.varint(field << 3 | 1);
        self.0.extend(bits.to_le_bytes());
        self
    }

    fn within(self, field: u64, other: &Self) -> Self {
        self.bytes(field, &other.0)
    }
}

fn attribute(key: &str, value: &str) -> Message {
    Message::default().text(1, key).within(2, &Message::default().text(1, value))
}

/// A point of a sum.
fn point(value: f64, [start, time]: [u64; 2], attributes: &[(&str, &str)]) -> Message {
    let point = Message::default().fixed(2, start).fixed(3, time).fixed(4, value.to_bits());
    attributes.iter().fold(point, |point, (key, value)| point.within(7, &attribute(key, value)))
}

/// A body with one sum, delta (1) or cumulative (2).
fn metrics(name: &str, temporality: u64, points: &[Message]) -> Vec<u8> {
    let sum = points.iter().fold(Message::default(), |sum, point| sum.within(1, point));
    let sum = sum.number(2, temporality).number(3, 1);
    let metric = Message::default().text(1, name).text(3, "tokens").within(7, &sum);
    let scope = Message::default().within(2, &metric);
    let resource = Message::default().within(1, &attribute("service.name", "claude-code"));
    Message::default().within(1, &Message::default().within(1, &resource).within(2, &scope)).0
}

const CLAUDE: &str = "claude_code.token.usage";
const HOUR: u64 = 3_600_000_000_000;

fn claude(value: f64, at: [u64; 2], kind: &str) -> Message {
    point(value, at, &[("session.id", "5e0c"), ("type", kind), ("model", "claude-sonnet-5")])
}

fn take(decoder: &mut Decoder, body: &[u8]) -> Told {
    decoder.read(Signal::Metrics, Encoding::Protobuf, body).expect("a body")
}

fn total(told: &Told) -> u64 {
    told.calls.iter().map(|call| call.tokens.total()).sum()
}

/// The example of Claude Code's documentation.
const EXAMPLE: &str = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":
{"stringValue":"claude-code"}}]},"scopeMetrics":[{"scope":{"name":"com.anthropic.claude_code"},
"metrics":[{"name":"claude_code.token.usage","unit":"tokens","sum":{"aggregationTemporality":1,
"isMonotonic":true,"dataPoints":[{"asDouble":412,"startTimeUnixNano":"1790000000000000000",
"timeUnixNano":"1790000060000000000","attributes":[{"key":"session.id","value":{"stringValue":"5e0c"}},
{"key":"type","value":{"stringValue":"output"}},{"key":"model","value":{"stringValue":
"claude-sonnet-5"}}]}]}}]}]}]}"#;

#[test]
fn both_encodings_tell_the_same() {
    let at = [1_790_000_000_000_000_000, 1_790_000_060_000_000_000];
    let binary = metrics(CLAUDE, 1, &[claude(412.0, at, "output")]);
    let from = |encoding, body: &[u8]| {
        let told = Decoder::default().read(Signal::Metrics, encoding, body).expect("a body");
        assert_eq!(told.figures, Figures { used: 1, unused: 0, rejected: 0 });
        let [call] = &told.calls[..] else { panic!("{told:?}") };
        assert!(call.key.is_some());
        Call { key: None, ..call.clone() }
    };
    let call = from(Encoding::Json, EXAMPLE.as_bytes());
    assert_eq!(call, from(Encoding::Protobuf, &binary));
    let expected = Call {
        source: UsageSource::OtlpMetrics,
        model: "claude-sonnet-5".into(),
        conversation: "5e0c".into(),
        at: Some(Wall(1_790_000_060_000)),
        tokens: TokenCounts { output: 412, ..TokenCounts::default() },
        ..Call::default()
    };
    assert_eq!(call, expected);
}

#[test]
fn the_kinds_of_one_interval_are_one_call_and_a_retry_has_its_key() {
    let at = [HOUR, 2 * HOUR];
    let kinds = [("input", 6.0), ("output", 4.0), ("cacheRead", 20.0), ("cacheCreation", 9.0)];
    let points = kinds.map(|(kind, value)| claude(value, at, kind));
    let (body, mut decoder) = (metrics(CLAUDE, 1, &points), Decoder::default());
    let first = take(&mut decoder, &body);
    let tokens = TokenCounts {
        input: 6,
        output: 4,
        cache_read: 20,
        cache_write_5m: 9,
        ..Default::default()
    };
    assert_eq!((first.calls.len(), first.calls[0].tokens), (1, tokens));
    assert_eq!(take(&mut decoder, &body).calls[0].key, first.calls[0].key);
    let later = metrics(CLAUDE, 1, &[claude(6.0, [2 * HOUR, 3 * HOUR], "input")]);
    assert_ne!(take(&mut decoder, &later).calls[0].key, first.calls[0].key);
}

#[test]
fn cumulative_sums_count_by_what_they_grew_also_over_resets() {
    let mut decoder = Decoder::default();
    let mut told = |value, start, time| {
        let body = metrics(CLAUDE, 2, &[claude(value, [start, time], "input")]);
        total(&take(&mut decoder, &body))
    };
    assert_eq!(told(100.0, 1, 10), 100, "the whole of its beginning");
    assert_eq!(told(150.0, 1, 20), 50);
    assert_eq!(told(150.0, 1, 20), 0, "a retry");
    assert_eq!(told(120.0, 1, 15), 0, "one that was overtaken");
    assert_eq!(told(30.0, 25, 30), 30, "another beginning");
    assert_eq!(told(10.0, 25, 40), 10, "a beginning that is not told");
    assert_eq!(told(11.0, 25, 50), 1);
}

#[test]
fn a_body_that_breaks_off_moves_nothing() {
    let mut decoder = Decoder::default();
    let body = metrics(CLAUDE, 2, &[claude(100.0, [1, 10], "input")]);
    for length in 1..body.len() {
        let read = decoder.read(Signal::Metrics, Encoding::Protobuf, &body[..length]);
        assert!(read.is_err(), "{length}");
    }
    assert_eq!(total(&take(&mut decoder, &body)), 100);
}

#[test]
fn what_cannot_be_true_is_rejected_and_the_rest_counts() {
    let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e13];
    for temporality in [0, 1, 2, 99] {
        let points: Vec<_> =
            bad.iter().chain(&[7.0]).map(|value| claude(*value, [1, 2], "input")).collect();
        let told = take(&mut Decoder::default(), &metrics(CLAUDE, temporality, &points));
        assert_eq!(told.figures.rejected, 5);
        assert_eq!((told.figures.used, total(&told)), (1, 7));
    }
    let odd = metrics(CLAUDE, 1, &[claude(7.0, [1, 2], "telepathy")]);
    let told = take(&mut Decoder::default(), &odd);
    assert_eq!((told.figures.unused, told.calls.len()), (1, 0));
}

#[test]
fn a_million_attributes_take_no_room() {
    let attributes = Message::default().text(1, "k").within(2, &Message::default().text(1, "v"));
    let mut point = claude(7.0, [1, 2], "input");
    for _ in 0..300_000 {
        point = point.within(7, &attributes);
    }
    let told = take(&mut Decoder::default(), &metrics(CLAUDE, 1, &[point]));
    assert_eq!(total(&told), 7);
}

#[test]
fn more_sums_than_one_sender_has_are_rejected() {
    let many = |n: u32| {
        let model = format!("m{n}");
        point(1.0, [1, 2], &[("type", "input"), ("model", &model), ("session.id", "s")])
    };
    let points: Vec<_> = (0..2_500).map(many).collect();
    let told = take(&mut Decoder::default(), &metrics(CLAUDE, 2, &points));
    assert_eq!(told.figures, Figures { used: 2_000, unused: 0, rejected: 500 });
}

/// A body of one event, as JSON.
fn event(name: &str, service: &str, attributes: &str) -> String {
    format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":
        "{service}"}}}}]}},"scopeLogs":[{{"logRecords":[{{"timeUnixNano":"1790000000000000000",
        "body":{{"stringValue":"{name}"}},"attributes":[{attributes}]}}]}}]}}]}}"#
    )
}

fn text(key: &str, value: &str) -> String {
    format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#)
}

fn int(key: &str, value: u64) -> String {
    format!(r#"{{"key":"{key}","value":{{"intValue":"{value}"}}}}"#)
}

fn call(body: &str) -> Call {
    let told = Decoder::default().read(Signal::Logs, Encoding::Json, body.as_bytes());
    let mut told = told.expect("a body");
    assert_eq!((told.figures.used, told.calls.len()), (1, 1), "{body}");
    told.calls.remove(0)
}

#[test]
fn a_request_of_claude_is_known_by_its_id() {
    let attributes = [
        text("event.name", "api_request"),
        text("session.id", "5e0c"),
        text("model", "claude-opus-4-6"),
        text("request_id", "req_1"),
        text("speed", "fast"),
        int("input_tokens", 6),
        text("output_tokens", "412"),
        int("cache_read_tokens", 21_000),
        int("cache_creation_tokens", 900),
        int("duration_ms", 2_500),
    ];
    let body = event("claude_code.api_request", "claude-code", &attributes.join(","));
    let found = call(&body);
    let expected = Call {
        key: Some(UsageKey::of("claude_otlp", b"req_1")),
        source: UsageSource::OtlpLogs,
        model: "claude-opus-4-6".into(),
        conversation: "5e0c".into(),
        at: Some(Wall(1_790_000_000_000)),
        latency: Some(Duration::from_millis(2_500)),
        tokens: TokenCounts {
            input: 6,
            output: 412,
            cache_read: 21_000,
            cache_write_5m: 900,
            ..TokenCounts::default()
        },
        extras: Extras { fast: true, ..Extras::default() },
        ..Call::default()
    };
    assert_eq!(found, expected);
    let failed = event("claude_code.api_error", "claude-code", &attributes[..4].join(","));
    let failed = call(&failed);
    assert!(failed.failed && failed.tokens.total() == 0);
}

#[test]
fn the_input_of_codex_includes_what_was_cached() {
    let attributes = [
        text("event.kind", "response.completed"),
        text("conversation.id", "c1"),
        text("model", "gpt-5.5"),
        text("input_token_count", "1500"),
        text("output_token_count", "300"),
        int("cached_token_count", 1_000),
        int("reasoning_token_count", 40),
    ];
    let found = call(&event("codex.sse_event", "codex_cli_rs", &attributes.join(",")));
    let tokens =
        TokenCounts { input: 500, output: 300, cache_read: 1_000, ..TokenCounts::default() };
    assert_eq!((found.tokens, found.reasoning), (tokens, 40));
    assert_eq!((found.conversation.as_str(), found.model.as_str()), ("c1", "gpt-5.5"));
}

#[test]
fn the_output_of_gemini_excludes_thoughts() {
    let attributes = [
        text("event.name", "gemini_cli.api_response"),
        text("session.id", "g1"),
        text("model", "gemini-2.5-pro"),
        int("input_token_count", 8_200),
        int("output_token_count", 300),
        int("cached_content_token_count", 6_000),
        int("thoughts_token_count", 150),
        int("tool_token_count", 7),
    ];
    let found = call(&event("", "gemini-cli", &attributes.join(",")));
    let tokens =
        TokenCounts { input: 2_207, output: 450, cache_read: 6_000, ..TokenCounts::default() };
    assert_eq!((found.tokens, found.reasoning), (tokens, 150));
}

#[test]
fn counters_win_over_the_histogram_that_says_the_same() {
    let model = [("gen_ai.request.model", "m"), ("gen_ai.provider.name", "openai")];
    let histogram = |kind: &str, sum: f64| {
        let point = Message::default().fixed(2, 1).fixed(3, 2).fixed(4, 9).fixed(5, sum.to_bits());
        let all = [&model[..], &[("gen_ai.token.type", kind)]].concat();
        all.iter().fold(point, |point, (key, value)| point.within(9, &attribute(key, value)))
    };
    let data = Message::default().within(1, &histogram("input", 50.0));
    let data = data.within(1, &histogram("output", 5.0)).number(2, 1);
    let old = Message::default().text(1, "gen_ai.client.token.usage").within(9, &data);
    let new = |part: &str, value: f64| {
        let sum = Message::default().within(1, &point(value, [1, 2], &model)).number(2, 1);
        let name = format!("gen_ai.client.inference.usage.{part}");
        Message::default().text(1, &name).within(7, &sum)
    };
    let body = |metrics: &[&Message]| {
        let scope = metrics.iter().fold(Message::default(), |scope, one| scope.within(2, one));
        Message::default().within(1, &Message::default().within(2, &scope)).0
    };
    let told = take(&mut Decoder::default(), &body(&[&old]));
    assert_eq!((told.calls.len(), total(&told)), (1, 55));
    assert_eq!(told.calls[0].provider.as_deref(), Some("openai"));
    let (input, output) = (new("input_tokens", 50.0), new("output_tokens", 5.0));
    let (cached, thought) =
        (new("cache_read.input_tokens", 40.0), new("reasoning.output_tokens", 3.0));
    let told = take(&mut Decoder::default(), &body(&[&old, &input, &output, &cached, &thought]));
    let tokens = TokenCounts { input: 10, output: 5, cache_read: 40, ..TokenCounts::default() };
    assert_eq!((told.calls.len(), told.calls[0].tokens), (1, tokens));
    assert_eq!(told.calls[0].reasoning, 3);
}

#[test]
fn what_is_not_used_is_counted_and_bad_bodies_are_refused() {
    let mut decoder = Decoder::default();
    let spans = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a"},{}]}]}]}"#;
    let told = decoder.read(Signal::Traces, Encoding::Json, spans).expect("a body");
    assert_eq!(told.figures, Figures { used: 0, unused: 2, rejected: 0 });
    let other = metrics("http.server.duration", 1, &[point(1.0, [1, 2], &[])]);
    assert_eq!(take(&mut decoder, &other).figures.unused, 1);
    for signal in Signal::ALL {
        assert_eq!(
            decoder.read(signal, Encoding::Protobuf, b"").expect("nothing"),
            Told::default()
        );
        assert_eq!(decoder.read(signal, Encoding::Json, b"{}").expect("nothing"), Told::default());
        for bad in
            [&b"["[..], b"7", b"{\"resourceMetrics\":7,\"resourceLogs\":7,\"resourceSpans\":7}"]
        {
            assert!(decoder.read(signal, Encoding::Json, bad).is_err());
        }
        for bad in [&[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0xff; 11], &[0x0b], &[0, 1]] {
            assert!(decoder.read(signal, Encoding::Protobuf, bad).is_err(), "{bad:?}");
        }
    }
}

/// 20,000 points a second are wanted on one core; this is fifty times what a test machine needs.
#[test]
fn twenty_thousand_points_are_read_in_a_moment() {
    let points: Vec<_> = (0..20_000u64)
        .map(|n| claude(5.0, [n, n + 1], ["input", "output"][usize::from(n % 2 == 0)]))
        .collect();
    let body = metrics(CLAUDE, 1, &points);
    assert!(body.len() < 4 << 20, "{}", body.len());
    let told = take(&mut Decoder::default(), &body);
    assert_eq!((told.figures.used, total(&told)), (20_000, 100_000));
}
