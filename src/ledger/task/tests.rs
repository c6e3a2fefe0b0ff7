//! The task around the fold, with what comes in and goes out in the hands of a test.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::ledger::session::SessionKind;
use crate::ledger::stories::*;

type Kept = Arc<Mutex<Vec<Batch>>>;

/// What the task does and asks, where the test sees it.
#[derive(Clone, Default)]
struct Noted {
    kept: Kept,
    waiting: Arc<Mutex<Waiting>>,
    looks: Arc<AtomicU32>,
    opened: Arc<Mutex<Vec<SessionId>>>,
    over: Arc<Mutex<u32>>,
}

/// The other ends of a running task.
struct Ends {
    entries: mpsc::Sender<Entry>,
    requests: mpsc::Sender<Asked>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    live_runs: watch::Receiver<Vec<LiveRun>>,
    kept: Kept,
    waiting: Arc<Mutex<Waiting>>,
    /// How often it was asked what waits.
    looks: Arc<AtomicU32>,
    opened: Arc<Mutex<Vec<SessionId>>>,
    over: Arc<Mutex<u32>>,
    task: tokio::task::JoinHandle<()>,
}

fn start() -> Ends {
    start_after(None)
}

/// With earlier lives, of which something is told within so long.
fn start_after(earlier: Option<Duration>) -> Ends {
    let (entries, queue) = mpsc::channel(64);
    let (requests, request) = mpsc::channel(64);
    let (snapshots, snapshot) = watch::channel(Arc::new(Snapshot::default()));
    let (live_runs, live_run) = watch::channel(Vec::new());
    let noted = Noted::default();
    let Noted { kept, waiting, looks, opened, over } = noted.clone();
    let outlets = Outlets {
        rows: move |batch| noted.kept.lock().unwrap().push(batch),
        over: Box::new(move || *noted.over.lock().unwrap() += 1),
        waiting: Box::new(move || {
            noted.looks.fetch_add(1, Ordering::Relaxed);
            *noted.waiting.lock().unwrap()
        }),
        counted: Box::new(|| None),
        opened: move |_, session| noted.opened.lock().unwrap().push(session),
        heard: Box::new(|_: &Entry| {}),
        called: None,
        knock: Box::new(|_| true),
        earlier,
        snapshots,
        live_runs,
    };
    let task = tokio::spawn(run(ledger(), queue, request, outlets));
    let (snapshots, live_runs) = (snapshot, live_run);
    Ends { entries, requests, snapshots, live_runs, kept, waiting, looks, opened, over, task }
}

/// Asks for a session; where its answer will be.
async fn ask(ends: &Ends) -> oneshot::Receiver<Answered> {
    let (reply, answer) = oneshot::channel();
    let request = Request::Open(Box::default());
    ends.requests.send(Asked { request, reply }).await.unwrap();
    answer
}

/// Waits for the first picture of which `holds` is true.
async fn picture(ends: &mut Ends, holds: impl FnMut(&Arc<Snapshot>) -> bool) -> Arc<Snapshot> {
    let shown = tokio::time::timeout(Duration::from_secs(60), ends.snapshots.wait_for(holds));
    shown.await.expect("such a picture in time").expect("the task runs").clone()
}

#[tokio::test]
async fn what_comes_in_is_kept_shown_and_told() {
    let mut ends = start();
    for entry in [opened(0, 1, WEB, 0), forked(1, 1)] {
        ends.entries.send(entry).await.unwrap();
    }
    let live = ends.live_runs.wait_for(|runs| !runs.is_empty()).await.unwrap().clone();
    assert_eq!((live[0].session, live[0].process.as_str()), (session(1), "web"));
    let shown = picture(&mut ends, |picture| !picture.sessions.is_empty()).await;
    assert!(shown.generation > 1);
    ends.entries.send(exited(2, 1, 0)).await.unwrap();
    ends.live_runs.wait_for(Vec::is_empty).await.unwrap();
    assert_eq!(*ends.opened.lock().unwrap(), [session(1)]);
    assert_eq!(*ends.over.lock().unwrap(), 0, "it is not over while we live");
    ends.entries.send(story(3, Lifecycle::Left { code: 0 })).await.unwrap();
    drop(ends.entries);
    ends.task.await.unwrap();
    assert_eq!(*ends.over.lock().unwrap(), 1);
    assert_eq!(ends.kept.lock().unwrap().len(), 3);
    assert_eq!(ends.snapshots.borrow().ended.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_waits_until_what_it_says_is_durable_and_not_for_ever() {
    let ends = start();
    *ends.waiting.lock().unwrap() = Waiting { handed: 2, rows: 2, ..Waiting::default() };
    let mut answer = ask(&ends).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(answer.try_recv().is_err(), "nothing is committed yet");
    *ends.waiting.lock().unwrap() = Waiting { handed: 2, ..Waiting::default() };
    assert!(answer.await.unwrap().durable);
    *ends.waiting.lock().unwrap() = Waiting { handed: 4, rows: 2, ..Waiting::default() };
    let late = ask(&ends).await.await.unwrap();
    assert!(!late.durable, "the store stays away, and the answer says so");
    assert!(matches!(late.reply, Reply::Opened { new: true, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_until_earlier_lives_are_known_and_not_for_ever() {
    let told = start_after(Some(EARLIER_WAIT));
    let mut answer = ask(&told).await;
    tokio::time::sleep(EARLIER_WAIT / 2).await;
    assert!(answer.try_recv().is_err(), "who knows what was told before?");
    let found = Entry::OpenSessionsFound { at: at(1), sessions: vec![] };
    told.entries.send(found).await.unwrap();
    let before = Instant::now();
    assert!(answer.await.is_ok() && before.elapsed() < EARLIER_WAIT / 4);

    let untold = start_after(Some(EARLIER_WAIT));
    let before = Instant::now();
    assert!(ask(&untold).await.await.is_ok());
    assert!(before.elapsed() >= EARLIER_WAIT, "the store is away");
    assert!(ask(&untold).await.await.is_ok() && before.elapsed() < 2 * EARLIER_WAIT);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_the_store_is_shown_although_the_store_says_nothing() {
    let mut ends = start();
    *ends.waiting.lock().unwrap() =
        Waiting { handed: 2, rows: 2, dropped: 1, unmoved: WORTH_SAYING, ..Waiting::default() };
    ends.entries.send(opened(0, 1, WEB, 0)).await.unwrap();
    let waits = |picture: &Arc<Snapshot>| picture.house.store.is_some_and(|s| s.pending == 2);
    let shown = picture(&mut ends, waits).await;
    assert_eq!(shown.house.store.map(|store| store.dropped), Some(1));
    drop(ends.entries);
    ends.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nobody_wakes_to_see_whether_samples_alone_are_committed() {
    let mut ends = start();
    let told = [opened(0, 1, WEB, 0), ready(0, 1)];
    ends.entries.send(Entry::Together(told.into())).await.unwrap();
    picture(&mut ends, |picture| !picture.sessions.is_empty()).await;
    let looks_while = async |ends: &Ends, seconds| {
        let before = ends.looks.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        ends.looks.load(Ordering::Relaxed) - before
    };
    *ends.waiting.lock().unwrap() = Waiting { handed: 2, rows: 1, ..Waiting::default() };
    ends.entries.send(sampled(&[sample(5000, 1, 300, 0)])).await.unwrap();
    // One with the sample, and one for the picture where that has to wait for the last one.
    assert!(looks_while(&ends, 20).await <= 2, "for nothing");
    ends.entries.send(forked(6000, 1)).await.unwrap();
    ends.entries.send(exited(6000, 1, 0)).await.unwrap();
    assert!(looks_while(&ends, 20).await >= 30, "the end of a session matters");
}

#[tokio::test]
async fn an_entry_that_panics_is_skipped_and_counted() {
    let mut ends = start();
    ends.entries.send(opened(0, 1, WEB, 0)).await.unwrap();
    let poison = sampled(&[sample(1, 1, POISON, 0)]);
    // What was told together is not lost together.
    let told = [ready(0, 1), poison, opened(2, 2, CODER, 0)];
    ends.entries.send(Entry::Together(told.into())).await.unwrap();
    let after = picture(&mut ends, |picture| picture.sessions.len() == 2).await;
    assert_eq!(after.house.entries_ignored, 1);
    assert_eq!(after.opened[&(SessionKind::Process, "coder".to_owned())], 1);
}

#[tokio::test(start_paused = true)]
async fn pictures_are_paced_and_none_is_taken_while_nothing_happens() {
    let mut ends = start();
    for n in 0..1000 {
        ends.entries
            .send(story(
                n,
                Lifecycle::OrphansReaped {
                    process: None,
                    status: crate::units::ExitStatus::Code(0),
                    count: 1,
                },
            ))
            .await
            .unwrap();
    }
    let all = picture(&mut ends, |picture| picture.house.reaped_orphans == 1000).await;
    // Time stands still while entries pour in: the picture at the start and the one that was
    // due after them.
    assert_eq!(all.generation, 2);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(ends.snapshots.borrow().generation, 2);
}
