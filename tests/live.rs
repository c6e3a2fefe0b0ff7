//! What an agent is being told shows on the gauges of its conversation before it is counted, by the real
//! binary.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::house::{As, House, until};
use crate::support::{free_port, get};

const CONFIG: &str = "control: DIR/c.sock\nstore: {sqlite: DIR/history.db}\nrecovery: end\nprocesses:\n  \
    it: {command: [sleep, '100000'], agent: {name: coder, transcripts: DIR/claude}}\n";

/// One block of a response, of which nothing says whether more follow.
fn block(id: &str, output: u64) -> String {
    let now = procession::clock::now().wall;
    format!(
        r#"{{"type":"assistant","sessionId":"s","cwd":"/src","timestamp":"{now}","message":{{"id":"{id}","model":"claude-sonnet-5","usage":{{"input_tokens":100,"output_tokens":{output}}}}}}}{}"#,
        "\n"
    )
}

fn append(folder: &Path, text: &str) {
    // Each conversation in a folder of its own, which is not there before.
    let path = folder.join("claude/projects/-new/deep/s.jsonl");
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let mut file = OpenOptions::new().create(true).append(true).open(path).expect("a file");
    file.write_all(text.as_bytes()).expect("room");
}

/// The sum of a family, and 0 where it has no series.
fn sum(page: &str, family: &str) -> u64 {
    let of = page.lines().filter(|line| line.starts_with(&format!("{family}{{")));
    of.map(|line| line.rsplit(' ').next().and_then(|n| n.parse::<f64>().ok()).expect("a number"))
        .sum::<f64>()
        .round() as u64
}

#[test]
fn an_open_response_shows_on_its_gauge_and_is_counted_once_it_is_over() {
    let port = free_port();
    let mut house = House::of_config_listening(As::Subreaper, CONFIG, port);
    let page = || get(&format!("http://127.0.0.1:{port}/metrics"));
    let both = || {
        let page = page()?;
        Some((sum(&page, "procession_session_tokens"), sum(&page, "procession_tokens_total")))
    };
    until("it listens", page);
    let mut whole = 0;
    until("what is open is seen before it is counted", || {
        let (shown, counted) = both()?;
        assert!(counted <= shown && shown <= whole, "{counted} counted, {shown} shown of {whole}");
        if counted == whole {
            // The first, or one that was closed before it was looked: another one is to be seen.
            append(house.dir(), &block(&format!("m{whole}"), 1));
            whole += 101;
        }
        (shown > counted).then_some(())
    });
    append(house.dir(), &block("last", 40));
    whole += 140;
    until("it is counted", || {
        let (shown, counted) = both()?;
        assert!(counted <= shown && shown <= whole, "{counted} counted, {shown} shown of {whole}");
        (counted == whole).then_some(())
    });
    let page = page().expect("it listens");
    assert!(page.contains("procession_session_cost_usd"), "{page}");
    house.signal(15);
    house.end();
}
