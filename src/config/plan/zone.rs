//! The time zone that a schedule is written in: which offset from UTC holds when.
//!
//! Rules come from a file of the zone database (`tzfile(5)`, which an image may lack) or from a
//! rule in the form of POSIX; who reads the file is somebody else.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::units::Wall;

/// A time zone by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// A time during which one offset holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// What local clocks show more than UTC, in milliseconds.
    pub offset: i64,
    /// When it began, and the offset before that; `None` where it has held for ever.
    pub began: Option<(Wall, i64)>,
    /// When another one begins; `None` where none ever does.
    pub ends: Option<Wall>,
}

impl Default for Zone {
    /// UTC.
    fn default() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }
}

impl Zone {
    /// The zone that a file of the database tells of; `None` where it is no such file.
    pub fn of_file(name: &str, file: &[u8]) -> Option<Self> {
        let rules = TimeZone::tzif(name, file).ok()?;
        Some(Self { name: name.to_owned(), rules })
    }

    /// The zone of a POSIX rule such as `CET-1CEST,M3.5.0,M10.5.0/3`; `None` where it is none.
    pub fn of_rule(rule: &str) -> Option<Self> {
        Some(Self { name: rule.to_owned(), rules: TimeZone::posix(rule).ok()? })
    }

    /// As it was written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same zone under the name that a person gave it.
    pub fn named(self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self }
    }

    /// The stretch that holds at this time.
    pub(super) fn stretch(&self, at: Wall) -> Stretch {
        let following = timestamp(at).and_then(|at| self.rules.following(at).next());
        // Transitions are at full seconds and looked for strictly before; one of this moment counts.
        let next_second = timestamp(Wall((at.0.div_euclid(1000) + 1) * 1000));
        let preceding = next_second.and_then(|at| self.rules.preceding(at).next());
        let began = preceding.map(|one| Wall(one.timestamp().as_millisecond()));
        Stretch {
            offset: self.offset(at),
            began: began.map(|began| (began, self.offset(Wall(began.0 - 1)))),
            ends: following.map(|one| Wall(one.timestamp().as_millisecond())),
        }
    }

    /// The day that a time lies in: from its first moment to that of the next. A day in which clocks are
    /// put on or back is an hour shorter or longer.
    pub fn day(&self, at: Wall) -> Option<(Wall, Wall)> {
        let today = timestamp(at)?.to_zoned(self.rules.clone()).start_of_day().ok()?;
        let next = today.tomorrow().ok()?.start_of_day().ok()?;
        let wall = |zoned: &jiff::Zoned| Wall(zoned.timestamp().as_millisecond());
        Some((wall(&today), wall(&next)))
    }

    fn offset(&self, at: Wall) -> i64 {
        timestamp(at).map_or(0, |at| i64::from(self.rules.to_offset(at).seconds()) * 1000)
    }
}

/// Beyond the year 9999 there are no rules.
fn timestamp(at: Wall) -> Option<Timestamp> {
    Timestamp::from_millisecond(at.0).ok()
}

/// A file of the database, for tests, that says nothing but this rule, from 1970 on.
#[cfg(test)]
pub(in crate::config) fn file_of(rule: &str) -> Vec<u8> {
    let known = TimeZone::posix(rule).expect("a rule").to_offset(Timestamp::UNIX_EPOCH).seconds();
    let name: String = rule.chars().take_while(char::is_ascii_alphabetic).chain(['\0']).collect();
    let block = |size_of_time: usize| {
        let mut block = b"TZif2".to_vec();
        block.extend([0; 15]);
        // No indicators, no leap seconds, a transition, one type and a name of three letters. The
        // last type must be what the rule says of its time.
        for count in [0u32, 0, 0, 1, 1, 4] {
            block.extend(count.to_be_bytes());
        }
        block.extend(vec![0; size_of_time]);
        block.push(0);
        block.extend(known.to_be_bytes());
        block.extend([0; 2]);
        block.extend(name.as_bytes());
        block
    };
    [block(4), block(8), format!("\n{rule}\n").into_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn at(text: &str) -> Wall {
        Wall::parse(text).expect("a time")
    }

    #[test]
    fn a_stretch_knows_its_ends_and_its_neighbour() {
        let zones =
            [Zone::of_rule(BERLIN), Zone::of_file("Europe/Berlin", &file_of(BERLIN))].map(|zone| {
                let zone = zone.expect("a zone");
                zone.named("Berlin")
            });
        for zone in zones {
            let (spring, autumn) = (at("2026-03-29T01:00:00Z"), at("2026-10-25T01:00:00Z"));
            let summer =
                Stretch { offset: 2 * HOUR, began: Some((spring, HOUR)), ends: Some(autumn) };
            assert_eq!(zone.stretch(spring), summer);
            assert_eq!(zone.stretch(Wall(autumn.0 - 1)), summer);
            assert_eq!(zone.stretch(autumn).began, Some((autumn, 2 * HOUR)));
            assert_eq!(zone.stretch(Wall(spring.0 - 1)).offset, HOUR);
            assert_eq!(zone.name(), "Berlin");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_where_the_clock_hangs() {
        let berlin = Zone::of_rule(BERLIN).expect("a zone");
        let day = |zone: &Zone, of: &str| zone.day(at(of)).expect("a day");
        for (of, first, next) in [
            ("2026-11-21T22:59:59Z", "2026-11-20T23:00:00Z", "2026-11-21T23:00:00Z"),
            ("2026-11-21T23:00:00Z", "2026-11-21T23:00:00Z", "2026-11-22T23:00:00Z"),
            ("2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
            ("2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ] {
            assert_eq!(day(&berlin, of), (at(first), at(next)), "{of}");
        }
        let utc = day(&Zone::default(), "2026-11-21T22:59:59Z");
        assert_eq!(utc, (at("2026-11-21T00:00:00Z"), at("2026-11-22T00:00:00Z")));
        assert_eq!(Zone::default().day(Wall(i64::MAX)), None);
    }

    #[test]
    fn utc_lasts_for_ever_and_what_is_no_zone_is_none() {
        let utc = Zone::default().stretch(at("2026-11-21T12:00:00Z"));
        assert_eq!(utc, Stretch { offset: 0, began: None, ends: None });
        assert_eq!(Zone::of_file("x", b"TZif"), None);
        assert_eq!(Zone::of_rule("Europe/Berlin"), None);
    }
}
