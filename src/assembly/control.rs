//! The control doors, tied to the loop, the ledger and the file.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc::WeakSender;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::assembly::hooking;
use crate::assembly::spenders::{self, Behind};
use crate::config::beside::Asked;
use crate::config::load::{self, load_anew};
use crate::config::plan::{Plan, ProcessPlan};
use crate::init::inward::{Doors, Order};
use crate::init::pulse::Pulse;
use crate::ledger::beside::Roll;
use crate::ledger::entry::Entry;
use crate::ledger::happening::Narrator;
use crate::ledger::request::Knock;
use crate::ledger::snapshot::Snapshot;
use crate::ledger::task;
use crate::ledger::veil::Veil;
use crate::output::door::Output;
use crate::output::tape::Wanted;
use crate::serve::control::beside::{Beside, NoTapes, Reading, Tapes};
use crate::serve::control::feeding::{Feeding, Feeds};
use crate::serve::control::logs::Logs;
use crate::serve::control::trail::{self, Trail};
use crate::serve::control::{self, Busy, NotRead, ReadPlan, Sources};
use crate::serve::events::Events;
use crate::serve::wire::SpawnBody;
use crate::store::reading::reader::Reader;
use crate::store::salt;
use crate::supervise::wish::Wish;
use crate::units::{RunId, Wall};

/// What listens at the ledger's queue.
type Ear = Box<dyn FnMut(&Entry) + Send>;

/// What the doors show and whom they pass orders to.
pub(super) struct Tied {
    /// Where the plan was read from.
    pub(super) source: Option<PathBuf>,
    /// Told when the configuration was read anew.
    pub(super) reread: Arc<Notify>,
    /// Where orders go.
    pub(super) doors: Doors,
    /// The latest picture.
    pub(super) pictures: watch::Receiver<Arc<Snapshot>>,
    /// What happens.
    pub(super) events: Arc<Events>,
    /// Whether the loop turns.
    pub(super) pulse: Pulse,
    /// What processes wrote.
    pub(super) logs: Arc<dyn Logs>,
    /// Commands beside the plan.
    pub(super) beside: Arc<Beside>,
    /// Where the ledger is asked.
    pub(super) requests: mpsc::Sender<task::Asked>,
    /// Keeps what is written down of those who ask.
    pub(super) keep: trail::Keep,
    /// Tells the ledger what to forget.
    pub(super) entries: WeakSender<Entry>,
    /// What is masked.
    pub(super) veil: Veil,
    /// What is kept.
    pub(super) history: Reader,
}

/// Takes orders wherever the plan says.
pub(super) async fn take_orders(plan: Arc<Plan>, tied: Tied, stopped: watch::Receiver<bool>) {
    let Tied {
        source,
        reread,
        doors,
        pictures,
        events,
        pulse,
        logs,
        beside,
        history,
        requests,
        keep,
        entries,
        veil,
    } = tied;
    let sources = Arc::new(Sources {
        pictures,
        orders: Box::new(move |wish| {
            let (reply, answer) = oneshot::channel();
            doors.orders.try_send(Order { wish, reply }).map(|()| answer).map_err(busy)
        }),
        requests: Box::new(move |request| {
            let (reply, answer) = oneshot::channel();
            requests.try_send(task::Asked { request, reply }).map(|()| answer).map_err(busy)
        }),
        read_plan: read_plan(source, reread),
        read_command: Arc::new(read_command),
        logs,
        beside,
        events,
        history,
        trail: Trail::new(keep, plan.privacy.masker.clone()),
        forget: Box::new(move |whose| {
            let entries = entries.upgrade();
            entries.is_some_and(|entries| entries.try_send(Entry::Forget { whose }).is_ok())
        }),
        veil,
        salt: read_salt(&plan),
        alive: Box::new(move || pulse.is_alive()),
    });
    let open = || control::serve(plan.control.clone(), Arc::clone(&sources), stopped.clone());
    super::senses::restarting("control", open).await;
}

/// Reads the salt of this instance, once.
fn read_salt(plan: &Plan) -> control::ReadSalt {
    let (state_dir, known) = (plan.state_dir.clone(), OnceLock::new());
    Arc::new(move || *known.get_or_init(|| salt::kept(&state_dir)))
}

/// What is known of commands beside the plan: nobody yet.
pub(super) fn beside(plan: &Arc<Plan>, output: Option<Output>) -> Arc<Beside> {
    let tapes: Arc<dyn Tapes> = match output {
        Some(output) => Arc::new(Recorded(output)),
        None => Arc::new(NoTapes),
    };
    Arc::new(Beside::new(Roll::new(Arc::clone(plan)), tapes, Arc::new(Feeds::default())))
}

/// Writes to commands beside the plan what they are told, by the pipes that the loop hands over.
pub(super) fn feed(
    beside: &Beside,
    pipes: mpsc::Receiver<Feeding>,
) -> impl Future<Output = ()> + Send + use<> {
    let feeds = Arc::clone(&beside.feeds);
    async move { feeds.follow(pipes).await }
}

/// The tapes of the output room.
struct Recorded(Output);

impl Tapes for Recorded {
    fn read(&self, run: RunId, wanted: Wanted, wait: Duration) -> Reading<'_> {
        Box::pin(self.0.tape(run, wanted, wait))
    }
}

/// What happens, and the ear at the ledger's queue by which it is heard. Nothing is kept where
/// nobody can ask for it.
pub(super) fn events(plan: &Arc<Plan>, began: Wall, beside: &Arc<Beside>) -> (Arc<Events>, Ear) {
    let events = Arc::new(Events::new(began));
    if plan.control.socket.is_none() && plan.control.tcp.is_none() {
        return (events, Box::new(|_| {}));
    }
    let (told, mut narrator) = (Arc::clone(&events), Narrator::new(Arc::clone(plan)));
    let beside = Arc::clone(beside);
    let heard = move |entry: &Entry| {
        let Entry::Lifecycle { at, event } = entry else { return };
        beside.hear(*at, event);
        if let Some(happening) = narrator.tell(at.wall, event) {
            told.tell(happening);
        }
    };
    (events, Box::new(heard))
}

/// Passes on what the ledger asks for, as an order like any other whose answer nobody waits for.
pub(super) fn knocks_at(
    doors: &Doors,
    pictures: watch::Receiver<Arc<Snapshot>>,
    plans: watch::Receiver<Arc<Plan>>,
) -> Box<dyn FnMut(Knock) -> bool + Send> {
    let orders = doors.orders.clone();
    Box::new(move |knock| {
        let wish = match knock {
            Knock::EndOrphans { process, session } => {
                let known = Behind { process, session, picture: pictures.borrow().clone() };
                tokio::spawn(spenders::end(known, orders.clone()));
                return true;
            }
            Knock::Hook(hooked) => match hooking::wish(&plans.borrow(), &hooked) {
                Some(wish) => wish,
                None => return true,
            },
            Knock::End(session) => Wish::End { session, grace: None },
            Knock::Restart(process) => Wish::Restart(vec![process]),
            Knock::Stop(process) => Wish::Stop(vec![process]),
            Knock::Signal { process, signal } => {
                Wish::Signal { names: vec![process], signal, group: false }
            }
        };
        let (reply, _) = oneshot::channel();
        orders.try_send(Order { wish, reply }).is_ok()
    })
}

pub(super) fn busy<T>(error: TrySendError<T>) -> Busy {
    match error {
        TrySendError::Full(_) => Busy::Full,
        TrySendError::Closed(_) => Busy::Gone,
    }
}

fn read_command(body: &SpawnBody, usual: ProcessPlan) -> Result<ProcessPlan, Vec<String>> {
    let SpawnBody { command: _, shell: _, env: _, cwd: _, name, user, stop_signal, .. } =
        body.clone();
    let SpawnBody { stop_grace_period, timeout, memory, cpu_time, .. } = body.clone();
    let SpawnBody { nofile, nproc, keep_output, stdin, .. } = body.clone();
    let asked = Asked {
        name,
        user,
        stop_signal,
        stop_grace_period,
        timeout,
        memory,
        cpu_time,
        nofile,
        nproc,
        keep_output,
        stdin,
    };
    load::beside(&asked, usual)
}

fn read_plan(source: Option<PathBuf>, reread: Arc<Notify>) -> ReadPlan {
    Arc::new(move || {
        let path = source.as_ref().ok_or(NotRead::NoFile)?;
        match load_anew(path) {
            Ok(loaded) => {
                for warning in loaded.warnings.iter() {
                    tracing::warn!(target: "config", "{warning}");
                }
                reread.notify_one();
                Ok(Arc::new(loaded.plan))
            }
            Err(problems) => {
                Err(NotRead::Faults(problems.iter().map(|problem| problem.to_string()).collect()))
            }
        }
    })
}
