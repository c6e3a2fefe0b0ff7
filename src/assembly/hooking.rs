//! Commands that the plan has for what the ledger notices: each runs beside the plan, as a session of
//! its own, in the world of the process that it is about.

use crate::config::plan::{
    BudgetLimit, Hook, OutputMode, OutputPlan, Plan, ProcessPlan, Standing, Stdin, World,
};
use crate::ledger::request::{HookCause, Hooked};
use crate::supervise::wish::Wish;

/// The order for it; none where a reload took the command away meanwhile. A command that is still
/// running is refused a second time, and the loop says so.
pub(super) fn wish(plan: &Plan, hooked: &Hooked) -> Option<Wish> {
    Some(Wish::Spawn(Box::new(process_of(plan, hooked)?)))
}

fn process_of(plan: &Plan, hooked: &Hooked) -> Option<ProcessPlan> {
    let about = hooked.process.as_ref();
    let about = about.and_then(|name| plan.processes.iter().find(|it| it.name == *name));
    let hook = match &hooked.cause {
        HookCause::Memory { .. } => about?.hooks.on_memory.as_ref()?,
        HookCause::Budget { name, .. } => {
            plan.budgets.iter().find(|it| it.name == *name)?.hook.as_ref()?
        }
    };
    let mut variables = variables(plan, hooked);
    let Hook { command, timeout } = hook.clone();
    let usual = ProcessPlan::new(name(hooked), command);
    let place = ProcessPlan {
        standing: Standing::Spawned,
        max_duration: Some(timeout),
        output: OutputPlan::new(OutputMode::Prefixed),
        ..usual
    };
    let Some(about) = about else {
        return Some(ProcessPlan { environment: variables, ..place });
    };
    let mut environment = about.environment.clone();
    environment.append(&mut variables);
    let world = World { stdin: Stdin::default(), ..about.world.clone() };
    let working_dir = about.working_dir.clone();
    Some(ProcessPlan { environment, world, working_dir, ..place })
}

/// One name for all of a process, or of a budget: while one runs, no other is begun.
fn name(hooked: &Hooked) -> String {
    match (&hooked.cause, &hooked.process) {
        (HookCause::Budget { name, .. }, _) => format!("{name}-hook"),
        (HookCause::Memory { .. }, process) => {
            format!("{}-hook", process.as_deref().unwrap_or_default())
        }
    }
}

/// What it is told, in variables.
fn variables(plan: &Plan, hooked: &Hooked) -> Vec<(String, String)> {
    let mut told = Vec::new();
    let mut tell = |name: &str, value: String| told.push((format!("PROCESSION_{name}"), value));
    if let Some(process) = &hooked.process {
        tell("PROCESS", process.clone());
    }
    match &hooked.cause {
        HookCause::Memory { level, size } => {
            tell("HOOK", "memory".to_owned());
            tell("MEMORY_LEVEL", level.as_str().to_owned());
            tell("MEMORY_BYTES", size.0.to_string());
        }
        HookCause::Budget { name, spent, limit } => {
            let is_money = plan
                .budgets
                .iter()
                .any(|it| it.name == *name && matches!(it.limit, BudgetLimit::Cost(_)));
            tell("HOOK", "budget".to_owned());
            tell("BUDGET", name.clone());
            tell("BUDGET_SPENT", spent.to_string());
            tell("BUDGET_LIMIT", limit.to_string());
            tell("BUDGET_UNIT", if is_money { "nano_usd" } else { "tokens" }.to_owned());
        }
    }
    told
}
