//! What is learnt of those who work here.

use crate::secret::masker::Masker;

/// `privacy`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrivacyPlan {
    /// The command of a session; its secrets are masked in any case.
    pub command: Treatment,
    /// The folder that it runs in.
    pub working_dir: Treatment,
    /// The name of the user that it runs as.
    pub user: Treatment,
    /// The branch and the commit of the checkout that it works in.
    pub git: Treatment,
    /// The name of the host.
    pub hostname: Treatment,
    /// The ids that agents and applications give their conversations.
    pub native_ids: Treatment,
    /// The labels that applications give their sessions.
    pub metadata: Treatment,
    /// Whether the masked beginnings of prompts and answers are kept (`excerpts`).
    pub excerpts: bool,
    /// What is masked beside what the house masks anyway (`patterns`).
    pub masker: Masker,
}

impl PrivacyPlan {
    /// Whether something is kept as a hash, which takes a salt.
    pub fn hashes(&self) -> bool {
        let Self { command, working_dir, user, git, hostname, native_ids, metadata, .. } = self;
        [command, working_dir, user, git, hostname, native_ids, metadata]
            .contains(&&Treatment::Hash)
    }
}

/// What becomes of a field before anything is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Treatment {
    /// It is kept.
    #[default]
    Collect,
    /// A hash with a secret salt stands in its place, so that what is alike can still be grouped.
    Hash,
    /// It is not kept.
    Drop,
}

impl Treatment {
    /// Every treatment.
    pub const ALL: [Self; 3] = [Self::Collect, Self::Hash, Self::Drop];

    /// Its word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Collect => "collect",
            Self::Hash => "hash",
            Self::Drop => "drop",
        }
    }
}
