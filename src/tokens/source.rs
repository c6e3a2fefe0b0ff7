//! Whose transcripts lie where: which process a line counts for.
//!
//! Owns the attribution of a folder, and of a line in a folder that several processes share.
//! Refuses to guess: a line that fits no process counts for none.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::plan::{Dialect, Plan};
use crate::tokens::agents;

/// A folder of transcripts, and the processes whose agents may write there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The folder; it need not exist yet.
    pub root: PathBuf,
    /// How its transcripts are read.
    pub dialect: Dialect,
    /// Who may write there; never empty.
    pub owners: Vec<Owner>,
}

/// A process whose agent may write to a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The process and its agent.
    pub whose: Whose,
    /// Where the process works, to tell it from others that share the folder.
    pub working_dir: Option<PathBuf>,
}

/// What a response counts for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Whose {
    /// The process; `None` where it cannot be told.
    pub process: Option<Arc<str>>,
    /// The agent's bounded name.
    pub agent: Arc<str>,
}

impl Source {
    /// The folders of all processes that declare an agent: the configured ones, else those where
    /// its product keeps transcripts. `variable` is our own environment, which a process inherits
    /// unless it says otherwise.
    pub fn of_plan(plan: &Plan, variable: impl Fn(&str) -> Option<String>) -> Vec<Self> {
        let claims = plan.processes.iter().flat_map(|process| {
            let agent = process.agent.iter();
            agent.flat_map(|agent| {
                let own = |name: &str| {
                    let set = process.environment.iter().rev().find(|(key, _)| key == name);
                    set.map(|(_, value)| value.clone()).or_else(|| variable(name))
                };
                let roots = match agent.transcripts.as_slice() {
                    [] => agents::default_roots(agent.dialect, own),
                    named => named.to_vec(),
                };
                let whose = Whose {
                    process: Some(process.name.as_str().into()),
                    agent: agent.name.as_str().into(),
                };
                let working_dir = process.working_dir.clone();
                let owner = Owner { whose, working_dir };
                roots.into_iter().map(move |root| (root, agent.dialect, owner.clone()))
            })
        });
        Self::merged(claims)
    }

    /// The folders of all owners, each once for each dialect, those within others first so that they
    /// win.
    pub fn merged(claims: impl IntoIterator<Item = (PathBuf, Dialect, Owner)>) -> Vec<Self> {
        let mut sources: Vec<Self> = Vec::new();
        for (root, dialect, owner) in claims {
            let known = |source: &&mut Self| source.root == root && source.dialect == dialect;
            match sources.iter_mut().find(known) {
                Some(source) if source.owners.contains(&owner) => {}
                Some(source) => source.owners.push(owner),
                None => sources.push(Self { root, dialect, owners: vec![owner] }),
            }
        }
        sources.sort_by_key(|source| std::cmp::Reverse(source.root.components().count()));
        sources
    }

    /// Whether it is the same folder, read in the same way.
    pub fn is_of(&self, other: &Self) -> bool {
        self.root == other.root && self.dialect == other.dialect
    }

    /// Whom a line counts for that was written while the agent worked in `cwd`: the only owner, or
    /// the one that works nearest above it.
    pub fn whose(&self, cwd: Option<&str>) -> Whose {
        if let [only] = self.owners.as_slice() {
            return only.whose.clone();
        }
        let nearest = cwd.and_then(|cwd| self.nearest(Path::new(cwd)));
        nearest.map_or_else(|| self.nobody(), |owner| owner.whose.clone())
    }

    /// The owner with the longest working directory above `cwd`; none if two share it.
    fn nearest(&self, cwd: &Path) -> Option<&Owner> {
        let depth = |owner: &Owner| {
            let dir = owner.working_dir.as_deref().filter(|dir| cwd.starts_with(dir))?;
            Some(dir.components().count())
        };
        let deepest = self.owners.iter().filter_map(depth).max()?;
        let mut found = self.owners.iter().filter(|owner| depth(owner) == Some(deepest));
        found.next().filter(|_| found.next().is_none())
    }

    /// No process; the agent if all owners agree on it.
    fn nobody(&self) -> Whose {
        let mut agents = self.owners.iter().map(|owner| &owner.whose.agent);
        let first = agents.next().cloned();
        let agreed = first.filter(|first| agents.all(|agent| agent == first));
        Whose { process: None, agent: agreed.unwrap_or_else(|| "unknown".into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(process: &str, dir: Option<&str>) -> Owner {
        Owner {
            whose: Whose { process: Some(process.into()), agent: "claude".into() },
            working_dir: dir.map(PathBuf::from),
        }
    }

    fn process_of(owners: &[(&str, Option<&str>)], cwd: Option<&str>) -> Option<String> {
        let claims = owners
            .iter()
            .map(|(name, dir)| (PathBuf::from("/r"), Dialect::Claude, owner(name, *dir)));
        let sources = Source::merged(claims);
        assert_eq!(sources.len(), 1);
        sources[0].whose(cwd).process.map(|process| process.to_string())
    }

    #[test]
    fn a_folder_of_one_process_is_its_own_wherever_it_works() {
        for cwd in [None, Some("/elsewhere"), Some("/a")] {
            assert_eq!(process_of(&[("a", Some("/a"))], cwd).as_deref(), Some("a"));
        }
    }

    #[test]
    fn a_shared_folder_goes_by_the_nearest_working_directory() {
        let owners = [("a", Some("/src/a")), ("deep", Some("/src/a/deep")), ("none", None)];
        for (cwd, process) in [
            (Some("/src/a"), Some("a")),
            (Some("/src/a/x"), Some("a")),
            (Some("/src/a/deep/x"), Some("deep")),
            (Some("/src/ab"), None),
            (Some("/src"), None),
            (Some(""), None),
            (None, None),
        ] {
            assert_eq!(process_of(&owners, cwd).as_deref(), process, "{cwd:?}");
        }
        let twins = [("a", Some("/src")), ("b", Some("/src"))];
        assert_eq!(process_of(&twins, Some("/src")), None);
    }

    #[test]
    fn inner_folders_come_before_outer_ones() {
        let claim = |root: &str| (PathBuf::from(root), Dialect::Claude, owner("a", None));
        let sources = Source::merged([claim("/r"), claim("/r/x"), claim("/r")]);
        let roots: Vec<_> = sources.iter().map(|s| s.root.to_str()).collect();
        assert_eq!(roots, [Some("/r/x"), Some("/r")]);
    }
}
