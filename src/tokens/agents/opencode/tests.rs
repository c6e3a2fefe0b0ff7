//! Every quirk of a message.

use super::*;

const WHOLE: &str = r#"{"id":"msg_1","sessionID":"ses_1","role":"assistant","modelID":"claude-sonnet-5","providerID":"anthropic","cost":0.012,"path":{"cwd":"/src/x","root":"/src"},"time":{"created":1790000000000,"completed":1790000009000},"tokens":{"input":638,"output":210,"reasoning":40,"cache":{"read":64000,"write":7}}}"#;

fn told(text: &str) -> Line {
    let mut found = None;
    decode(text.as_bytes(), Row { id: "row", session: "ses" }, Parts::default(), |line| {
        found = Some(line);
    });
    found.expect("a line")
}

fn only(text: &str) -> Sighting {
    match told(text) {
        Line::Told(told) => *told,
        other => panic!("{other:?} from {text}"),
    }
}

fn with(old: &str, new: &str) -> String {
    assert!(WHOLE.contains(old), "{old}");
    WHOLE.replacen(old, new, 1)
}

#[test]
fn a_message_is_read_in_every_field() {
    let found = only(WHOLE);
    let tokens = TokenCounts {
        input: 638,
        output: 250,
        cache_read: 64_000,
        cache_write: 7,
        ..TokenCounts::default()
    };
    assert_eq!((found.tokens, found.reasoning), (tokens, 40));
    assert_eq!((found.conversation.as_str(), found.model.as_str()), ("ses_1", "claude-sonnet-5"));
    assert_eq!(found.provider.as_deref(), Some("anthropic"));
    assert_eq!(found.at, Some(Wall(1_790_000_000_000)));
    assert_eq!(found.cwd.as_deref(), Some("/src/x"));
    assert!(found.stopped);
}

#[test]
fn a_forks_copy_is_the_same_response_and_another_one_is_not() {
    let key = |text: &str| only(text).key;
    let copy = with("msg_1", "msg_2").replace("ses_1", "ses_2");
    assert_eq!(key(WHOLE), key(&copy));
    // It grows while it comes.
    assert_eq!(key(WHOLE), key(&with("\"output\":210", "\"output\":3")));
    for (old, new) in [
        ("\"created\":1790000000000", "\"created\":1790000000001"),
        ("claude-sonnet-5", "claude-opus-5"),
        ("\"input\":638", "\"input\":639"),
        ("\"read\":64000", "\"read\":1"),
    ] {
        assert_ne!(key(WHOLE), key(&with(old, new)), "{new}");
    }
}

#[test]
fn a_row_names_what_the_message_does_not() {
    let text = with(r#""id":"msg_1","sessionID":"ses_1","role":"assistant","#, "");
    assert_eq!(only(&text).conversation, "ses");
    let user = r#"{"role":"user","time":{"created":1}}"#;
    let mut parts = Parts::default();
    parts.take(br#"{"type":"text","text":"do it"}"#);
    let mut said = Vec::new();
    decode(user.as_bytes(), Row { id: "u", session: "ses" }, parts, |line| said.push(line));
    let asked = Said::Prompt(Some("do it".into()));
    assert!(matches!(&said[0], Line::Said(talk) if talk.said == asked));
    assert_eq!(told(user), Line::Ignored);
}

#[test]
fn parts_tell_of_tools_files_and_tasks() {
    let mut parts = Parts::default();
    for part in [
        r#"{"type":"tool","tool":"read","state":{"input":{"filePath":"/src/a"}}}"#,
        r#"{"type":"tool","tool":"task","state":{"input":{"description":"look","prompt":"x"}}}"#,
        r#"{"type":"tool","tool":"todowrite","state":{"input":{"todos":[{"content":"b","status":"completed"},{"content":"c","status":"pending"}]}}}"#,
        r#"{"type":"step-finish","tokens":{"input":9}}"#,
        "garbage",
    ] {
        parts.take(part.as_bytes());
    }
    assert_eq!(parts.calls.tools, ["read", "task", "todowrite"]);
    assert_eq!(
        (parts.calls.files, parts.calls.tasks),
        (vec!["/src/a".into()], vec!["look".into(), "b".into()])
    );
}

#[test]
fn counts_that_are_none_are_malformed_and_garbage_is_not() {
    assert_eq!(told(&with("\"output\":210", "\"output\":-1")), Line::Malformed);
    assert_eq!(told(&with("\"read\":64000", "\"read\":\"x\"")), Line::Malformed);
    for text in ["", "garbage", "[]", "{}", r#"{"role":"user"}"#] {
        assert_eq!(told(text), Line::Ignored, "{text}");
    }
}

#[test]
fn messages_lie_where_opencode_keeps_them() {
    for (path, is) in [
        ("/d/opencode/opencode.db", true),
        ("/d/opencode/opencode-old.db", false),
        ("/d/opencode/storage/message/ses_1/msg_1.json", true),
        ("/d/opencode/storage/part/msg_1/prt_1.json", false),
        ("/d/opencode/storage/message/msg_1.json", false),
    ] {
        assert_eq!(is_transcript(Path::new(path)), is, "{path}");
    }
    let env = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
    assert_eq!(default_roots(env), [Path::new("/home/me/.local/share/opencode")]);
}
