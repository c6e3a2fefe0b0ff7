//! The mind: a fact in, actions out, and the next point in time at which it wants to be asked.
pub mod action;
pub mod fact;
pub mod lifecycle;
