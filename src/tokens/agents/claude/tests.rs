//! Every quirk of a transcript line.

use super::*;

const WHOLE: &str = r#"{"type":"assistant","uuid":"u1","parentUuid":"u0","isSidechain":false,"sessionId":"5e0c","cwd":"/src/x","version":"2.1.90","timestamp":"2026-10-01T10:00:02.100Z","requestId":"req_011A","message":{"id":"msg_01A","model":"claude-sonnet-5","role":"assistant","stop_reason":"tool_use","content":[{"type":"text","text":"hi"}],"usage":{"input_tokens":6,"cache_creation_input_tokens":900,"cache_read_input_tokens":21000,"output_tokens":412,"cache_creation":{"ephemeral_5m_input_tokens":300,"ephemeral_1h_input_tokens":600},"service_tier":"standard","speed":"standard","server_tool_use":{"web_search_requests":1}}}}"#;

fn lines(line: &[u8]) -> Vec<Line> {
    let mut found = Vec::new();
    decode(line, true, |line| found.push(line));
    found
}

fn only(line: &str) -> Sighting {
    match lines(line.as_bytes()).as_slice() {
        [Line::Told(sighting)] => (**sighting).clone(),
        other => panic!("{other:?} from {line}"),
    }
}

/// The sample line with one text in it replaced.
fn with(old: &str, new: &str) -> String {
    assert!(WHOLE.contains(old), "{old}");
    WHOLE.replacen(old, new, 1)
}

fn usage(fields: &str) -> String {
    format!(r#"{{"type":"assistant","message":{{"id":"m","model":"x","usage":{{{fields}}}}}}}"#)
}

#[test]
fn a_whole_line_is_read_in_every_field() {
    let found = only(WHOLE);
    assert_eq!(found.key, UsageKey::of("claude", b"msg_01A"));
    assert_eq!(found.conversation, "5e0c");
    assert!(!found.sidechain && found.stopped && !found.extras.fast);
    assert_eq!(found.model, "claude-sonnet-5");
    assert_eq!(found.at, Some(Wall(1_790_848_802_100)));
    assert_eq!(found.cwd.as_deref(), Some("/src/x"));
    assert_eq!(found.extras.web_searches, 1);
    let tokens = TokenCounts {
        input: 6,
        output: 412,
        cache_read: 21_000,
        cache_write_5m: 300,
        cache_write_1h: 600,
        cache_write: 0,
    };
    assert_eq!(found.tokens, tokens);
}

#[test]
fn lines_that_are_no_usage_are_ignored() {
    for line in [
        "",
        "\r",
        "{}",
        "garbage",
        r#"{"type":"user","message":{"role":"user","content":"the \"usage\" of it"}}"#,
        r#"{"type":"user","toolUseResult":{"usage":{"input_tokens":9},"totalTokens":9}}"#,
        r#"{"type":"user","message":{"usage":{"input_tokens":9}}}"#,
        r#"{"type":"progress","data":{"message":{"type":"assistant","message":{"id":"m","usage":{"input_tokens":9}}}}}"#,
        r#"{"type":"assistant","message":{"id":"m","model":"<synthetic>","usage":{"input_tokens":0}}}"#,
        r#"{"type":"assistant","isApiErrorMessage":true,"message":{"id":"m","usage":{"input_tokens":0}}}"#,
        r#"{"type":"assistant","message":{"id":"m","usage":null}}"#,
        r#"{"type":"assistant","message":"usage","x":{"usage":1}}"#,
        r#"{"type":7,"message":{"usage":{"input_tokens":9}}}"#,
    ] {
        assert_eq!(lines(line.as_bytes()), [Line::Ignored], "{line}");
    }
}

#[test]
fn a_null_or_a_wrong_type_beside_the_counts_loses_nothing() {
    let whole = only(WHOLE).tokens;
    for (old, new) in [
        (r#""uuid":"u1""#, r#""uuid":null"#),
        (r#""cwd":"/src/x""#, r#""cwd":null"#),
        (r#""cwd":"/src/x""#, r#""cwd":{"a":[1,{"b":null}]}"#),
        (r#""sessionId":"5e0c""#, r#""sessionId":null"#),
        (r#""version":"2.1.90""#, r#""version":null"#),
        (r#""requestId":"req_011A""#, r#""requestId":null"#),
        (r#""requestId":"req_011A""#, r#""requestId":"""#),
        (r#""requestId":"req_011A","#, ""),
        (r#""model":"claude-sonnet-5""#, r#""model":null"#),
        (r#""id":"msg_01A""#, r#""id":null"#),
        (r#""id":"msg_01A""#, r#""id":17"#),
        (r#""speed":"standard""#, r#""speed":null"#),
        (r#""service_tier":"standard""#, r#""service_tier":null"#),
        (r#""server_tool_use":{"web_search_requests":1}"#, r#""server_tool_use":null"#),
        (r#""web_search_requests":1"#, r#""web_search_requests":null"#),
        (r#""isSidechain":false"#, r#""isSidechain":null"#),
        (r#""isSidechain":false"#, r#""costUSD":null,"isApiErrorMessage":null"#),
        (r#""timestamp":"2026-10-01T10:00:02.100Z""#, r#""timestamp":"later""#),
        (r#""stop_reason":"tool_use""#, r#""stop_reason":null"#),
        (
            r#"{"type":"text","text":"hi"}"#,
            r#"{"type":"tool_use","input":{"id":null,"x":"\ud800"}}"#,
        ),
        (r#""usage":{"#, r#""usage" : { "new": {"deep": [1.5e300, "x"]}, "#),
        (r#""input_tokens":6"#, r#""input_tokens":6.0"#),
        (r#""output_tokens":412"#, r#""output_tokens": 4.12e2 "#),
    ] {
        assert_eq!(only(&with(old, new)).tokens, whole, "{new}");
    }
}

#[test]
fn a_null_count_is_none_of_that_kind() {
    let fields = r#""input_tokens":null,"output_tokens":7,"cache_read_input_tokens":null"#;
    let found = only(&usage(&format!(r#"{fields},"cache_creation":null"#)));
    assert_eq!(found.tokens, TokenCounts { output: 7, ..TokenCounts::default() });
}

#[test]
fn a_count_that_is_no_count_makes_the_line_malformed() {
    for count in ["-1", "1.5", "\"6\"", "1e30", "true", "[]", "{}", "99999999999999999"] {
        let line = usage(&format!(r#""input_tokens":{count},"output_tokens":1"#));
        assert_eq!(lines(line.as_bytes()), [Line::Malformed], "{count}");
    }
}

#[test]
fn cache_writes_follow_the_split_or_else_the_total() {
    for (total, split, short, long) in [
        ("900", "null", 900, 0),
        ("900", r#"{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":0}"#, 900, 0),
        ("900", r#"{"ephemeral_5m_input_tokens":null}"#, 900, 0),
        ("900", r#"{"ephemeral_1h_input_tokens":900}"#, 0, 900),
        ("null", r#"{"ephemeral_5m_input_tokens":5,"ephemeral_1h_input_tokens":6}"#, 5, 6),
    ] {
        let fields = format!(r#""cache_creation_input_tokens":{total},"cache_creation":{split}"#);
        let tokens = only(&usage(&fields)).tokens;
        assert_eq!((tokens.cache_write_5m, tokens.cache_write_1h), (short, long), "{fields}");
    }
}

#[test]
fn thinking_is_a_part_of_the_output() {
    for (thinking, found) in [(60, 60), (600, 100)] {
        let details = format!(r#""output_tokens_details":{{"thinking_tokens":{thinking}}}"#);
        let told = only(&usage(&format!(r#""output_tokens":100,{details}"#)));
        assert_eq!((told.tokens.output, told.reasoning), (100, found));
    }
}

#[test]
fn compactions_are_added_and_other_iterations_are_not() {
    let found = only(&usage(
        r#""input_tokens":10,"output_tokens":20,"iterations":[{"type":"message","input_tokens":10,"output_tokens":20},null,{"type":"compaction","input_tokens":1000,"output_tokens":200,"cache_creation_input_tokens":5}]"#,
    ));
    let tokens = found.tokens;
    assert_eq!((tokens.input, tokens.output, tokens.cache_write_5m), (1010, 220, 5));
    assert_eq!(found.extras.compaction.total(), 1205);
    assert_eq!(only(&usage(r#""output_tokens":2,"iterations":null"#)).tokens.total(), 2);
}

#[test]
fn what_changes_the_cost_is_read() {
    let found = only(&usage(
        r#""service_tier":"batch","speed":"fast","inference_geo":"us","server_tool_use":{"web_search_requests":3}"#,
    ));
    let extras = Extras {
        web_searches: 3,
        service_tier: Some("batch".into()),
        fast: true,
        inference_geo: Some("us".into()),
        compaction: TokenCounts::default(),
        summed: false,
    };
    assert_eq!(found.extras, extras);
}

#[test]
fn a_response_is_known_by_its_id_else_by_the_lines_own() {
    let key = |line: &str| only(line).key;
    let other_request = with("req_011A", "req_022B");
    assert_eq!(key(&other_request), key(WHOLE));
    let no_id = with(r#""id":"msg_01A""#, r#""id":"""#);
    assert_eq!(key(&no_id), UsageKey::of("claude uuid", b"u1"));
    let neither = no_id.replace(r#""uuid":"u1","#, "");
    assert_eq!(key(&neither), key(&neither));
    assert_ne!(key(&neither), key(&neither.replace("412", "413")));
}

#[test]
fn torn_and_glued_lines_give_up_what_is_whole() {
    let torn = &WHOLE[..300];
    let message_torn = &WHOLE[..WHOLE.len() - 40];
    for (line, told) in [
        (format!("{torn}{WHOLE}"), 1),
        (format!("{message_torn}{WHOLE}"), 1),
        (format!("{WHOLE}{}", with("msg_01A", "msg_01B")), 2),
        (format!("{WHOLE}{torn}"), 1),
        (format!("\0\0\0\0{WHOLE}\r"), 1),
        (format!("\u{feff}{WHOLE}"), 1),
    ] {
        let found = lines(line.as_bytes());
        let whole = found.iter().filter(|l| matches!(l, Line::Told(_))).count();
        assert_eq!((whole, found.len()), (told, told), "{line}");
    }
}

#[test]
fn a_line_that_cannot_be_read_is_malformed_once() {
    let nested = r#"{"type":"progress","data":{"message":{"type":"assistant","message":{"id":"m","usage":{"input_tokens":9}}}},"#;
    let mut broken_text = WHOLE.as_bytes().to_vec();
    broken_text[23] = 0xff;
    for line in [
        &WHOLE.as_bytes()[..WHOLE.len() - 1],
        nested.as_bytes(),
        b"\"usage\"",
        b"\"usage\"\0\xff\xfe",
        broken_text.as_slice(),
        &[b"\"usage\"".as_slice(), &b"{\"".repeat(5_000)].concat(),
        &[b"{\"usage\":".as_slice(), &b"[".repeat(100_000)].concat(),
    ] {
        assert_eq!(lines(line), [Line::Malformed], "{}", String::from_utf8_lossy(line));
    }
}

#[test]
fn the_journal_of_subagents_is_no_transcript() {
    assert!(is_transcript(b"5e0c.jsonl") && is_transcript(b"agent-1.jsonl"));
    assert!(!is_transcript(b"journal.jsonl") && !is_transcript(b"agent-1.meta.json"));
}

#[test]
fn the_environment_says_where_transcripts_lie() {
    let roots = |env: &[(&str, &str)]| -> Vec<String> {
        let find = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).into());
        default_roots(find).iter().map(|root| root.display().to_string()).collect()
    };
    for (env, found) in [
        (&[("HOME", "/h")][..], &["/h/.claude/projects", "/h/.config/claude/projects"][..]),
        (&[("XDG_CONFIG_HOME", "/x")], &["/x/claude/projects"]),
        (&[("HOME", "/h"), ("CLAUDE_CONFIG_DIR", "/a, /b,")], &["/a/projects", "/b/projects"]),
        (&[("CLAUDE_CONFIG_DIR", "")], &[]),
    ] {
        assert_eq!(roots(env), found, "{env:?}");
    }
}

/// The sample line with another content.
fn with_content(content: &str) -> String {
    with(r#"[{"type":"text","text":"hi"}]"#, content)
}

#[test]
fn tools_are_read_with_what_they_are_used_on() {
    let found = only(&with_content(
        r#"[{"type":"text","text":"a"},{"type":"tool_use","name":"Read","input":{"file_path":"/a","limit":3}},
        {"type":"tool_use","name":"NotebookEdit","input":{"notebook_path":"/b.ipynb"}},
        {"type":"tool_use","name":"Bash","input":{"command":"cat /c","description":"look"}},
        {"type":"tool_use","name":"TodoWrite","input":{"todos":[{"content":"one","status":"completed"},
            {"content":"two","status":"pending"},{"content":"three","status":"in_progress"},7]}},
        {"type":"tool_use","name":"TaskCreate","input":{"subject":"four"}},
        {"type":"tool_use","name":"Task","input":{"description":"five","prompt":"long"}},
        {"type":"tool_use","name":"mcp__x__y","input":null},
        {"type":"tool_use","name":7,"input":"odd"}, 9]"#,
    ));
    assert_eq!(found.calls.files, ["/a", "/b.ipynb"]);
    let tools = ["Read", "NotebookEdit", "Bash", "TodoWrite", "TaskCreate", "Task", "mcp__x__y"];
    assert_eq!(found.calls.tools, tools);
    assert_eq!(found.calls.tasks, ["one", "three", "four", "five"]);
    assert_eq!(found.text.as_deref(), Some("a"));
    assert_eq!(found.thread.line, Some(UsageKey::of("claude line uuid", b"u1")));
    assert_eq!(found.thread.before, Some(UsageKey::of("claude line uuid", b"u0")));
}

#[test]
fn a_content_that_cannot_be_read_costs_no_token() {
    let whole = only(WHOLE).tokens;
    for content in [
        r#"[{"type":"tool_use","name":"Write","input":{"file_path":"\ud83d"}}]"#,
        r#"[{"type":"tool_use","name":"Write","input":{"file_path":"/a","file_path":"/b"}}]"#,
        r#""only a text""#,
        "null",
        "{}",
        "7",
    ] {
        assert_eq!(only(&with_content(content)).tokens, whole, "{content}");
    }
}

#[test]
fn what_people_ask_is_told_from_what_looks_like_it() {
    let user = |more: &str, content: &str| {
        format!(
            r#"{{"type":"user","uuid":"u9","sessionId":"s","timestamp":"2026-10-01T10:00:02.100Z"{more},"message":{{"role":"user","content":{content}}}}}"#
        )
    };
    let said = |line: &str| match lines(line.as_bytes()).as_slice() {
        [Line::Said(talk)] => Some((**talk).clone()),
        [Line::Ignored] => None,
        other => panic!("{other:?} from {line}"),
    };
    for content in [r#""do it""#, r#"[{"type":"image"},{"type":"text","text":"do it"}]"#] {
        let talk = said(&user("", content)).expect("a prompt");
        assert_eq!(talk.said, crate::tokens::agents::Said::Prompt(Some("do it".into())));
        assert_eq!((talk.conversation.as_str(), talk.at), ("s", Some(Wall(1_790_848_802_100))));
    }
    for (more, content) in [
        ("", r#"[{"type":"tool_result","content":"x"},{"type":"text","text":"do it"}]"#),
        (r#","isMeta":true"#, r#""do it""#),
        (r#","isCompactSummary":true"#, r#""do it""#),
        (r#","isSidechain":true"#, r#""do it""#),
        ("", r#""<local-command-stdout>x</local-command-stdout>""#),
        ("", r#""[Request interrupted by user]""#),
        ("", r#""  ""#),
        ("", "null"),
    ] {
        assert_eq!(said(&user(more, content)), None, "{more} {content}");
    }
    let boundary = r#"{"type":"system","subtype":"compact_boundary","sessionId":"s","compactMetadata":{"preTokens":9}}"#;
    assert_eq!(said(boundary).map(|talk| talk.said), Some(crate::tokens::agents::Said::Compacted));
    let fork = user(r#","forkedFrom":{"sessionId":"origin","messageUuid":"m"}"#, r#""do it""#);
    let talk = said(&fork).expect("a prompt");
    assert_eq!(talk.thread.copied_from.as_deref(), Some("origin"));
}

#[test]
fn a_response_by_another_name_is_seen_to_be_unknown() {
    let renamed = with(r#""type":"assistant""#, r#""type":"model_turn""#);
    assert_eq!(lines(renamed.as_bytes()), [Line::Unknown]);
    for known in ["user", "progress", "system"] {
        let line = with(r#""type":"assistant""#, &format!(r#""type":"{known}""#));
        assert_eq!(lines(line.as_bytes()), [Line::Ignored], "{known}");
    }
}
