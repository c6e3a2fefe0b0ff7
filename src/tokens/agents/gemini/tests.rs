//! Every quirk of a chat.

use super::*;

const HEAD: &str = r#"{"sessionId":"g1","projectHash":"abc","directories":["/src/x"]}"#;

fn read(lines: &[&str]) -> Vec<Line> {
    let mut chat = Chat::new(Path::new("/t/p/chats/session-a.jsonl"));
    let mut told = Vec::new();
    lines.iter().for_each(|line| chat.decode(line.as_bytes(), true, |line| told.push(line)));
    told
}

fn message(tokens: &str) -> String {
    format!(
        r#"{{"id":"m7","type":"gemini","timestamp":"2026-10-01T10:00:05Z","model":"gemini-2.5-pro","content":[{{"text":""}},{{"text":"done"}}],"toolCalls":[{{"name":"read_file","args":{{"absolute_path":"/src/x/a"}}}},{{"name":"write_todos","args":{{"todos":[{{"description":"look","status":"in_progress"}},{{"description":"later","status":"pending"}}]}}}}],"tokens":{tokens}}}"#
    )
}

#[test]
fn a_message_is_read_in_every_field() {
    let tokens =
        r#"{"input":8200,"output":300,"cached":6000,"thoughts":150,"tool":5,"total":8655}"#;
    let told = read(&[HEAD, &message(tokens)]);
    let [Line::Ignored, Line::Told(found)] = &told[..] else { panic!("{told:?}") };
    let tokens =
        TokenCounts { input: 2205, output: 450, cache_read: 6000, ..TokenCounts::default() };
    assert_eq!((found.tokens, found.reasoning), (tokens, 150));
    assert_eq!((found.conversation.as_str(), found.model.as_str()), ("g1", "gemini-2.5-pro"));
    assert_eq!(found.cwd.as_deref(), Some("/src/x"));
    assert_eq!(found.at, Wall::parse("2026-10-01T10:00:05Z"));
    assert_eq!(found.calls.files, ["/src/x/a"]);
    assert_eq!(found.calls.tools, ["read_file", "write_todos"]);
    assert_eq!(found.calls.tasks, ["look"]);
}

#[test]
fn what_holds_no_new_tokens_is_ignored() {
    for line in [
        "",
        "null",
        r#"{"$rewindTo":"m7"}"#,
        r#"{"$set":{"messages":[{"id":"m7","tokens":{"input":9,"output":9}}]}}"#,
        r#"{"id":"m7","type":"gemini","tokens":null}"#,
        r#"{"id":"m7","type":"gemini","tokens":{"input":0,"output":0}}"#,
        r#"{"id":"i","type":"info","content":"x"}"#,
        r#"{"id":"u","type":"user","content":[]}"#,
    ] {
        let told = read(&[line]);
        assert!(told.iter().all(|told| *told == Line::Ignored), "{line}: {told:?}");
    }
}

#[test]
fn what_a_person_asks_is_told_and_what_a_subagent_is_asked_is_not() {
    let ask = r#"{"id":"u","type":"user","timestamp":"2026-10-01T10:00:05Z","content":"do it"}"#;
    let told = read(&[HEAD, ask]);
    let asked = Said::Prompt(Some("do it".into()));
    assert!(
        matches!(&told[1], Line::Said(talk) if talk.said == asked && talk.conversation == "g1")
    );
    let told = read(&[r#"{"sessionId":"s","projectHash":"a","kind":"subagent"}"#, ask]);
    assert_eq!(told[1], Line::Ignored);
}

#[test]
fn an_id_is_known_within_its_chat_only() {
    let key = |head: &str| match &read(&[head, &message(r#"{"input":1,"output":1}"#)])[1] {
        Line::Told(told) => told.key,
        other => panic!("{other:?}"),
    };
    assert_eq!(key(HEAD), key(HEAD));
    assert_ne!(key(HEAD), key(r#"{"sessionId":"g2","projectHash":"abc"}"#));
}

#[test]
fn chats_lie_where_gemini_keeps_them() {
    for (path, shape) in [
        ("/t/p/chats/session-a.jsonl", Some(false)),
        ("/t/p/chats/session-a.json", Some(true)),
        ("/t/p/chats/parent/sub.jsonl", Some(false)),
        ("/t/p/logs.json", None),
        ("/t/p/chats/notes.txt", None),
    ] {
        let path = Path::new(path);
        assert_eq!(is_transcript(path).then(|| is_document(path)), shape, "{path:?}");
    }
    let env = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
    assert_eq!(default_roots(env), [Path::new("/home/me/.gemini/tmp")]);
    assert_eq!(
        default_roots(|name| Some(name.to_owned()))[0],
        Path::new("GEMINI_CLI_HOME/.gemini/tmp")
    );
}
