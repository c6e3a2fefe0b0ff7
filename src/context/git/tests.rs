//! Real checkouts, made by the real git.
