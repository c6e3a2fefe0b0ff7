//! Every quirk of a rollout.

use super::*;
use crate::tokens::TokenCounts;

/// A file that is read line by line, and what it told.
struct Reading {
    rollout: Rollout,
    told: Vec<Line>,
}

const CHILD: &str = "019a0000-0010-7000-8000-00000000000c";
const PARENT: &str = "019a0000-0000-7000-8000-00000000000a";

impl Reading {
    fn new() -> Self {
        let path = Path::new("/r/rollout-2026-10-01T10-00-00-the-thread.jsonl");
        Self { rollout: Rollout::new(path), told: Vec::new() }
    }

    fn of(lines: &[String]) -> Self {
        let mut reading = Self::new();
        lines.iter().for_each(|line| reading.read(line));
        reading
    }

    fn read(&mut self, line: &str) {
        let told = &mut self.told;
        self.rollout.decode(line.as_bytes(), true, |line| told.push(line));
    }

    fn responses(&self) -> Vec<&Sighting> {
        let mut told = Vec::new();
        for line in &self.told {
            if let Line::Told(one) = line {
                told.push(&**one);
            }
        }
        told
    }

    fn outputs(&self) -> Vec<u64> {
        self.responses().iter().map(|told| told.tokens.output).collect()
    }
}

/// A row `ms` after ten o'clock.
fn row(ms: u64, kind: &str, payload: &str) -> String {
    let (s, ms) = (ms / 1000, ms % 1000);
    format!(
        r#"{{"timestamp":"2026-10-01T10:00:{s:02}.{ms:03}Z","type":"{kind}","payload":{payload}}}"#
    )
}

fn meta(ms: u64, id: &str, more: &str) -> String {
    row(ms, "session_meta", &format!(r#"{{"id":"{id}","cwd":"/src/x"{more}}}"#))
}

fn turn(ms: u64, id: &str, model: &str) -> String {
    row(ms, "turn_context", &format!(r#"{{"turn_id":"{id}","model":"{model}"}}"#))
}

fn spent(input: u64, output: u64) -> String {
    format!(r#"{{"input_tokens":{input},"output_tokens":{output}}}"#)
}

fn count(ms: u64, total: &str, last: &str) -> String {
    let info = format!(r#"{{"total_token_usage":{total},"last_token_usage":{last}}}"#);
    row(ms, "event_msg", &format!(r#"{{"type":"token_count","info":{info}}}"#))
}

#[test]
fn a_row_is_read_in_every_field() {
    let total = r#"{"input_tokens":2500,"cached_input_tokens":1400,"output_tokens":500,"reasoning_output_tokens":90,"total_tokens":3000}"#;
    let last = r#"{"input_tokens":1500,"cached_input_tokens":1000,"output_tokens":300,"reasoning_output_tokens":40,"total_tokens":1800}"#;
    let info = format!(
        r#"{{"total_token_usage":{total},"last_token_usage":{last},"model_context_window":258400}}"#
    );
    let reading = Reading::of(&[
        meta(0, PARENT, r#","model_provider":"openai""#),
        turn(1_000, "t1", "gpt-5.5"),
        row(9_000, "event_msg", &format!(r#"{{"type":"token_count","info":{info}}}"#)),
    ]);
    let [found] = reading.responses()[..] else { panic!("{:?}", reading.told) };
    assert_eq!((found.conversation.as_str(), found.model.as_str()), (PARENT, "gpt-5.5"));
    assert_eq!(found.provider.as_deref(), Some("openai"));
    let tokens =
        TokenCounts { input: 500, output: 300, cache_read: 1000, ..TokenCounts::default() };
    assert_eq!((found.tokens, found.reasoning), (tokens, 40));
    assert_eq!(found.window, Some(258_400));
    assert_eq!(found.at, Wall::parse("2026-10-01T10:00:09Z"));
    assert_eq!(found.cwd.as_deref(), Some("/src/x"));
    assert!(found.stopped && !found.sidechain);
}

#[test]
fn what_is_told_again_counts_once() {
    let first = spent(100, 10);
    let second = spent(300, 30);
    let reading = Reading::of(&[
        turn(0, "t", "m"),
        count(1_000, &first, &first),
        count(1_100, &first, &first),
        row(1_200, "event_msg", r#"{"type":"token_count","info":null,"rate_limits":{}}"#),
        count(2_000, &second, &spent(200, 20)),
        // An old snapshot, a little lower.
        count(2_100, &spent(299, 30), &spent(200, 19)),
        count(2_200, &second, &spent(200, 20)),
    ]);
    assert_eq!(reading.outputs(), [10, 20]);
}

#[test]
fn without_the_last_figures_the_difference_counts() {
    let reading = Reading::of(&[
        turn(0, "t", "m"),
        count(1_000, &spent(100, 10), "null"),
        count(2_000, &spent(300, 35), "null"),
        count(3_000, &spent(400, 36), &spent(0, 0)),
    ]);
    assert_eq!(reading.outputs(), [10, 25, 1]);
}

#[test]
fn a_total_that_begins_anew_is_counted_from_its_last_figures() {
    let reading = Reading::of(&[
        turn(0, "t", "m"),
        count(1_000, &spent(10_000, 900), &spent(10_000, 900)),
        row(2_000, "compacted", r#"{"message":"what was said"}"#),
        count(3_000, &spent(500, 40), &spent(500, 40)),
        count(4_000, &spent(1_100, 90), &spent(600, 50)),
    ]);
    assert_eq!(reading.outputs(), [900, 40, 50]);
    let compacted = |line: &&Line| matches!(line, Line::Said(talk) if talk.said == Said::Compacted);
    assert_eq!(reading.told.iter().filter(compacted).count(), 1);
}

#[test]
fn a_response_before_its_context_belongs_to_the_next_one() {
    let mut reading = Reading::of(&[count(0, &spent(1, 10), &spent(1, 10))]);
    assert!(reading.responses().is_empty());
    reading.read(&turn(1_000, "t", "gpt-5.5"));
    assert_eq!(reading.responses()[0].model, "gpt-5.5");
    let mut never = Reading::of(&[
        count(0, &spent(1, 10), &spent(1, 10)),
        count(1_000, &spent(2, 30), &spent(1, 20)),
    ]);
    let told = &mut never.told;
    never.rollout.finish(|line| told.push(line));
    assert_eq!(never.outputs(), [10, 20]);
    assert_eq!(never.responses()[1].model, "");
}

#[test]
fn copied_rows_of_a_fork_do_not_count_whatever_their_times() {
    let copied = |ms| {
        vec![
            meta(ms, PARENT, ""),
            turn(ms, "019a0000-0001-7000-8000-000000000001", "m"),
            count(ms + 700, &spent(100, 10), &spent(100, 10)),
            turn(ms + 900, "019a0000-0002-7000-8000-000000000002", "m"),
            count(ms + 1_500, &spent(300, 30), &spent(200, 20)),
        ]
    };
    for more in [
        format!(r#","forked_from_id":"{PARENT}","thread_source":"user""#),
        format!(r#","source":{{"subagent":{{"thread_spawn":{{"parent_thread_id":"{PARENT}"}}}}}}"#),
    ] {
        let mut lines = vec![meta(2_000, CHILD, &more)];
        lines.extend(copied(2_000));
        lines.push(turn(5_000, "019a0000-0011-7000-8000-000000000003", "m"));
        lines.push(count(9_000, &spent(350, 35), "null"));
        let reading = Reading::of(&lines);
        assert_eq!(reading.outputs(), [5], "{more}");
        assert_eq!(reading.responses()[0].conversation, CHILD);
    }
}

#[test]
fn a_subagent_without_copied_rows_counts_from_its_first_response() {
    let spawn =
        format!(r#","source":{{"subagent":{{"thread_spawn":{{"parent_thread_id":"{PARENT}"}}}}}}"#);
    let reading = Reading::of(&[
        meta(0, CHILD, &spawn),
        meta(0, PARENT, ""),
        turn(10, "019a0000-0010-7000-8000-000000000001", "m"),
        count(4_000, &spent(100, 10), &spent(100, 10)),
    ]);
    assert_eq!(reading.outputs(), [10]);
    assert!(reading.responses()[0].sidechain);
}

#[test]
fn without_ids_that_tell_the_time_rows_are_copies_while_they_come_in_one_burst() {
    let fork = r#","forked_from_id":"a""#;
    let reading = Reading::of(&[
        meta(2_000, "c", fork),
        meta(2_010, "a", ""),
        turn(2_020, "t1", "m"),
        count(2_030, &spent(100, 10), &spent(100, 10)),
        turn(5_000, "t2", "m"),
        count(9_000, &spent(150, 15), &spent(50, 5)),
    ]);
    assert_eq!(reading.outputs(), [5]);
    assert_eq!(reading.responses()[0].copy_of.len(), 1, "the parent may have told it");
    // Old times: older than the fork.
    let reading = Reading::of(&[
        meta(20_000, "c", fork),
        meta(0, "a", ""),
        turn(1_000, "t1", "m"),
        count(9_000, &spent(100, 10), &spent(100, 10)),
    ]);
    assert!(reading.responses().is_empty());
    // Slow: the parent's rollout tells, by its key.
    let reading = Reading::of(&[
        meta(2_000, "c", fork),
        meta(2_010, "a", ""),
        turn(2_020, "t1", "m"),
        count(2_900, &spent(100, 10), &spent(100, 10)),
    ]);
    let parent =
        Reading::of(&[meta(0, "a", ""), turn(0, "t1", "m"), count(900, &spent(100, 10), "null")]);
    assert_eq!(reading.responses()[0].copy_of, [parent.responses()[0].key]);
}

#[test]
fn siblings_of_equal_work_differ_and_moments_of_one_thread_do_not_depend_on_the_file() {
    let of = |id: &str| {
        let lines = [meta(0, id, ""), turn(0, "t", "m"), count(900, &spent(100, 10), "null")];
        Reading::of(&lines).responses()[0].key
    };
    assert_ne!(of("a"), of("b"));
    assert_eq!(of("a"), of("a"));
}

#[test]
fn the_tier_of_service_stays_until_another_is_set() {
    let tier = |tier: &str| {
        let settings = format!(r#"{{"service_tier":{tier}}}"#);
        let payload =
            format!(r#"{{"type":"thread_settings_applied","thread_settings":{settings}}}"#);
        row(0, "event_msg", &payload)
    };
    let reading = Reading::of(&[
        turn(0, "t", "m"),
        tier("\"flex\""),
        count(1, &spent(1, 1), "null"),
        count(2, &spent(2, 2), "null"),
        tier("null"),
        count(3, &spent(3, 3), "null"),
    ]);
    let tiers: Vec<_> =
        reading.responses().iter().map(|told| told.extras.service_tier.clone()).collect();
    assert_eq!(tiers, [Some("flex".to_owned()), Some("flex".to_owned()), None]);
}

#[test]
fn what_is_cached_or_written_is_a_part_of_the_input_and_never_more() {
    for (fields, input, read, written) in [
        (r#""input_tokens":100,"cached_input_tokens":40,"cache_write_tokens":50"#, 10, 40, 50),
        (r#""input_tokens":100,"cached_input_tokens":40,"cache_write_input_tokens":60"#, 0, 40, 60),
        (r#""input_tokens":100,"cached_input_tokens":400,"cache_write_tokens":5"#, 0, 100, 0),
        (r#""input_tokens":100,"cached_input_tokens":null"#, 100, 0, 0),
    ] {
        let reading = Reading::of(&[turn(0, "t", "m"), count(1, &format!("{{{fields}}}"), "null")]);
        let tokens = reading.responses()[0].tokens;
        assert_eq!((tokens.input, tokens.cache_read, tokens.cache_write), (input, read, written));
        assert_eq!(tokens.total(), 100);
    }
}

#[test]
fn calls_and_words_go_with_the_response_that_made_them() {
    let patch = r#""*** Begin Patch\n*** Update File: src/a.rs\n@@\n*** Add File: b.rs\n""#;
    let plan = r#""{\"plan\":[{\"step\":\"read\",\"status\":\"completed\"},{\"step\":\"later\",\"status\":\"pending\"}]}""#;
    let call = |kind: &str, name: &str, field: &str, given: &str| {
        let payload = format!(r#"{{"type":"{kind}","name":"{name}","{field}":{given}}}"#);
        row(1, "response_item", &payload)
    };
    let reading = Reading::of(&[
        turn(0, "t", "m"),
        row(0, "event_msg", r#"{"type":"user_message","message":"do it"}"#),
        call("custom_tool_call", "apply_patch", "input", patch),
        call("function_call", "update_plan", "arguments", plan),
        row(2, "event_msg", r#"{"type":"agent_message","message":"done"}"#),
        count(3, &spent(1, 1), "null"),
        count(4, &spent(2, 2), "null"),
    ]);
    let [first, second] = reading.responses()[..] else { panic!("two") };
    assert_eq!(first.calls.files, ["src/a.rs", "b.rs"]);
    assert_eq!(first.calls.tools, ["apply_patch", "update_plan"]);
    assert_eq!(first.calls.tasks, ["read"]);
    assert_eq!(first.text.as_deref(), Some("done"));
    assert!(second.calls.is_empty() && second.text.is_none());
    let asked = |line: &Line| matches!(line, Line::Said(talk) if talk.said == Said::Prompt(Some("do it".into())));
    assert!(reading.told.iter().any(asked));
}

#[test]
fn a_count_that_is_no_count_is_malformed_and_what_is_torn_is_found_behind() {
    let bad = count(1, r#"{"input_tokens":-1}"#, "null");
    let good = count(2, &spent(1, 7), "null");
    let mut reading = Reading::of(&[turn(0, "t", "m"), bad.clone()]);
    assert_eq!(reading.told.last(), Some(&Line::Malformed));
    reading.read(&format!("{}{good}", &good[..60]));
    assert_eq!(reading.outputs(), [7]);
    for garbage in ["", "\0\0", "garbage", "{}", "[]", r#"{"type":"event_msg"}"#] {
        let told = Reading::of(&[garbage.to_owned()]).told;
        assert_eq!(told, [Line::Ignored], "{garbage}");
    }
}

#[test]
fn what_is_of_no_interest_is_passed_over_unread() {
    let output = row(0, "response_item", r#"{"type":"function_call_output","output":"x"}"#);
    assert!(passed_over(output.as_bytes()));
    for line in [count(0, "null", "null"), turn(0, "t", "m"), meta(0, "a", "")] {
        assert!(!passed_over(line.as_bytes()), "{line}");
    }
    let text = r#"{"type":"user_message","message":"\",\"type\":\"response_item\""}"#;
    assert!(!passed_over(row(0, "event_msg", text).as_bytes()));
}

#[test]
fn rollouts_lie_where_codex_keeps_them() {
    let env = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
    let [now, archived] = &default_roots(env)[..] else { panic!("two folders") };
    assert_eq!(now, Path::new("/home/me/.codex/sessions"));
    assert_eq!(archived, Path::new("/home/me/.codex/archived_sessions"));
    let set = |name: &str| Some(if name == "CODEX_HOME" { "/c" } else { "/home/me" }.to_owned());
    assert_eq!(default_roots(set)[0], Path::new("/c/sessions"));
    assert!(is_transcript(b"rollout-2026-10-01T10-00-00-a.jsonl"));
    assert!(!is_transcript(b"history.jsonl"));
}

#[test]
fn limits_of_a_subscription_are_told_beside_the_tokens() {
    let limits = r#""rate_limits":{"primary":{"used_percent":12.5,"window_minutes":300,"resets_at":1790850000},"secondary":{"used_percent":40,"window_minutes":10080,"resets_in_seconds":60}}"#;
    let reading = Reading::of(&[
        row(0, "event_msg", &format!(r#"{{"type":"token_count","info":null,{limits}}}"#)),
        row(
            0,
            "event_msg",
            r#"{"type":"token_count","rate_limits":{"primary":{"used_percent":"x"},"secondary":7}}"#,
        ),
    ]);
    let limit = |line: &Line| match line {
        Line::Limit(quota) => Some((quota.window.as_str(), quota.used, quota.resets)),
        _ => None,
    };
    let told: Vec<_> = reading.told.iter().filter_map(limit).collect();
    let ten = Wall::parse("2026-10-01T10:00:00Z").expect("a time").0;
    let expected =
        [("5h", 0.125, Some(Wall(1_790_850_000_000))), ("7d", 0.4, Some(Wall(ten + 60_000)))];
    assert_eq!(told, expected);
}

#[test]
fn a_count_in_a_form_that_is_not_known_is_seen_to_be_so() {
    let reading = Reading::of(&[row(
        0,
        "event_msg",
        r#"{"type":"token_count","info":{"usage":{"input":7}}}"#,
    )]);
    assert_eq!(reading.told, [Line::Unknown]);
}
