//! Whether everything is ready, and how each part of the house is. Pure.
//!
//! Only the processes decide: a load balancer must not turn away from a server that works because
//! its history cannot be written. The other parts are told of where somebody asks for all of them, in
//! the form of the `/readyz?verbose` of Kubernetes.

use crate::ledger::snapshot::{ProcessView, Snapshot};
use crate::supervise::lifecycle::PhaseName;

/// A line for everything that is not ready; none when all is.
pub(super) fn missing(snapshot: &Snapshot) -> Vec<String> {
    if snapshot.house.stopping {
        return vec!["everything is being stopped".to_owned()];
    }
    if snapshot.generation == 0 {
        return vec!["nothing is known yet".to_owned()];
    }
    // How a command beside the plan went concerns who asked for it, and nobody's traffic.
    let in_plan = snapshot.processes.iter().filter(|process| !process.beside);
    in_plan.filter(|process| !is_well(process)).map(unready).collect()
}

/// The answer to who only wants to know whether.
pub(super) fn brief(snapshot: &Snapshot) -> String {
    let missing = missing(snapshot);
    if missing.is_empty() { "ready\n".to_owned() } else { missing.join("\n") + "\n" }
}

/// The answer to who wants to know of each part.
pub(super) fn verbose(snapshot: &Snapshot) -> String {
    let missing = missing(snapshot);
    let parts = [
        ("processes", told(&missing)),
        ("sessions", told(&sessions(snapshot))),
        ("persistence", told(&persistence(snapshot))),
        ("validity", told(&validity(snapshot))),
    ];
    let lines = parts.map(|(part, how)| match how {
        None => format!("[+]{part} ok\n"),
        Some(why) => format!("[-]{part} failed: {why}\n"),
    });
    let end = if missing.is_empty() { "ready" } else { "not ready" };
    format!("{}{end}\n", lines.concat())
}

fn told(faults: &[String]) -> Option<String> {
    (!faults.is_empty()).then(|| faults.join("; "))
}

/// Whether sessions are taken in as they come.
fn sessions(snapshot: &Snapshot) -> Vec<String> {
    let dropped = snapshot.house.entries_dropped;
    if dropped == 0 {
        return Vec::new();
    }
    vec![format!(
        "{dropped} entries did not reach the ledger; sessions say that they are incomplete"
    )]
}

/// Whether what is committed is kept.
fn persistence(snapshot: &Snapshot) -> Vec<String> {
    let Some(store) = snapshot.house.store.filter(|store| !store.up) else { return Vec::new() };
    vec![format!("the store takes no rows, {} wait; the log says why", store.pending)]
}

/// Whether what is shown and kept is all that happened.
fn validity(snapshot: &Snapshot) -> Vec<String> {
    let ignored = snapshot.house.entries_ignored;
    let given_up = snapshot.house.store.map_or(0, |store| store.dropped);
    let told = [
        (ignored, "entries told of nothing that is known, or could not be taken in"),
        (given_up, "rows of history had to be given up"),
    ];
    told.into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect()
}

fn is_well(process: &ProcessView) -> bool {
    matches!(process.phase, PhaseName::Ready | PhaseName::Done)
}

fn unready(process: &ProcessView) -> String {
    let last = process.last_status.map(|status| format!(" (last: {status})")).unwrap_or_default();
    format!("{}: {}{last}", process.name, process.phase.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::snapshot::HouseView;

    fn with(house: HouseView) -> Snapshot {
        Snapshot { generation: 1, house, ..Snapshot::default() }
    }

    #[test]
    fn each_part_is_told_of_and_only_processes_decide() {
        let well = with(HouseView::default());
        assert_eq!(
            verbose(&well),
            "[+]processes ok\n[+]sessions ok\n[+]persistence ok\n[+]validity ok\nready\n"
        );
        let mut house = HouseView { entries_dropped: 2, ..HouseView::default() };
        let store = house.store.insert(Default::default());
        (store.pending, store.dropped) = (7, 3);
        let ill = with(house);
        let told = verbose(&ill);
        assert!(told.contains("[-]sessions failed: 2 entries"), "{told}");
        assert!(told.contains("[-]persistence failed: the store takes no rows, 7 wait"), "{told}");
        assert!(told.contains("[-]validity failed: 3 rows"), "{told}");
        assert!(told.ends_with("\nready\n") && brief(&ill) == "ready\n", "{told}");
        let stopping = with(HouseView { stopping: true, ..HouseView::default() });
        assert!(
            verbose(&stopping).starts_with("[-]processes failed: everything is being stopped\n")
        );
        assert_eq!(brief(&stopping), "everything is being stopped\n");
    }
}
