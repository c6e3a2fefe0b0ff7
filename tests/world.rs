//! The world that a child wakes up in.
