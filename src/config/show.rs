//! The checked plan as YAML in the words of the file, for `procession check`.
//!
//! Every default is written out, every variable replaced, every path whole, and every secret
//! masked. Apart from the masks, reading the text again gives the same plan. The types here mirror
//! the file, not the plan: the plan is not serialisable, so that it can change without changing
//! what is promised here.

mod budgets;
mod memory;
mod output;
mod privacy;
mod process;
mod sessions;
mod tokens;
mod world;

use std::path::Path;

use serde::ser::{Serialize, Serializer};

use self::budgets::{Budget, budget};
use self::privacy::{Privacy, privacy};
use self::process::{Process, process};
use self::sessions::{Sessions, sessions};
use self::tokens::{Tokens, tokens};
use super::families::{families, names};
use super::order;
use super::plan::{ControlGroups, ControlPlan, Mode, Plan, Recovery, StorePlan, TokenPlan};
use super::quantity::{print_bytes, print_duration};

/// The plan as YAML, with the start order as comments at its end.
pub fn show(plan: &Plan) -> String {
    let yaml = serde_yaml::to_string(&whole(plan))
        .unwrap_or_else(|error| format!("# cannot show the plan: {error}\n"));
    let order: String = order::describe(plan).iter().map(|line| format!("#   {line}\n")).collect();
    let how = match plan.mode {
        Mode::Supervise => "start order",
        Mode::OneCommand => "one command, every signal is forwarded to it",
    };
    format!("{yaml}\n# {how}:\n{order}")
}

/// A map that keeps its order.
struct Ordered<T>(Vec<(String, T)>);

impl<T: Serialize> Serialize for Ordered<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

fn is_empty<T>(map: &Ordered<T>) -> bool {
    map.0.is_empty()
}

/// A value, or `false` where there is none.
#[derive(serde::Serialize)]
#[serde(untagged)]
enum OrOff<T> {
    On(T),
    Off(bool),
}

impl<T> OrOff<T> {
    fn of(value: Option<T>) -> Self {
        value.map_or(Self::Off(false), Self::On)
    }
}

#[derive(serde::Serialize)]
struct Whole {
    processes: Ordered<Process>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exit_code_from: Vec<String>,
    shutdown_timeout: String,
    metrics: Metrics,
    control: OrOff<Control>,
    store: Store,
    state_dir: String,
    recovery: &'static str,
    cgroups: &'static str,
    memory: Memory,
    sessions: Sessions,
    privacy: Privacy,
    tokens: Tokens,
    #[serde(skip_serializing_if = "is_empty")]
    budgets: Ordered<Budget>,
}

#[derive(serde::Serialize)]
struct Metrics {
    listen: OrOff<String>,
}

#[derive(serde::Serialize)]
struct Control {
    socket: OrOff<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_file: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<Token>,
}

#[derive(serde::Serialize)]
struct Token {
    name: String,
    file: String,
    role: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    users: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    agents: Vec<String>,
}

#[derive(serde::Serialize)]
#[serde(untagged)]
enum Store {
    Memory(&'static str),
    File {
        sqlite: String,
        spool: OrOff<String>,
        output: OrOff<String>,
    },
    Database {
        postgres: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        password_file: Option<String>,
        spool: OrOff<String>,
        output: OrOff<String>,
    },
}

#[derive(serde::Serialize)]
struct Memory {
    interval: String,
    leak_rule: &'static str,
}

fn whole(plan: &Plan) -> Whole {
    let processes = families(plan).into_iter();
    let processes =
        processes.map(|(one, count)| (one.family().to_owned(), process(plan, one, count)));
    let deciders = names(plan, &plan.exit_code_from).into_iter().map(|(name, _)| name.to_owned());
    let spool = OrOff::of(plan.spool.map(print_bytes));
    let output = OrOff::of(plan.keep_output.map(print_bytes));
    Whole {
        processes: Ordered(processes.collect()),
        exit_code_from: deciders.collect(),
        shutdown_timeout: print_duration(plan.shutdown_timeout),
        metrics: Metrics { listen: OrOff::of(plan.listen.map(|at| at.to_string())) },
        control: control(&plan.control),
        store: match &plan.store {
            StorePlan::Memory => Store::Memory("memory"),
            StorePlan::Sqlite(path) => Store::File { sqlite: path_text(path), spool, output },
            StorePlan::Postgres(plan) => Store::Database {
                postgres: plain(&plan.to_string()),
                password_file: plan.password_file.as_deref().map(path_text),
                spool,
                output,
            },
        },
        state_dir: path_text(&plan.state_dir),
        recovery: match plan.recovery {
            Recovery::End => "end",
            Recovery::Adopt => "adopt",
            Recovery::Off => "off",
        },
        cgroups: match plan.cgroups {
            ControlGroups::Auto => "auto",
            ControlGroups::Off => "off",
        },
        memory: Memory {
            interval: print_duration(plan.memory.interval),
            leak_rule: plan.memory.leak_rule.as_str(),
        },
        sessions: sessions(&plan.sessions),
        privacy: privacy(&plan.privacy),
        tokens: tokens(&plan.tokens),
        budgets: Ordered(plan.budgets.iter().map(|one| (one.name.clone(), budget(one))).collect()),
    }
}

fn control(plan: &ControlPlan) -> OrOff<Control> {
    if *plan == ControlPlan::default() {
        return OrOff::Off(false);
    }
    let tokens = || plan.tcp.iter().flat_map(|tcp| &tcp.tokens);
    let is_only = |token: &TokenPlan| token.name == TokenPlan::ONLY;
    OrOff::On(Control {
        socket: OrOff::of(plan.socket.as_deref().map(path_text)),
        listen: plan.tcp.as_ref().map(|tcp| tcp.listen.to_string()),
        token_file: tokens().find(|it| is_only(it)).map(|it| path_text(&it.file)),
        tokens: tokens().filter(|it| !is_only(it)).map(token).collect(),
    })
}

fn token(plan: &TokenPlan) -> Token {
    let all = |names: &[String]| names.iter().map(|name| plain(name)).collect();
    Token {
        name: plan.name.clone(),
        file: path_text(&plan.file),
        role: plan.role.as_str(),
        users: all(&plan.users),
        agents: all(&plan.agents),
    }
}

fn path_text(path: &Path) -> String {
    plain(&path.to_string_lossy())
}

/// The text such that no variable is seen in it when it is read again.
fn plain(text: &str) -> String {
    text.replace('$', "$$")
}
