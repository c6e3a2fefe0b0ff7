//! The output room with real pipes: what comes out, what is counted, and who is never held up.
//!
//! Rows of the supervision study and the tests that stand for them:
//!
//! | row | test |
//! |---|---|
//! | a pipe held by a grandchild | `a_pipe_that_is_held_delays_nothing`, `a_chatty_leftover_delays_nothing_for_long` |
//! | losing the last lines | `the_last_lines_arrive_before_the_end_is_told` |
//! | log back-pressure | `a_target_that_hangs_holds_nobody_up`, `who_may_wait_waits_and_loses_nothing` |
//! | a line without newline, a huge line | `a_line_that_never_ends_comes_in_pieces` |
//! | broken lines with several writers | `writers_that_flush_in_blocks_break_no_line` |
//! | shared descriptors must stay blocking | `descriptors_that_were_inherited_keep_their_flags` |

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::pipe;
use procession::output::door::{Event, Output, Settings, Stream};
use procession::output::engine::Turn;
use procession::output::figures::OutputFigures;
use procession::output::look::Pattern;
use procession::output::plan::{FileFormat, FilePlan, Limits, Show, StreamPlan, WhenFull, Which};
use procession::output::ring::Page;
use procession::units::{Bytes, RunId};

/// Generous: the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
const RUN: RunId = RunId(7);

/// A room, what it tells, and the far ends of its targets.
struct House {
    output: Output,
    news: Receiver<Event>,
    out: Option<OwnedFd>,
    err: Option<OwnedFd>,
}

impl House {
    fn open(limits: Limits) -> Self {
        let (out, stdout) = pipe().unwrap();
        let (err, stderr) = pipe().unwrap();
        let (told, news) = sync_channel(1024);
        let events = Box::new(move |event| told.send(event).unwrap());
        let settings = Settings { limits, stdout, stderr, colours: true, events };
        Self { output: Output::open(settings).unwrap(), news, out: Some(out), err: Some(err) }
    }

    /// A room whose threads stand.
    fn standing() -> Self {
        let house = Self::open(Limits::default());
        house.output.stand().unwrap();
        house
    }

    /// A pipe that is read as `plan` says; its write end.
    fn attach(&self, run: RunId, name: &str, which: Which, plan: StreamPlan) -> File {
        let (fd, write) = pipe().unwrap();
        let stream = Stream { run, name: name.into(), which, fd, plan };
        self.output.attach(stream).unwrap();
        File::from(write)
    }

    fn web(&self, plan: StreamPlan) -> File {
        self.attach(RUN, "web", Which::Stdout, plan)
    }

    fn told(&self) -> Event {
        self.news.recv_timeout(PATIENCE).expect("the room tells of it in time")
    }

    fn figures(&self, name: &str) -> OutputFigures {
        let all = self.output.figures();
        all.iter()
            .find(|(known, _)| &**known == name)
            .map(|(_, figures)| *figures)
            .unwrap_or_default()
    }

    /// Reads standard output on a thread of its own.
    fn reads(&mut self) -> JoinHandle<String> {
        collect(self.out.take().unwrap())
    }

    fn close(self, reading: JoinHandle<String>) -> String {
        assert!(self.output.close(PATIENCE), "everything was written");
        drop(self);
        reading.join().unwrap()
    }
}

fn collect(fd: OwnedFd) -> JoinHandle<String> {
    spawn(move || {
        let mut text = Vec::new();
        File::from(fd).read_to_end(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    })
}

fn plan(show: Show) -> StreamPlan {
    StreamPlan { show, ..StreamPlan::default() }
}

fn prefixed() -> StreamPlan {
    plan(Show::Prefixed { width: 0 })
}

fn until(what: &str, mut happened: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < end, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn texts(page: &Page) -> Vec<String> {
    page.lines.iter().map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
}

fn flags(fd: &OwnedFd) -> i32 {
    fcntl(fd, FcntlArg::F_GETFL).unwrap()
}

#[test]
fn lines_are_shown_with_their_process() {
    let mut house = House::standing();
    let (reading, errors) = (house.reads(), collect(house.err.take().unwrap()));
    let mut out = house.attach(RUN, "web", Which::Stdout, plan(Show::Prefixed { width: 6 }));
    let mut err = house.attach(RUN, "web", Which::Stderr, prefixed());
    write!(out, "one\ntwo\n\nhal").unwrap();
    writeln!(err, "trouble").unwrap();
    write!(out, "f\nthe end").unwrap();
    drop((out, err));
    assert!(house.output.main_ended(RUN));
    assert_eq!(house.told(), Event::Drained { run: RUN });
    let figures = house.figures("web");
    assert_eq!((figures.lines, figures.bytes), (6, 29));
    assert_eq!(figures, OutputFigures { lines: 6, bytes: 29, ..OutputFigures::default() });
    let shown = house.close(reading);
    assert_eq!(shown, "web    | one\nweb    | two\nweb    | \nweb    | half\nweb    | the end\n");
    assert_eq!(errors.join().unwrap(), "web | trouble\n");
}

#[test]
fn lines_are_shown_as_json() {
    let mut house = House::standing();
    let reading = house.reads();
    let mut web = house.web(plan(Show::Json));
    web.write_all(b"say \"hi\"\n\xff\tx\nlast").unwrap();
    drop(web);
    let shown = house.close(reading);
    let lines: Vec<serde_json::Value> =
        shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(
        lines.iter().map(|line| line["line"].as_str().unwrap()).collect::<Vec<_>>(),
        ["say \"hi\"", "\u{fffd}\tx", "last"]
    );
    assert!(lines.iter().all(|line| line["process"] == "web" && line["stream"] == "stdout"));
    assert_eq!(lines[2]["partial"], true);
    assert!(lines[0].get("partial").is_none());
    let time = lines[0]["time"].as_str().unwrap();
    assert!(procession::units::Wall::parse(time).is_some() && time.len() == 24, "{time}");
}

#[test]
fn writers_that_flush_in_blocks_break_no_line() {
    const LINES: usize = 30_000;
    let mut house = House::standing();
    let reading = house.reads();
    let wait = StreamPlan { when_full: WhenFull::Wait, ..prefixed() };
    let writers: Vec<JoinHandle<()>> = (0..4)
        .map(|nth| {
            let mut pipe =
                house.attach(RunId(nth), &format!("w{nth}"), Which::Stdout, wait.clone());
            spawn(move || {
                let text: String =
                    (0..LINES).map(|n| format!("{n:06} {}\n", "x".repeat(n % 150))).collect();
                text.as_bytes().chunks(4096).for_each(|block| pipe.write_all(block).unwrap());
            })
        })
        .collect();
    // A pipe that several processes share is whole as long as each writes whole lines.
    let shared = house.attach(RunId(9), "s", Which::Stdout, wait);
    let sharers: Vec<JoinHandle<()>> = (0..3)
        .map(|nth| {
            let mut pipe = shared.try_clone().unwrap();
            spawn(move || {
                for n in 0..LINES / 10 {
                    pipe.write_all(format!("{nth} {n:06} {}\n", "y".repeat(n % 900)).as_bytes())
                        .unwrap();
                }
            })
        })
        .collect();
    drop(shared);
    writers.into_iter().chain(sharers).for_each(|writer| writer.join().unwrap());
    let shown = house.close(reading);
    let mut next = [0; 4];
    let mut next_shared = [0; 3];
    for line in shown.lines() {
        if let Some(line) = line.strip_prefix("s | ") {
            let nth: usize = line[..1].parse().unwrap();
            let n = next_shared[nth];
            assert_eq!(line, format!("{nth} {n:06} {}", "y".repeat(n % 900)));
            next_shared[nth] += 1;
        } else {
            let nth: usize = line[1..2].parse().unwrap();
            let n = next[nth];
            assert_eq!(line, format!("w{nth} | {n:06} {}", "x".repeat(n % 150)));
            next[nth] += 1;
        }
    }
    assert_eq!((next, next_shared), ([LINES; 4], [LINES / 10; 3]));
}

#[test]
fn the_last_lines_arrive_before_the_end_is_told() {
    let mut house = House::standing();
    let reading = house.reads();
    for n in 0..50 {
        let run = RunId(n);
        let mut web = house.attach(run, "web", Which::Stdout, prefixed());
        web.write_all(format!("{}last words of {n}", "much\n".repeat(10_000)).as_bytes()).unwrap();
        drop(web);
        house.output.main_ended(run);
        assert_eq!(house.told(), Event::Drained { run });
        let last = house.output.tail("web", 1).unwrap();
        assert_eq!(texts(&last), [format!("last words of {n}")]);
    }
    let shown = house.close(reading);
    assert_eq!(shown.matches("last words").count(), 50);
    assert_eq!(shown.lines().count(), 50 * 10_001);
}

#[test]
fn a_pipe_that_is_held_delays_nothing() {
    let mut house = House::standing();
    let reading = house.reads();
    let mut web = house.web(plan(Show::Json));
    let mut grandchild = web.try_clone().unwrap();
    write!(web, "main line\nmain end").unwrap();
    drop(web);
    house.output.main_ended(RUN);
    assert_eq!(house.told(), Event::Drained { run: RUN });
    assert_eq!(texts(&house.output.tail("web", 9).unwrap()), ["main line", "main end"]);
    // It goes on, with more than any pipe holds, and is neither held up nor ended by a signal.
    for _ in 0..20_000 {
        grandchild.write_all(b"still here, and who are you?\n").unwrap();
    }
    drop(grandchild);
    until("all is read", || house.figures("web").lines == 20_002);
    assert_eq!(house.figures("web").leftover_lines, 20_000);
    let shown = house.close(reading);
    assert_eq!(shown.matches("\"leftover\":true").count(), 20_000);
}

#[test]
fn a_chatty_leftover_delays_nothing_for_long() {
    let mut house = House::standing();
    let _reading = house.reads();
    let mut web = house.web(plan(Show::Hidden));
    let chatting = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let chats = std::sync::Arc::clone(&chatting);
    let chatter = spawn(move || {
        while chats.load(std::sync::atomic::Ordering::Relaxed) {
            web.write_all(b"chat\n").unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    house.output.main_ended(RUN);
    assert_eq!(house.told(), Event::Drained { run: RUN });
    chatting.store(false, std::sync::atomic::Ordering::Relaxed);
    chatter.join().unwrap();
}

#[test]
fn a_target_that_hangs_holds_nobody_up() {
    let house = House::standing();
    let line = format!("{}\n", "z".repeat(99));
    let mut web = house.web(prefixed());
    // Nobody reads our standard output. Without giving up, this would never end.
    for _ in 0..200_000 {
        web.write_all(line.as_bytes()).unwrap();
    }
    writeln!(web, "the end").unwrap();
    drop(web);
    house.output.main_ended(RUN);
    assert_eq!(house.told(), Event::Drained { run: RUN });
    let figures = house.figures("web");
    assert_eq!(figures.lines, 200_001);
    assert!(figures.dropped_lines > 150_000, "{figures:?}");
    assert_eq!(texts(&house.output.tail("web", 1).unwrap()), ["the end"]);
    // Nor is whoever closes: it comes back after its patience, and says that not all was written.
    assert!(!house.output.close(Duration::from_millis(200)));
}

#[test]
fn who_may_wait_waits_and_loses_nothing() {
    const LINES: usize = 200_000;
    let mut house = House::standing();
    let mut web = house.web(StreamPlan { when_full: WhenFull::Wait, ..prefixed() });
    let text: String = (0..LINES).map(|n| format!("{n:0100}\n")).collect();
    let (wrote, written) = sync_channel(1);
    let writer = spawn(move || {
        web.write_all(text.as_bytes()).unwrap();
        wrote.send(()).unwrap();
    });
    // Far longer than anybody waits who would rather lose lines.
    assert!(written.recv_timeout(Duration::from_secs(1)).is_err(), "it waits");
    let held = house.figures("web");
    assert!(held.bytes < 5_000_000 && held.dropped_lines == 0, "{held:?}");
    let reading = house.reads();
    written.recv_timeout(PATIENCE).expect("it goes on when there is room");
    writer.join().unwrap();
    let shown = house.close(reading);
    assert!(shown.lines().enumerate().all(|(n, line)| line == format!("web | {n:0100}")));
    assert_eq!(shown.lines().count(), LINES);
}

#[test]
fn a_slow_target_gets_whole_lines_and_the_loss_is_counted() {
    let mut house = House::standing();
    let mut web = house.web(StreamPlan {
        when_full: WhenFull::WaitAtMost(Duration::from_millis(1)),
        ..prefixed()
    });
    let out = house.out.take().unwrap();
    let reading = spawn(move || {
        let (mut out, mut text, mut part) = (File::from(out), Vec::new(), [0; 60_000]);
        while let Ok(got @ 1..) = out.read(&mut part) {
            text.extend_from_slice(&part[..got]);
            std::thread::sleep(Duration::from_millis(10));
        }
        String::from_utf8(text).unwrap()
    });
    let lines: String = (0..60_000).map(|n| format!("{n:0100}\n")).collect();
    web.write_all(lines.as_bytes()).unwrap();
    drop(web);
    house.output.main_ended(RUN);
    assert_eq!(house.told(), Event::Drained { run: RUN });
    assert!(house.output.close(PATIENCE));
    let figures = house.figures("web");
    drop(house);
    let shown = reading.join().unwrap();
    let numbers: Vec<u64> = shown
        .lines()
        .map(|line| {
            line.strip_prefix("web | ").filter(|n| n.len() == 100).unwrap().parse().unwrap()
        })
        .collect();
    assert!(numbers.is_sorted());
    assert!(figures.dropped_lines > 0, "{figures:?}");
    assert_eq!(numbers.len() as u64 + figures.dropped_lines, 60_000);
    assert_eq!(numbers.last(), Some(&59_999), "the newest is kept");
}

#[test]
fn a_target_that_is_gone_holds_nobody_up() {
    let mut house = House::standing();
    drop(house.out.take());
    let mut web = house.web(prefixed());
    for _ in 0..100_000 {
        web.write_all(b"nobody hears this line, which is quite long\n").unwrap();
    }
    drop(web);
    let output = house.output.clone();
    assert!(output.close(PATIENCE));
    let figures = house.figures("web");
    assert_eq!((figures.lines, figures.dropped_lines), (100_000, 100_000));
}

#[test]
fn a_line_that_never_ends_comes_in_pieces() {
    let mut house = House::standing();
    let reading = house.reads();
    let mut web = house.web(StreamPlan {
        max_line: Bytes(1000),
        when_full: WhenFull::Wait,
        ..plan(Show::Json)
    });
    for _ in 0..500 {
        web.write_all(&[b'x'; 10_000]).unwrap();
    }
    drop(web);
    house.output.main_ended(RUN);
    assert_eq!(house.told(), Event::Drained { run: RUN });
    let figures = house.figures("web");
    assert_eq!((figures.bytes, figures.lines), (5_000_000, 5000));
    assert!(figures.cut_pieces >= 4999);
    let shown = house.close(reading);
    let text: usize = shown.lines().map(|line| line.matches('x').count()).sum();
    assert_eq!((shown.matches("\"partial\":true").count(), text), (5000, 5_000_000));
}

#[test]
fn a_flood_of_empty_lines_is_bounded_and_complete() {
    let mut house = House::standing();
    let reading = house.reads();
    let mut web = house.web(StreamPlan { when_full: WhenFull::Wait, ..plan(Show::Json) });
    web.write_all(&[b'\n'; 300_000]).unwrap();
    drop(web);
    let shown = house.close(reading);
    assert_eq!(shown.lines().count(), 300_000);
}

#[test]
fn readiness_is_told_once() {
    let house = House::standing();
    let ready = Some(Pattern::parse("listening on .*:[0-9]+").unwrap());
    let plan = StreamPlan { ready, ..plan(Show::Hidden) };
    let mut out = house.attach(RUN, "web", Which::Stdout, plan.clone());
    let mut err = house.attach(RUN, "web", Which::Stderr, plan.clone());
    write!(out, "booting\nlistening on http://local").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    writeln!(out, "host:80").unwrap();
    assert_eq!(house.told(), Event::Matched { run: RUN });
    writeln!(out, "listening on x:1").unwrap();
    writeln!(err, "listening on x:2").unwrap();
    drop((out, err));
    house.output.main_ended(RUN);
    assert_eq!(house.told(), Event::Drained { run: RUN });
    // The next run is looked at anew, also when the line that counts is its last and has no end.
    let next = RunId(8);
    let mut out = house.attach(next, "web", Which::Stdout, plan);
    write!(out, "listening on x:3").unwrap();
    drop(out);
    house.output.main_ended(next);
    assert_eq!(house.told(), Event::Matched { run: next });
    assert_eq!(house.told(), Event::Drained { run: next });
}

#[test]
fn a_reader_follows_from_before_the_first_line() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let house = House::standing();
    let follow = |cursor, wait| runtime.block_on(house.output.since("web", cursor, wait));
    assert_eq!(follow(0, Duration::from_millis(20)), Page::default());
    let mut web = house.web(plan(Show::Hidden));
    let writer = spawn(move || {
        for n in 0..3 {
            std::thread::sleep(Duration::from_millis(30));
            writeln!(web, "line {n}").unwrap();
        }
        web
    });
    let (mut cursor, mut lines) = (0, Vec::new());
    while lines.len() < 3 {
        let page = follow(cursor, PATIENCE);
        assert!(!page.lines.is_empty() && page.missed == 0, "{page:?}");
        lines.extend(texts(&page));
        cursor = page.next;
    }
    assert_eq!(lines, ["line 0", "line 1", "line 2"]);
    let mut web = writer.join().unwrap();
    for n in 0..100_000 {
        writeln!(web, "{n:09}").unwrap();
    }
    until("all is read", || house.figures("web").lines == 100_003);
    let page = follow(cursor, PATIENCE);
    assert_eq!(page.missed + 10 * page.lines.len() as u64, 1_000_000);
    assert!(page.missed > 0 && page.lines.len() > 1000);
}

#[test]
fn orders_before_the_threads_stand_keep_their_order() {
    let house = House::open(Limits::default());
    let ready = Some(Pattern::parse("ready").unwrap());
    let mut web = house.web(StreamPlan { ready, ..plan(Show::Hidden) });
    writeln!(web, "ready").unwrap();
    drop(web);
    house.output.main_ended(RUN);
    house.output.main_ended(RunId(99));
    assert!(house.news.recv_timeout(Duration::from_millis(50)).is_err(), "nobody reads yet");
    house.output.stand().unwrap();
    let told = [house.told(), house.told(), house.told()];
    assert!(told.contains(&Event::Matched { run: RUN }));
    assert!(told.contains(&Event::Drained { run: RunId(99) }), "of a run without pipes as well");
    let place = |event| told.iter().position(|other| *other == event);
    assert!(place(Event::Matched { run: RUN }) < place(Event::Drained { run: RUN }));
}

#[test]
fn descriptors_that_were_inherited_keep_their_flags() {
    let (out, stdout) = pipe().unwrap();
    let (mine, stderr) = (stdout.try_clone().unwrap(), stdout.try_clone().unwrap());
    let before = flags(&mine);
    let settings = Settings {
        limits: Limits::default(),
        stdout,
        stderr,
        colours: false,
        events: Box::new(drop),
    };
    let output = Output::open(settings).unwrap();
    output.stand().unwrap();
    let (fd, write) = pipe().unwrap();
    let stream =
        Stream { run: RUN, name: "web".into(), which: Which::Stdout, fd, plan: prefixed() };
    output.attach(stream).unwrap();
    let childs = flags(&write);
    let mut web = File::from(write.try_clone().unwrap());
    writeln!(web, "line").unwrap();
    assert!(output.lines(Which::Stderr).put(b"our own line\n".to_vec()));
    drop(web);
    until("the pipe is read", || output.tail("web", 1).is_some());
    assert_eq!((flags(&mine), flags(&write)), (before, childs));
    drop(write);
    assert!(output.close(PATIENCE));
    assert_eq!(flags(&mine), before);
    drop((output, mine));
    let shown = collect(out).join().unwrap();
    assert!(shown.contains("web | line\n") && shown.contains("our own line\n"), "{shown}");
}

#[test]
fn a_target_that_somebody_made_non_blocking_gets_everything() {
    let mut house = House::standing();
    let out = house.out.take().unwrap();
    // The far end's flags are not ours; so make our end what a sharer may have made of it.
    let (read_end, write_end) = pipe().unwrap();
    let mut bits = OFlag::from_bits_retain(flags(&write_end));
    bits.insert(OFlag::O_NONBLOCK);
    fcntl(&write_end, FcntlArg::F_SETFL(bits)).unwrap();
    drop((out, house));
    let (told, _news) = sync_channel(8);
    let stderr = write_end.try_clone().unwrap();
    let events = Box::new(move |event| {
        let _ = told.try_send(event);
    });
    let settings =
        Settings { limits: Limits::default(), stdout: write_end, stderr, colours: false, events };
    let output = Output::open(settings).unwrap();
    output.stand().unwrap();
    let (fd, write) = pipe().unwrap();
    let plan = StreamPlan { when_full: WhenFull::Wait, ..prefixed() };
    output.attach(Stream { run: RUN, name: "web".into(), which: Which::Stdout, fd, plan }).unwrap();
    let reading = spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        collect(read_end).join().unwrap()
    });
    let mut web = File::from(write);
    for n in 0..50_000 {
        writeln!(web, "{n:0100}").unwrap();
    }
    drop(web);
    assert!(output.close(PATIENCE));
    drop(output);
    let shown = reading.join().unwrap();
    assert!(shown.lines().enumerate().all(|(n, line)| line == format!("web | {n:0100}")));
    assert_eq!(shown.lines().count(), 50_000);
}

#[test]
fn a_fault_of_ours_stops_nobody() {
    let (_out, stdout) = pipe().unwrap();
    let stderr = stdout.try_clone().unwrap();
    let events = Box::new(|event| panic!("a fault while {event:?} is told"));
    let limits = Limits::default();
    let output = Output::open(Settings { limits, stdout, stderr, colours: false, events }).unwrap();
    output.stand().unwrap();
    let mut pipes = Vec::new();
    for n in 0..3 {
        let (fd, write) = pipe().unwrap();
        let plan = plan(Show::Hidden);
        output
            .attach(Stream {
                run: RunId(n),
                name: format!("w{n}").into(),
                which: Which::Stdout,
                fd,
                plan,
            })
            .unwrap();
        pipes.push(File::from(write));
        output.main_ended(RunId(100 + n));
    }
    for _ in 0..2000 {
        pipes.iter_mut().for_each(|pipe| pipe.write_all(&[b'x'; 99]).unwrap());
    }
    pipes.iter_mut().for_each(|pipe| pipe.write_all(b"\n").unwrap());
    until("all is read", || {
        output.figures().iter().filter(|(_, f)| f.bytes == 198_001).count() == 3
    });
}

#[test]
fn without_a_thread_somebody_else_can_turn_the_reader() {
    let house = House::open(Limits::default());
    let mut web = house.web(prefixed());
    let by_hand = house.output.by_hand();
    let wait_of = |turn| match turn {
        Some(Turn::WaitAtMost(wait)) => wait,
        over => panic!("it is not over: {over:?}"),
    };
    wait_of(by_hand.turn());
    // Nothing is due when nothing is written: no timer, no wake-up.
    assert_eq!(wait_of(by_hand.turn()), None);
    for n in 0..100 {
        writeln!(web, "{n}").unwrap();
        wait_of(by_hand.turn());
    }
    assert_eq!(texts(&house.output.tail("web", 1).unwrap()), ["99"]);
    // Much was never read at once, so there is nothing to give up either.
    assert_eq!(wait_of(by_hand.turn()), None);
    house.output.main_ended(RUN);
    let wait = wait_of(by_hand.turn()).expect("the end of the output is awaited");
    assert!(wait <= Limits::default().quiet, "{wait:?}");
    // Once a thread has it nobody else turns it.
    house.output.stand().unwrap();
    assert_eq!(house.told(), Event::Drained { run: RUN });
    until("the thread has it", || by_hand.turn().is_none());
}

#[test]
fn what_is_kept_is_what_was_asked_for() {
    let house = House::standing();
    let keeping = |keep| StreamPlan { keep: Bytes(keep), ..plan(Show::Hidden) };
    let mut all = Vec::new();
    for (n, (name, keep)) in [("none", 0), ("some", 8 << 10), ("much", 1 << 20)].iter().enumerate()
    {
        all.push(house.attach(RunId(n as u64), name, Which::Stdout, keeping(*keep)));
    }
    for n in 0..50_000 {
        all.iter_mut().for_each(|file| writeln!(file, "{n:09}").unwrap());
    }
    until("all is read", || {
        ["none", "some", "much"].iter().all(|name| house.figures(name).lines == 50_000)
    });
    let kept = |name| house.output.tail(name, usize::MAX).unwrap().lines.len() * 10;
    assert_eq!(kept("none"), 0);
    assert!((6 << 10..=8 << 10).contains(&kept("some")), "{}", kept("some"));
    assert_eq!(kept("much"), 500_000);
    let plans = ["none", "some", "much"].map(|name| (name.into(), keeping(16 << 10)));
    assert!(house.output.replan(plans.into()));
    until("less is kept", || kept("much") <= 16 << 10);
    for n in 0..5_000 {
        all.iter_mut().for_each(|file| writeln!(file, "{n:09}").unwrap());
    }
    until("all is read", || {
        ["none", "some", "much"].iter().all(|name| house.figures(name).lines == 55_000)
    });
    for name in ["none", "some", "much"] {
        assert!((12 << 10..=16 << 10).contains(&kept(name)), "{name} {}", kept(name));
    }
}

#[test]
fn a_run_goes_by_another_plan_and_no_line_is_lost_or_broken() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| FilePlan {
        path: folder.path().join(name),
        format: FileFormat::Raw,
        max_size: None,
        max_age: None,
        keep: 1,
    };
    let with = |show, name: Option<&str>| StreamPlan {
        file: name.map(file),
        when_full: WhenFull::Wait,
        ..plan(show)
    };
    let mut house = House::standing();
    let reading = house.reads();
    let plans = [
        with(Show::Prefixed { width: 5 }, None),
        with(Show::Json, Some("a.log")),
        with(Show::Hidden, Some("b.log")),
        with(Show::Prefixed { width: 3 }, Some("b.log")),
    ];
    let mut web = house.web(plans[0].clone());
    const EACH: usize = 20_000;
    let mut next = 0;
    for (nth, plan) in plans.iter().enumerate() {
        assert!(house.output.replan([("web".into(), plan.clone())].into()));
        // Half a line, so that the change comes within one.
        write!(web, "{:0>6}", next).unwrap();
        next += 1;
        for _ in 1..EACH {
            writeln!(web, " {}", "x".repeat(nth)).unwrap();
            write!(web, "{next:0>6}").unwrap();
            next += 1;
        }
        until("it is read", || house.figures("web").lines as usize >= next - 1);
        writeln!(web, " {}", "x".repeat(nth)).unwrap();
    }
    drop(web);
    house.output.main_ended(RUN);
    assert_eq!(house.told(), Event::Drained { run: RUN });
    let (figures, shown) = (house.figures("web"), house.close(reading));
    assert_eq!((figures.lines as usize, figures.dropped_lines), (4 * EACH, 0));
    let number = |line: &str| -> usize { line[..6].parse().unwrap() };
    let (mut seen, mut forms) = (Vec::new(), [0_usize; 3]);
    for line in shown.lines() {
        let (form, text) = match (line.strip_prefix("web   | "), line.strip_prefix("web | ")) {
            (Some(text), _) => (0, text.to_owned()),
            (_, Some(text)) => (2, text.to_owned()),
            _ => {
                let json: serde_json::Value = serde_json::from_str(line).unwrap();
                (1, json["line"].as_str().unwrap().to_owned())
            }
        };
        forms[form] += 1;
        seen.push(number(&text));
    }
    assert!(seen.windows(2).all(|two| two[0] < two[1]), "in their order, none twice");
    // Lines that are written while the order is on its way may still go as they went before.
    let near = |count: usize, wanted: usize| count.abs_diff(wanted) <= EACH / 100;
    assert!(forms.iter().all(|count| near(*count, EACH)), "{forms:?}");
    let read = |name: &str| -> Vec<usize> {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        text.lines().map(number).collect()
    };
    let (a, b) = (read("a.log"), read("b.log"));
    assert!(near(a.len(), EACH) && near(b.len(), 2 * EACH), "{} {}", a.len(), b.len());
    assert!(a.iter().chain(&b).is_sorted());
    // What was not shown is in the file: nothing is lost.
    seen.extend(&b);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, (0..4 * EACH).collect::<Vec<_>>());
}

#[test]
fn files_are_written_and_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, format| FilePlan {
        path: folder.path().join(name),
        format,
        max_size: Some(Bytes(100_000)),
        max_age: None,
        keep: 2,
    };
    let house = House::standing();
    let raw = StreamPlan {
        file: Some(file("web.log", FileFormat::Raw)),
        when_full: WhenFull::Wait,
        ..plan(Show::Hidden)
    };
    let json = StreamPlan { file: Some(file("api.log", FileFormat::Json)), ..plan(Show::Hidden) };
    let mut out = house.attach(RUN, "web", Which::Stdout, raw.clone());
    let mut err = house.attach(RUN, "web", Which::Stderr, raw);
    let mut api = house.attach(RunId(8), "api", Which::Stderr, json);
    for n in 0..3000 {
        writeln!(out, "out {n:095}").unwrap();
        writeln!(err, "err {n:095}").unwrap();
    }
    writeln!(api, "one").unwrap();
    drop((out, err, api));
    assert!(house.output.close(PATIENCE));
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    for name in ["web.log", "web.log.1", "web.log.2"] {
        let text = read(name);
        assert!(text.len() <= 100_000 && text.lines().all(|line| line.len() == 99), "{name}");
    }
    assert!(!Path::new(&folder.path().join("web.log.3")).exists());
    assert!(read("web.log").contains("2999") && read("web.log.1").len() > 99_900);
    let line: serde_json::Value = serde_json::from_str(&read("api.log")).unwrap();
    assert_eq!([&line["process"], &line["stream"], &line["line"]], ["api", "stderr", "one"]);
    assert_eq!(house.figures("web").dropped_lines, 0);
}

#[test]
fn a_file_that_cannot_be_written_is_counted_and_holds_nobody_up() {
    let house = House::standing();
    let file = FilePlan {
        path: "/dev/full".into(),
        format: FileFormat::Raw,
        max_size: None,
        max_age: None,
        keep: 0,
    };
    let mut web = house.web(StreamPlan { file: Some(file), ..plan(Show::Hidden) });
    for _ in 0..50_000 {
        web.write_all(b"there is no room for this line anywhere\n").unwrap();
    }
    drop(web);
    assert!(house.output.close(PATIENCE));
    let figures = house.figures("web");
    assert_eq!((figures.lines, figures.dropped_lines), (50_000, 50_000));
}

#[test]
fn a_quiet_process_costs_next_to_nothing() {
    // So many that a page more or less of the allocator does not show in the share of each.
    const PROCESSES: usize = 3_000;
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most.min(16_384), most).unwrap();
    let house = House::standing();
    let (fd, write) = pipe().unwrap();
    let attach = |n: usize| {
        let stream = Stream {
            run: RunId(n as u64),
            name: format!("process-{n}").into(),
            which: Which::Stdout,
            fd: fd.try_clone().unwrap(),
            plan: plan(Show::Json),
        };
        house.output.attach(stream).unwrap();
    };
    (0..8).for_each(attach);
    house.output.main_ended(RunId(1 << 40));
    house.told();
    let before = resident();
    (8..8 + PROCESSES).for_each(attach);
    house.output.main_ended(RunId(1 << 41));
    house.told();
    let each = resident().saturating_sub(before) / PROCESSES;
    assert!(each < 1000, "{each} bytes for each stream");
    assert_eq!(house.output.figures(), []);
    drop(write);
}

/// What this process holds in memory, in bytes.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}
