//! Rules that judge whether a series of samples is a leak.
//!
//! Pure arithmetic over the samples, so that the same ones always give the same verdicts. Every
//! rule judges *anonymous* bytes: resident ones also grow when a tree forks and touches shared
//! pages, and when it maps files, and neither is a leak.

pub mod bounds;
pub mod course;
pub mod evidence;
pub mod floors;
pub mod forest;
pub mod growth_count;
pub mod lines;
pub mod measured;
pub mod model;
pub mod robust;
pub mod settled;
pub mod shape;
pub mod slopes;

use std::time::Duration;

use crate::config::plan::LeakRule;
use crate::memory::LeakDetector;
use crate::memory::leak::growth_count::GrowthCount;
use crate::memory::leak::robust::Robust;
use crate::units::Bytes;

/// What a detector is told before the first sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Setting {
    /// By which rule it judges.
    pub rule: LeakRule,
    /// How many bytes the tree may hold; `None` where nothing bounds it.
    pub limit: Option<Bytes>,
    /// From one sample to the next, as planned; the samples' own times are what counts.
    pub interval: Duration,
}

/// A new detector for one run, by the rule that was asked for.
pub fn detector(setting: &Setting) -> Box<dyn LeakDetector> {
    match setting.rule {
        LeakRule::Robust => Box::new(Robust::new(setting)),
        LeakRule::GrowthCount => Box::new(GrowthCount::new(setting.limit)),
    }
}
