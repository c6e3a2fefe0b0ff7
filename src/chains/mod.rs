//! Chains: the conversations of one agent in their order, what each left to go on with, and when it
//! is time to hand over to the next.
//!
//! ```text
//!   transcript ─► tokens (decoder, talks) ─► Step ─► Chains ─► rows, events, the picture
//! ```
//!
//! Owns the order and the links ([`chain`]), what a next conversation needs to know
//! ([`continuation`]), what was said ([`interaction`]), and the hand-over in figures and words
//! ([`handover`]). Refuses to read: what is told comes as a [`step::Step`].

pub mod chain;
pub mod continuation;
pub mod handover;
pub mod interaction;
pub mod limits;
pub mod step;
pub mod transcript;

#[cfg(test)]
mod tests;
