//! A program that really leaks, and all that a person sees of it: at the terminal while it runs, when it
//! has ended and when procession has, and on the page in a real browser.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::house::{As, BINARY, House, until};
use crate::support::{free_port, get};

/// Two mebibytes a second, up to a bound, so that a test that hangs does not take the machine along.
const LEAK: &str = "import time; kept = []\\nwhile len(kept) < 2000: kept.append(b\\\"x\\\" * 104858); time.sleep(0.05)\\ntime.sleep(1e6)";

fn config(rule: &str) -> String {
    format!(
        "control: DIR/c.sock\nstore: {{sqlite: DIR/history.db}}\n\
         memory: {{interval: 100ms, leak_rule: {rule}, critical: 256MiB}}\nprocesses:\n  \
         leaky: {{command: [python3, -c, \"{LEAK}\"], restart: 'no'}}\n  \
         keep: {{command: [sleep, '1000000']}}\n"
    )
}

fn run(house: &House, words: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command.args(words).env("PROCESSION_SOCKET", house.dir().join("c.sock"));
    command.output().expect("our own binary")
}

fn ask(house: &House, words: &[&str]) -> Option<String> {
    let output = run(house, words);
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn ask_json(house: &House, words: &[&str]) -> Option<Value> {
    serde_json::from_str(&ask(house, words)?).ok()
}

#[track_caller]
fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

#[test]
fn a_leak_is_explained_while_it_runs_when_it_has_ended_and_when_we_have() {
    let mut house = House::of_config(As::Subreaper, &config("robust"));
    let now = until("the leak is confirmed", || {
        let report = ask_json(&house, &["memory", "leaky", "--json"])?;
        (report["now"]["leak"]["state"] == "confirmed").then(|| report["now"].clone())
    });
    let session = now["session"].as_str().expect("a session").to_owned();
    let leak = &now["leak"];
    let growth = leak["growth_bytes_per_second"].as_f64().expect("a growth");
    let between = leak["growth_between"].as_array().expect("an interval");
    let bound = |nth: usize| between[nth].as_f64().expect("a bound");
    assert!(bound(0) <= growth && growth <= bound(1), "{leak}");
    assert!(leak["seconds_to_limit"].as_f64().is_some_and(|left| left > 0.0), "{leak}");
    assert_eq!((&leak["limit"], &leak["limit_bytes"]), (&json!("critical"), &json!(256u64 << 20)));
    assert!(leak["age_seconds"].as_f64().is_some_and(|age| age >= 0.0), "{leak}");

    let figures = ["FOR A LEAK", "likelihood of a leak", "procession restart leaky"];
    let told = ask(&house, &["memory", "explain", "leaky"]).expect("an explanation");
    holds(&told, &figures);
    holds(&told, &[&session, "it leaks, confirmed", "until the critical threshold of 256.0 MiB"]);
    holds(&ask(&house, &["memory"]).expect("a glance"), &["confirmed", "LIMIT IN"]);
    holds(&ask(&house, &["memory", "leaky"]).expect("a chart"), &["┤", "└", "now", "█", &session]);
    holds(
        &ask(&house, &["ps"]).expect("a list"),
        &["leak confirmed: see `procession memory leaky`"],
    );
    let events = ask(&house, &["sessions", "events", &session]).expect("its events");
    holds(&events, &["leak_confirmed", "leak rule: ", "an hour", "the critical threshold"]);
    until("the log tells of it", || house.log().contains("memory: it leaks").then_some(()));
    holds(&house.log(), &["procession memory explain leaky tells why"]);

    assert!(run(&house, &["stop", "leaky"]).status.success());
    let told = until("its end is kept", || {
        ask(&house, &["memory", "explain", "leaky"]).filter(|told| told.contains(", ended "))
    });
    holds(&told, &figures);
    holds(&told, &["leaky, does not run", "the last run that leaked", &session, "it leaks"]);
    let well = ask(&house, &["memory", "explain", "keep"]).expect("an explanation");
    assert!(!well.contains("the last run that leaked"), "{well}");

    house.signal(15);
    house.end();
    let history = house.dir().join("history.db");
    let history = history.to_str().expect("a path");
    let kept = |words: &[&str]| ask(&house, &[&["memory", "explain"], words].concat());
    let told = kept(&["leaky", "--store", history]).expect("an explanation");
    holds(&told, &figures);
    holds(&told, &[&session, ", ended ", "it leaks"]);
    let told = kept(&["leaky", "--store", history, "--json"]).expect("JSON");
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!((&told["session"], &told["leak"]["state"]), (&json!(session), &json!("confirmed")));
    // What was said last, and not when it was confirmed.
    let words = ["sessions", "events", &session, "--json", "--store", history];
    let events = ask(&house, &words).expect("its events");
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut confirmed = events.filter(|event| event["event_type"] == "leak_confirmed");
    let confirmed = confirmed.next_back();
    let confirmed = confirmed.expect("an event")["timestamp"].clone();
    assert!(told["at"].as_str() > confirmed.as_str(), "{confirmed} in {told}");
    let unknown = run(&house, &["memory", "explain", "nobody", "--store", history]);
    assert_eq!(unknown.status.code(), Some(1));
    holds(&String::from_utf8_lossy(&unknown.stderr), &["no verdict on a run of \"nobody\""]);
}

#[test]
fn what_is_known_now_is_told_where_nothing_is_kept_of_earlier_runs() {
    let config = "control: DIR/c.sock\nstore: memory\n\
        memory: {interval: 100ms}\nprocesses:\n  it: {command: [sleep, '1000000']}\n";
    let mut house = House::of_config(As::Subreaper, config);
    let explained = || {
        let output = run(&house, &["memory", "explain", "it"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success() && text.contains("samples that the rule needs"))
            .then_some((text, output.stderr))
    };
    let (first, _) = until("it is explained", explained);
    assert!(!first.contains("earlier runs"), "{first}");
    assert!(run(&house, &["restart", "it"]).status.success());
    let (second, complaints) = until("its next run is explained", || {
        explained().filter(|(text, _)| text.lines().next() != first.lines().next())
    });
    let last = second.lines().last().expect("a line");
    assert!(last.starts_with("earlier runs: not known: ") && last.contains("memory"), "{second}");
    assert_eq!(complaints, b"");
    house.signal(15);
    house.end();
}

/// What a script measures of the lines that the page draws, in a frame of this width.
const MEASURE: &str = r#"
onload = () => {
  const page = document.querySelector("iframe").contentDocument;
  const seen = [...page.querySelectorAll("svg.spark")].map(svg => {
    const line = svg.querySelector("polyline").getBoundingClientRect();
    const frame = svg.getBoundingClientRect();
    return {
      label: svg.getAttribute("aria-label"), role: svg.getAttribute("role"),
      width: line.width, height: line.height,
      inside: line.left >= frame.left - 1 && line.right <= frame.right + 1
        && line.top >= frame.top - 1 && line.bottom <= frame.bottom + 1 && frame.right <= WIDTH,
      stroke: page.defaultView.getComputedStyle(svg.querySelector("polyline")).stroke,
      ground: page.defaultView.getComputedStyle(page.body).backgroundColor,
    };
  });
  const wide = page.documentElement.scrollWidth;
  const cut = [...page.querySelectorAll(".scroll")].filter(it => it.scrollWidth > it.clientWidth).length;
  document.body.dataset.seen = JSON.stringify({ seen, wide, cut });
};
"#;

/// Asks a real browser, which shows no window and talks to nobody but us.
fn browse(folder: &Path, flags: &[&str], url: &str) -> Output {
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let mut command = Command::new("timeout");
    command.args(["-k", "5", "90", "chromium", "--headless", "--no-sandbox", "--disable-gpu"]);
    command.args([
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--enable-logging=stderr",
        &profile,
    ]);
    command.args(flags).args(["--dump-dom", url]);
    command.output().expect("timeout and chromium: run tests/setup, which installs it")
}

/// The page as a browser lays it out in a frame of this width.
fn measured(page: &str, width: u32, flags: &[&str]) -> Value {
    let folder = tempdir().expect("a folder");
    let quoted = page.replace('&', "&amp;").replace('"', "&quot;");
    let script = MEASURE.replace("WIDTH", &width.to_string());
    let around = format!(
        "<!doctype html><meta charset=utf-8><body><script>{script}</script>\
         <iframe width={width} height=900 srcdoc=\"{quoted}\"></iframe>"
    );
    let file = folder.path().join("around.html");
    fs::write(&file, around).expect("a file");
    let output = browse(folder.path(), flags, &format!("file://{}", file.display()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains(":CONSOLE"), "{said}");
    let dom = String::from_utf8_lossy(&output.stdout).into_owned();
    let seen = dom.split("data-seen=\"").nth(1).and_then(|rest| rest.split('"').next());
    let seen = seen.unwrap_or_else(|| panic!("nothing was measured:\n{said}\n{dom}"));
    serde_json::from_str(&seen.replace("&quot;", "\"").replace("&amp;", "&")).expect("JSON")
}

#[test]
fn the_line_of_a_leak_is_drawn_by_a_browser_at_every_width_and_told_to_who_cannot_see_it() {
    let port = free_port();
    let house = House::of_config_listening(As::Subreaper, &config("growth-count"), port);
    let url = format!("http://127.0.0.1:{port}/");
    let page = until("the page shows a line of a leak", || {
        let page = get(&url)?;
        let line = page.split("spark busy").nth(1)?.split("</svg>").next()?;
        // A place for each second of its life.
        let is_long = line.matches(',').count() > 15;
        (is_long && page.contains("to its critical")).then_some(page)
    });
    let mut grounds = Vec::new();
    for (width, scheme) in [(1200, "1"), (900, "1"), (400, "1"), (400, "0")] {
        let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
        let found = measured(&page, width, &[&scheme]);
        let lines = found["seen"].as_array().expect("lines");
        assert!(!lines.is_empty(), "{found}");
        assert!(found["wide"].as_u64().is_some_and(|wide| wide <= width.into()), "{found}");
        assert_eq!(found["cut"], 0, "no table wants to be moved sideways at {width}: {found}");
        for line in lines {
            assert_eq!((&line["role"], &line["inside"]), (&json!("img"), &json!(true)), "{found}");
            assert!(line["width"].as_f64().is_some_and(|width| width > 20.0), "{found}");
            let label = line["label"].as_str().expect("a text alternative");
            holds(label, &["memory of the last ", "from ", " to ", "at most "]);
            assert_ne!(line["stroke"], line["ground"], "{found}");
        }
        assert!(lines.iter().any(|line| line["height"].as_f64() > Some(3.0)), "it rises: {found}");
        grounds.push(lines[0]["ground"].clone());
    }
    let (light, dark) = grounds.split_at(3);
    assert!(light.iter().all(|it| *it == light[0] && *it != dark[0]), "{grounds:?}");

    // From the door itself, and once more when it reads itself anew.
    let folder = tempdir().expect("a folder");
    let pictures = [(); 2].map(|()| {
        let output = browse(folder.path(), &[], &url);
        let (dom, said) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        holds(&dom, &["<svg class=\"spark", "<polyline points="]);
        assert!(!said.contains(":CONSOLE"), "{said}");
        let number = dom.split("Picture ").nth(1).and_then(|rest| rest.split(',').next());
        number.and_then(|number| number.parse::<u64>().ok()).expect("the picture's number")
    });
    assert!(pictures[0] < pictures[1], "{pictures:?}");
    drop(house);
}
