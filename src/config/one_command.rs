//! The plan for `procession -- CMD`: one process and no file.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::file::{DEFAULT_INTERVAL, DEFAULT_LISTEN, DEFAULT_SHUTDOWN};
use super::plan::{
    AgentPlan, ControlGroups, ControlPlan, Dialect, LeakRule, MemoryPlan, Mode, Passing, Plan,
    PrivacyPlan, ProcessPlan, Recovery, SessionsPlan, StorePlan, TokensPlan,
};
use super::read::name_fault;
use crate::chains::limits::Limits;
use crate::units::ProcessIx;

/// The name of a process whose program has no usable one.
const FALLBACK_NAME: &str = "command";

/// What can be said on the command line beside the command.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Where metrics are served; `None` serves them nowhere.
    pub listen: Option<SocketAddr>,
    /// Where history is kept.
    pub store: StorePlan,
    /// Where the run file is kept; [`super::surroundings::default_state_dir`] knows the usual place.
    pub state_dir: PathBuf,
    /// How long what the command leaves behind may take to end.
    pub shutdown_timeout: Duration,
    /// Between two samples of memory.
    pub memory_interval: Duration,
    /// How it is accompanied.
    pub passing: Passing,
    /// What happens to what an earlier life left behind.
    pub recovery: Recovery,
    /// The coding agent that the command is, if it is one.
    pub agent: Option<AgentPlan>,
}

impl Options {
    /// Metrics on, history in memory, nothing special.
    pub fn new(state_dir: PathBuf) -> Self {
        Self {
            listen: Some(DEFAULT_LISTEN),
            store: StorePlan::Memory,
            state_dir,
            shutdown_timeout: DEFAULT_SHUTDOWN,
            memory_interval: DEFAULT_INTERVAL,
            passing: Passing::default(),
            recovery: Recovery::End,
            agent: None,
        }
    }
}

/// The plan that runs `command`, forwards every signal to it and ends with it. An empty command
/// gives a plan without processes, which ends at once.
pub fn one_command(command: Vec<OsString>, options: Options) -> Plan {
    let processes: Vec<ProcessPlan> = command
        .first()
        .map(|program| name_of(program))
        .into_iter()
        .map(|name| process(name, command.clone(), &options))
        .collect();
    Plan {
        mode: Mode::OneCommand,
        passing: options.passing,
        control: ControlPlan::default(),
        exit_code_from: (0..processes.len()).map(ProcessIx).collect(),
        processes,
        shutdown_timeout: options.shutdown_timeout,
        listen: options.listen,
        store: options.store,
        spool: Some(StorePlan::SPOOL),
        keep_output: Some(StorePlan::OUTPUT),
        state_dir: options.state_dir,
        recovery: options.recovery,
        cgroups: ControlGroups::Off,
        memory: MemoryPlan { interval: options.memory_interval, leak_rule: LeakRule::default() },
        privacy: PrivacyPlan::default(),
        sessions: SessionsPlan::default(),
        tokens: TokensPlan::default(),
        budgets: Vec::new(),
        file_digest: None,
    }
}

fn process(name: String, command: Vec<OsString>, options: &Options) -> ProcessPlan {
    let agent = options.agent.clone().or_else(|| agent_of(&name));
    ProcessPlan { agent, command, ..ProcessPlan::new(name, Vec::new()) }
}

/// The agent that a program is known to be, by its name.
fn agent_of(program: &str) -> Option<AgentPlan> {
    Dialect::named(program).map(|dialect| AgentPlan {
        name: program.to_owned(),
        dialect,
        transcripts: vec![],
        limits: Limits::default(),
    })
}

/// The file name of a program as the name of a process.
fn name_of(program: &OsStr) -> String {
    let file = Path::new(program).file_name().map(|name| name.to_string_lossy());
    let kept = |c: &char| c.is_ascii_alphanumeric() || "_.-".contains(*c);
    let name: String = file.as_deref().unwrap_or_default().chars().filter(kept).collect();
    let name: String = name.trim_start_matches(['_', '.', '-']).chars().take(63).collect();
    if name_fault(&name).is_some() { FALLBACK_NAME.to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::plan::RestartPolicy;

    #[test]
    fn the_program_names_the_process() {
        for (program, name) in [
            ("/usr/bin/python3", "python3"),
            ("node", "node"),
            ("./my app!.sh", "myapp.sh"),
            (".hidden", "hidden"),
            ("/", "command"),
            ("ü", "command"),
            ("unknown", "command"),
        ] {
            assert_eq!(name_of(program.as_ref()), name, "{program}");
        }
        assert_eq!(name_of("x".repeat(100).as_ref()).len(), 63);
    }

    #[test]
    fn an_agent_is_known_by_its_name() {
        for (program, agent) in [("/usr/bin/claude", Some("claude")), ("claudette", None)] {
            let plan = one_command(vec![program.into()], Options::new(PathBuf::new()));
            let found = plan.processes[0].agent.as_ref().map(|agent| agent.name.as_str());
            assert_eq!(found, agent, "{program}");
        }
    }

    #[test]
    fn one_command_decides_the_exit_and_is_never_restarted() {
        let options = Options::new(PathBuf::from("/run/procession"));
        let plan = one_command(vec!["sleep".into(), "5".into()], options);
        assert_eq!(plan.mode, Mode::OneCommand);
        assert_eq!(plan.exit_code_from, [ProcessIx(0)]);
        assert_eq!(plan.processes[0].command, ["sleep", "5"]);
        assert_eq!(plan.processes[0].restart.policy, RestartPolicy::No);
        assert_eq!(plan.listen, Some(DEFAULT_LISTEN));
        assert_eq!(plan.store, StorePlan::Memory);
    }
}
