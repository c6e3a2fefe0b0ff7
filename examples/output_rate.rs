//! How fast the output room passes lines on, and what that costs.
//!
//! `output_rate [--json] [--file PATH] COMMAND…` runs each command (a shell reads it) with its
//! standard output and standard error in pipes of its own, and shows what they write on ours, as
//! the supervisor would. Afterwards it says on standard error how long that took and how much
//! processor time this process used itself, its children not counted.

// What clippy.toml bans is banned from the program; this only measures it.
#![allow(clippy::disallowed_methods)]

use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use procession::output::console::inherited;
use procession::output::door::{Event, Output, Settings, Stream};
use procession::output::plan::{FileFormat, FilePlan, Limits, Show, StreamPlan, Which};
use procession::units::{Bytes, RunId};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut show = Show::Prefixed { width: 8 };
    let (mut file, mut commands, mut arguments) = (None, Vec::new(), std::env::args().skip(1));
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--json" => show = Show::Json,
            "--hidden" => show = Show::Hidden,
            "--file" => file = arguments.next(),
            _ => commands.push(argument),
        }
    }
    let file = file.map(|path| FilePlan {
        path: path.into(),
        format: FileFormat::Raw,
        max_size: Some(Bytes::mib(50)),
        max_age: None,
        keep: 3,
    });
    let plan = StreamPlan { show, file, ..StreamPlan::default() };
    run(&commands, &plan)
}

fn run(commands: &[String], plan: &StreamPlan) -> Result<(), Box<dyn std::error::Error>> {
    let began = Instant::now();
    let [stdout, stderr] = inherited()?;
    let (news, told) = sync_channel(1024);
    let events = Box::new(move |event| {
        let _ = news.send(event);
    });
    let limits = Limits::default();
    let output = Output::open(Settings { limits, stdout, stderr, colours: true, events })?;
    output.stand()?;
    for (nth, command) in commands.iter().enumerate() {
        let mut command = Command::new("/bin/sh")
            .args(["-c", command])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let run = RunId(nth as u64);
        let stream = |which, fd: OwnedFd| Stream {
            run,
            name: format!("writer{nth}").into(),
            which,
            fd,
            plan: plan.clone(),
        };
        let (out, err) = (command.stdout.take(), command.stderr.take());
        output
            .attach(stream(Which::Stdout, out.ok_or("no pipe")?.into()))
            .map_err(|_| "refused")?;
        output
            .attach(stream(Which::Stderr, err.ok_or("no pipe")?.into()))
            .map_err(|_| "refused")?;
        let waiter = output.clone();
        std::thread::Builder::new().spawn(move || {
            let _ = command.wait();
            waiter.main_ended(run);
        })?;
    }
    let mut left = commands.len();
    while left > 0 {
        left -= usize::from(matches!(told.recv()?, Event::Drained { .. }));
    }
    let flushed = output.close(Duration::from_secs(60));
    let took = began.elapsed();
    let used = getrusage(UsageWho::RUSAGE_SELF)?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    let cpu = seconds(used.user_time()) + seconds(used.system_time());
    let bytes: u64 = output.figures().iter().map(|(_, figures)| figures.bytes).sum();
    let lines: u64 = output.figures().iter().map(|(_, figures)| figures.lines).sum();
    let lost: u64 = output.figures().iter().map(|(_, figures)| figures.dropped_lines).sum();
    writeln!(
        std::io::stderr(),
        "{lines} lines, {bytes} bytes in {:.3} s: {:.0} MB/s, cpu {cpu:.3} s (user {:.3} sys {:.3}), rss {} KiB, lost {lost}, flushed {flushed}, csw {} {}",
        took.as_secs_f64(),
        bytes as f64 / 1e6 / took.as_secs_f64(),
        seconds(used.user_time()),
        seconds(used.system_time()),
        used.max_rss(),
        used.voluntary_context_switches(),
        used.involuntary_context_switches(),
    )?;
    Ok(())
}
