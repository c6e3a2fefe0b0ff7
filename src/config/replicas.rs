//! From an entry of the file to its processes: one, or `replicas` of them with a number each.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::plan::{Dependency, ProcessPlan, Replica};
use super::process::Draft;
use super::read::name_fault;

/// The name of a replica; without a number it is the entry's own.
pub(super) fn replica_name(of: &str, number: Option<u32>) -> String {
    match number {
        Some(number) => format!("{of}-{number}"),
        None => of.to_owned(),
    }
}

/// The path of a replica's own file: the number stands before the ending.
pub(super) fn replica_file(path: &Path, number: u32) -> PathBuf {
    let mut name = path.file_stem().map_or_else(OsString::new, ToOwned::to_owned);
    name.push(format!("-{number}"));
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

/// The path that [`replica_file`] made that of the first replica from.
pub(super) fn family_file(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().as_encoded_bytes();
    let own = stem.strip_suffix(b"-1").unwrap_or(stem);
    let mut name = OsString::from_vec(own.to_vec());
    if let Some(ending) = path.extension() {
        name.push(".");
        name.push(ending);
    }
    path.with_file_name(name)
}

impl Draft<'_> {
    /// How many processes it becomes.
    pub(super) fn count(&self) -> usize {
        self.replicas.as_ref().map_or(1, |(count, _)| *count as usize)
    }

    /// The number of each of its processes, and how many there are.
    pub(super) fn numbers(&self) -> impl Iterator<Item = (Option<u32>, u32)> {
        let count = self.replicas.as_ref().map(|(count, _)| *count);
        (1..=count.unwrap_or(1)).map(move |number| (count.map(|_| number), count.unwrap_or(1)))
    }

    /// Says what is wrong with its replicas.
    pub(super) fn fault_of_replicas(&self, message: &str) {
        if let Some((_, at)) = &self.replicas {
            at.fault(message, "choose another name");
        }
    }

    /// Complains when the longest name of its replicas cannot be one.
    pub(super) fn check_names(&self) {
        let Some((count, _)) = &self.replicas else { return };
        if let Some(fault) = name_fault(&replica_name(&self.plan.name, Some(*count)))
            && name_fault(&self.plan.name).is_none()
        {
            self.fault_of_replicas(&format!("with a number behind the name: {fault}"));
        }
    }

    /// Its processes, each with these dependencies.
    pub(super) fn into_plans(self, depends_on: Vec<Dependency>) -> Vec<ProcessPlan> {
        let one = ProcessPlan { depends_on, ..self.plan };
        let Some((count, _)) = self.replicas else { return vec![one] };
        (1..=count).map(|number| replica(&one, number)).collect()
    }
}

fn replica(of: &ProcessPlan, number: u32) -> ProcessPlan {
    let mut one = of.clone();
    one.replica = Some(Replica { of: of.name.clone(), number });
    one.name = replica_name(&of.name, Some(number));
    if let Some(file) = &mut one.output.file {
        file.path = replica_file(&file.path, number);
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_has_a_file_of_its_own() {
        for (path, own) in [
            ("/log/web.log", "/log/web-3.log"),
            ("/log/web", "/log/web-3"),
            ("/log.d/web", "/log.d/web-3"),
            ("web.tar.gz", "web.tar-3.gz"),
        ] {
            assert_eq!(replica_file(Path::new(path), 3), Path::new(own));
            let first = replica_file(Path::new(path), 1);
            assert_eq!(family_file(&first), Path::new(path));
        }
    }
}
