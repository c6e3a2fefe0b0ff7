//! What processes write: read from their pipes, shown with a prefix or as JSON, kept for `logs`,
//! written to files, and searched for the line that tells that a process is ready.
//!
//! Passing through needs none of this: such a process inherits our descriptors.
//!
//! ```text
//!   pipes ──► engine ──► queue ──► console    one writer for each of our own descriptors
//!              │  └────► queue ──► files      one writer for all files, with rotation
//!              ├───────► shelf                figures and the last lines of each process
//!              ├───────► tapes                what runs wrote that are recorded, byte for byte
//!              ├───────► tap                  whole lines for who looks at each of them
//!              └───────► Matched, Drained
//! ```
//!
//! # What is promised
//!
//! - **No process waits for a target longer than its plan allows.** Each target has a bounded queue
//!   and a thread of its own; when a queue is full, the pipes in front of it are left alone for that
//!   long, and then the oldest lines are dropped and counted.
//! - **No line is broken, none is mixed with another**: a target has one writer, and what it gets are
//!   whole lines. Longer ones than allowed come in pieces that say so.
//! - **The last lines arrive.** After the end of a main process its pipes are read until they are
//!   empty and quiet; then [`door::Event::Drained`] is told. Somebody it left behind may hold the pipe: it
//!   is read on, so that they do not end by a signal, and the lines are marked as left over.
//! - **Nothing is done when nothing is written**: no timer, no thread before the first pipe.
//! - **Descriptors that were inherited keep their flags.**
//!
//! The door is [`door::Output`]. [`door::Output::attach`] and [`door::Output::main_ended`] never wait, and may be called before the threads
//! stand: the orders keep their order.

pub mod plan;
pub mod figures;
pub mod door;
pub mod by_hand;
pub mod look;
pub mod cut;
pub mod format;
pub mod ring;
pub mod shelf;
pub mod tape;
pub mod tapes;
pub mod tap;
pub mod ending;
pub mod pace;
pub mod queue;
pub mod rotate;
pub mod files;
pub mod console;
pub mod pipe;
pub mod pipes;
pub mod engine;
