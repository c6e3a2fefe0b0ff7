//! How long hostile texts take to be masked, by their length, in a program that was built for speed.
//! Prints a line of JSON for each of them; `bench/masking/run` builds and runs it.

#![allow(dead_code)]

mod secret;

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use secret::masker::{Masker, Pattern};

/// What texts are made of: each part begins something that a rule looks for the end of.
const PARTS: [&str; 30] = [
    "sk-", "a@", "@", "a.", "DE89 ", "DE8937040044053201300", "4111 ", "4", "a://", "a://b:",
    "Bearer ", "key ", "key=\"", "\\\"", "\"'", "-----BEGIN ", "-----BEGIN PRIVATE KEY", "eyJ",
    "-u ", "$(", "hooks.slack.com", "x ", "ghp_", "key=$(", "key='\"", "key: \\", "--token `",
    "a://b:c/", "AKIA-", "DE89 3704 ",
];

const LENGTHS: [usize; 3] = [50_000, 100_000, 200_000];

/// The best of a few, since the machine has other work.
const ROUNDS: u32 = 3;

/// Time on a processor of this thread: the other work of the machine is none of it.
fn used() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock").into()
}

fn best(mut work: impl FnMut()) -> Duration {
    let time = |_| {
        let begun = used();
        work();
        used() - begun
    };
    (0..ROUNDS).map(time).min().unwrap_or_default()
}

fn main() {
    let own = vec![Pattern::new("ticket", "ACME-[0-9]{4}").expect("a pattern")];
    let masker = Masker::new(own);
    for part in PARTS {
        for (way, mask) in [
            ("text", Box::new(|text: &str| drop(masker.text(text))) as Box<dyn Fn(&str)>),
            ("line", Box::new(|text: &str| drop(masker.line(text)))),
            ("script", Box::new(|text: &str| {
                drop(masker.command(&["sh".into(), "-c".into(), text.into()]));
            })),
        ] {
            let took = LENGTHS.map(|length| {
                let text = part.repeat(length / part.len());
                best(|| mask(&text)).as_secs_f64() * 1e3
            });
            let [_, half, whole] = took;
            println!(
                "{{\"part\": {part:?}, \"way\": {way:?}, \"milliseconds_of_200_kb\": {whole:.3}, \
                 \"times_when_doubled\": {:.2}}}",
                whole / half
            );
        }
    }
}
