//! The verbs that ask a procession that runs.
