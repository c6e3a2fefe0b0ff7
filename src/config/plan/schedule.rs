//! When a process runs by the clock: the five fields of cron, in a time zone.
//!
//! The rules are those of Vixie's cron and of `crontab(5)`. Own code, because the libraries for it
//! bring a time zone database or a second calendar along, and this is two pages of arithmetic.
//!
//! **Where clocks are put forward or back** by less than three hours, the rules are those of
//! `cron(8)` as Debian has it, too. An expression that names times of day (neither its minutes nor its
//! hours begin with `*`) comes once for each day: a time that clocks skip comes at once after the gap,
//! however many were skipped, and one that they show twice comes the first time. Any other goes by
//! the time that passes: nothing is made up for, and an hour that is shown twice is two hours. Clocks
//! that are put further are a zone that was corrected, and nothing is done about that.

use super::zone::{Stretch, Zone};
use crate::units::Wall;

/// `schedule`: a cron expression. A time that comes while a run lives is skipped and told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The expression as it was written.
    pub cron: String,
    /// Whose clocks it means.
    pub zone: Zone,
}

/// How far clocks may be put, in milliseconds, for it to be daylight saving: cron's figure.
const SAVING: i64 = 3 * 60 * MINUTE;

/// How many stretches of one offset are looked through: more than a leap day can be away, in the
/// zones that change most often.
const STRETCHES: usize = 64;

impl Schedule {
    /// The first time after `now` that the expression names; `None` if there is none any more.
    pub fn next_after(&self, now: Wall) -> Option<Wall> {
        let times = Times::parse(&self.cron).ok()?;
        let mut from = Wall(now.0 + 1);
        for _ in 0..STRETCHES {
            let stretch = self.zone.stretch(from);
            let named = times.next_in(&stretch, from)?;
            let Some(ends) = stretch.ends.filter(|ends| *ends <= named) else { return Some(named) };
            if times.are_skipped(ends, stretch.offset, self.zone.stretch(ends).offset) {
                return Some(ends);
            }
            from = ends;
        }
        None
    }

    /// The schedule that the expression means.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it, and what to write.
    pub(in crate::config) fn parse(cron: &str, zone: Zone) -> Result<Self, Fault> {
        let times = Times::parse(cron)?;
        match times.next_after(Wall(0)) {
            Some(_) => Ok(Self { cron: cron.to_owned(), zone }),
            None => Err(Fault::new("names a day that no month has", "check day and month")),
        }
    }
}

/// What is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Fault {
    /// Behind "the expression …".
    pub message: String,
    /// What to write instead.
    pub advice: String,
}

impl Fault {
    fn new(message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { message: message.into(), advice: advice.into() }
    }
}

/// Words for whole expressions.
const WORDS: [(&str, &str); 8] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
    ("@every_minute", "* * * * *"),
];

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// One of the five fields: its name, its numbers, and names for them from the first one on.
struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", least: 0, most: 59, names: &[] },
    Field { name: "hour", least: 0, most: 23, names: &[] },
    Field { name: "day of month", least: 1, most: 31, names: &[] },
    Field { name: "month", least: 1, most: 12, names: &MONTHS },
    // 7 is Sunday as well.
    Field { name: "day of week", least: 0, most: 7, names: &WEEKDAYS },
];

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

/// How many days are looked at: leap days are at most eight years apart, around 2100.
const HORIZON: i64 = 8 * 366 + 1;

/// The times that an expression names, each set as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Whether days and weekdays are both restricted: then one of them suffices.
    either: bool,
    /// Whether it names times of day rather than a rhythm.
    by_day: bool,
}

impl Times {
    fn parse(cron: &str) -> Result<Self, Fault> {
        let cron = match WORDS.iter().find(|(word, _)| *word == cron.trim()) {
            Some((_, fields)) => fields,
            None if cron.trim_start().starts_with('@') => {
                return Err(Fault::new("is no word that is known", "write `@hourly` or `@daily`"));
            }
            None => cron,
        };
        let written: Vec<&str> = cron.split_ascii_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = written[..] else {
            return Err(wrong_count(written.len()));
        };
        let weekday_bits = FIELDS[4].bits(weekdays)?;
        Ok(Self {
            minutes: FIELDS[0].bits(minutes)?,
            hours: FIELDS[1].bits(hours)?,
            days: FIELDS[2].bits(days)?,
            months: FIELDS[3].bits(months)?,
            weekdays: (weekday_bits | weekday_bits >> 7) & 0x7f,
            either: !days.starts_with('*') && !weekdays.starts_with('*'),
            by_day: !minutes.starts_with('*') && !hours.starts_with('*'),
        })
    }

    /// The first time from `from` on that clocks show in this stretch, or would show if it went on.
    fn next_in(&self, stretch: &Stretch, from: Wall) -> Option<Wall> {
        let shown = from.0 + stretch.offset;
        let shown_before = stretch.began.map_or(shown, |(began, before)| {
            let again = is_saving(before, stretch.offset) && self.by_day;
            if again { began.0 + before } else { shown }
        });
        let next = self.next_after(Wall(shown.max(shown_before) - 1))?;
        Some(Wall(next.0 - stretch.offset))
    }

    /// Whether clocks that are put forward at this time skip one of them.
    fn are_skipped(&self, at: Wall, before: i64, after: i64) -> bool {
        let next = || self.next_after(Wall(at.0 + before - 1));
        let skips = self.by_day && before < after && is_saving(before, after);
        skips && next().is_some_and(|next| next.0 < at.0 + after)
    }

    fn next_after(&self, now: Wall) -> Option<Wall> {
        let first = now.0.div_euclid(MINUTE) + 1;
        let (today, minute) = ((first * MINUTE).div_euclid(DAY), first.rem_euclid(24 * 60));
        let days = (today..today + HORIZON).filter(|day| self.has_day(*day));
        days.into_iter().find_map(|day| {
            let from = if day == today { minute } else { 0 };
            let minute = (from..24 * 60).find(|minute| self.has_minute(*minute))?;
            Some(Wall(day * DAY + minute * MINUTE))
        })
    }

    fn has_minute(&self, of_day: i64) -> bool {
        has(self.hours, of_day / 60) && has(self.minutes, of_day % 60)
    }

    fn has_day(&self, day: i64) -> bool {
        let (month, of_month) = month_and_day(day);
        // 1970-01-01 was a Thursday.
        let of_week = has(self.weekdays, (day + 4).rem_euclid(7));
        let of_month = has(self.days, of_month);
        let right = if self.either { of_week || of_month } else { of_week && of_month };
        right && has(self.months, month)
    }
}

fn is_saving(before: i64, after: i64) -> bool {
    (before - after).abs() < SAVING
}

fn has(bits: u64, at: i64) -> bool {
    bits >> at & 1 == 1
}

/// The month from 1 and the day of it from 1 of a day since 1970-01-01, by Howard Hinnant's
/// `civil_from_days`.
fn month_and_day(day: i64) -> (i64, i64) {
    let of_era = (day + 719_468).rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (month, of_year - (153 * from_march + 2) / 5 + 1)
}

fn wrong_count(count: usize) -> Fault {
    let advice = match count {
        6 | 7 => "leave out the seconds and the year",
        _ => "write minute, hour, day of month, month and day of week, such as `*/5 * * * *`",
    };
    let fields = if count == 1 { "field" } else { "fields" };
    Fault::new(format!("has {count} {fields} in place of 5"), advice)
}

impl Field {
    /// The numbers that a field names: `*`, `1`, `1-5`, `*/15`, `10-50/20`, and lists of them.
    fn bits(&self, written: &str) -> Result<u64, Fault> {
        written.split(',').try_fold(0, |bits, part| Ok(bits | self.part(part)?))
    }

    fn part(&self, part: &str) -> Result<u64, Fault> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step, part)?)),
            None => (part, None),
        };
        let (first, last) = match (range, range.split_once('-')) {
            ("*", _) => (self.least, self.most),
            (_, Some((first, last))) => (self.number(first, part)?, self.number(last, part)?),
            // `5/10` begins at 5 and goes on to the end.
            (_, None) if step.is_some() => (self.number(range, part)?, self.most),
            (_, None) => (self.number(range, part)?, self.number(range, part)?),
        };
        if first > last {
            let advice = "write the smaller one first, or two ranges";
            return Err(self.fault(part, "goes backwards", advice));
        }
        let step = step.unwrap_or(1);
        Ok((first..=last).step_by(step).fold(0, |bits, number| bits | 1 << number))
    }

    fn step(&self, step: &str, part: &str) -> Result<usize, Fault> {
        let number = step.parse().ok().filter(|step| (1..=60).contains(step));
        number.ok_or_else(|| self.fault(part, "has no step from 1 to 60", "write `*/5`"))
    }

    fn number(&self, text: &str, part: &str) -> Result<u32, Fault> {
        let lower = text.to_ascii_lowercase();
        let named = self.names.iter().zip(self.least..).find(|(name, _)| **name == lower);
        let written = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok());
        let number = named.map(|(_, number)| number).or(written.flatten());
        number.filter(|number| (self.least..=self.most).contains(number)).ok_or_else(|| {
            let advice = format!("write a number from {} to {}", self.least, self.most);
            self.fault(part, "is none", advice)
        })
    }

    fn fault(&self, part: &str, what: &str, advice: impl Into<String>) -> Fault {
        let part: String = part.chars().take(20).collect();
        Fault::new(format!("has `{part}` as {}, which {what}", self.name), advice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Wall {
        Wall::parse(text).expect("a time")
    }

    fn next(cron: &str, now: &str) -> String {
        next_in(Zone::default(), cron, now)
    }

    fn next_in(zone: Zone, cron: &str, now: &str) -> String {
        let schedule = Schedule::parse(cron, zone).expect("a schedule");
        schedule.next_after(at(now)).map_or_else(String::new, |next| next.to_string())
    }

    #[test]
    fn the_next_time_is_the_first_after_now() {
        for (cron, now, expected) in [
            ("* * * * *", "2026-11-21T12:00:00Z", "2026-11-21T12:01:00.000Z"),
            ("* * * * *", "2026-11-21T12:00:59.999Z", "2026-11-21T12:01:00.000Z"),
            ("*/5 * * * *", "2026-11-21T12:57:00Z", "2026-11-21T13:00:00.000Z"),
            ("0 0 * * *", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00.000Z"),
            ("30 4 1,15 * 5", "2026-11-21T12:00:00Z", "2026-11-27T04:30:00.000Z"),
            ("30 4 1,15 * *", "2026-11-21T12:00:00Z", "2026-12-01T04:30:00.000Z"),
            ("0 0 29 2 *", "2026-11-21T12:00:00Z", "2028-02-29T00:00:00.000Z"),
            ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00.000Z"),
            ("0 9-17/4 * * mon-fri", "2026-11-20T17:00:00Z", "2026-11-23T09:00:00.000Z"),
            ("0 0 * * 7", "2026-11-21T12:00:00Z", "2026-11-22T00:00:00.000Z"),
            ("0 0 * JAN Sun", "2026-11-21T12:00:00Z", "2027-01-03T00:00:00.000Z"),
            ("10/20 * * * *", "2026-11-21T12:11:00Z", "2026-11-21T12:30:00.000Z"),
            ("@hourly", "2026-11-21T12:00:00Z", "2026-11-21T13:00:00.000Z"),
            ("@weekly", "2026-11-21T12:00:00Z", "2026-11-22T00:00:00.000Z"),
            ("* * * * *", "1969-12-31T23:59:30Z", "1970-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(next(cron, now), expected, "{cron} after {now}");
        }
    }

    /// Clocks in Berlin go from 2 to 3 on 2026-03-29, and from 3 to 2 on 2026-10-25.
    #[test]
    fn clocks_that_are_put_skip_no_day_and_repeat_none() {
        let berlin = || Zone::of_rule("CET-1CEST,M3.5.0,M10.5.0/3").expect("a rule");
        for (cron, now, expected) in [
            ("0 9 * * *", "2026-03-28T08:00:00Z", "2026-03-29T07:00:00.000Z"),
            ("0 9 * * *", "2026-03-29T07:00:00Z", "2026-03-30T07:00:00.000Z"),
            ("0 9 * * *", "2026-10-24T07:00:00Z", "2026-10-25T08:00:00.000Z"),
            // Skipped: at once after the gap, once for all, and the next day as usual.
            ("30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00.000Z"),
            ("10,40 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00.000Z"),
            ("30 2 * * *", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00.000Z"),
            ("0 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00.000Z"),
            ("0 3 * * *", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00.000Z"),
            ("59 1 * * *", "2026-03-28T12:00:00Z", "2026-03-29T00:59:00.000Z"),
            ("30 2 * * mon", "2026-03-28T12:00:00Z", "2026-03-30T00:30:00.000Z"),
            // Shown twice: the first time.
            ("30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00.000Z"),
            ("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00.000Z"),
            ("30 2 * * *", "2026-10-25T01:10:00Z", "2026-10-26T01:30:00.000Z"),
            ("0 3 * * *", "2026-10-25T00:30:00Z", "2026-10-25T02:00:00.000Z"),
            // A rhythm goes by the time that passes.
            ("30 * * * *", "2026-03-29T00:30:00Z", "2026-03-29T01:30:00.000Z"),
            ("30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00.000Z"),
            ("*/20 2 * * *", "2026-03-28T12:00:00Z", "2026-03-30T00:00:00.000Z"),
            ("*/20 2 * * *", "2026-10-25T00:40:00Z", "2026-10-25T01:00:00.000Z"),
            ("0 */2 * * *", "2026-03-28T23:00:00Z", "2026-03-29T02:00:00.000Z"),
            ("@hourly", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00.000Z"),
            ("0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-28T23:00:00.000Z"),
        ] {
            assert_eq!(next_in(berlin(), cron, now), expected, "{cron} after {now}");
        }
    }

    #[test]
    fn other_clocks_are_put_by_half_an_hour_or_at_midnight() {
        let lord_howe = || Zone::of_rule("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0").expect("a rule");
        // From 2:00 to 2:30 on 2026-10-04, and from 2:00 to 1:30 on 2026-04-05.
        let skipped = next_in(lord_howe(), "15 2 * * *", "2026-10-03T00:00:00Z");
        assert_eq!(skipped, "2026-10-03T15:30:00.000Z");
        let twice = next_in(lord_howe(), "45 1 * * *", "2026-04-04T14:46:00Z");
        assert_eq!(twice, "2026-04-05T15:15:00.000Z");
        // Midnight itself is skipped on 2026-09-06 in Santiago.
        let santiago = Zone::of_rule("<-04>4<-03>,M9.1.6/24,M4.1.6/24").expect("a rule");
        let midnight = next_in(santiago, "0 0 * * *", "2026-09-05T12:00:00Z");
        assert_eq!(midnight, "2026-09-06T04:00:00.000Z");
    }

    /// Every minute of four years against the definition, read off the printed date.
    #[test]
    fn every_minute_that_is_named_comes_and_no_other() {
        let mut random = fastrand::Rng::with_seed(11);
        let start = at("2026-01-01T00:00:00Z").0;
        for _ in 0..12 {
            let cron = format!(
                "{} {} {} * {}",
                random.u32(..60),
                ["*", "*/7", "3-5"][random.usize(..3)],
                ["*", "31", "*/2", "1-3"][random.usize(..4)],
                ["*", "1", "*/3", "sat,0"][random.usize(..4)],
            );
            let times = Times::parse(&cron).expect("times");
            let mut now = Wall(start + random.i64(0..4 * 365) * DAY + random.i64(0..DAY));
            for _ in 0..5 {
                let next = times.next_after(now).expect("a time");
                let passed = (now.0.div_euclid(MINUTE) + 1)..(next.0 / MINUTE);
                let missed = passed.map(|m| Wall(m * MINUTE)).find(|m| is_named(&cron, *m));
                assert_eq!(missed, None, "{cron} after {now}");
                assert!(is_named(&cron, next), "{cron}: {next}");
                now = next;
            }
        }
    }

    /// Whether an expression names a time, by what the time looks like when it is printed.
    fn is_named(cron: &str, at: Wall) -> bool {
        let text = at.to_string();
        let digits = |from: usize| text[from..from + 2].parse::<u32>().expect("digits");
        let fields: Vec<&str> = cron.split(' ').collect();
        let weekday = u32::try_from((at.0.div_euclid(DAY) + 4).rem_euclid(7)).expect("a day");
        let named =
            |at: usize, number: u32| FIELDS[at].bits(fields[at]).expect("bits") >> number & 1;
        let (day, week) = (named(2, digits(8)) == 1, named(4, weekday) == 1);
        let both = fields[2].starts_with('*') || fields[4].starts_with('*');
        named(0, digits(14)) == 1
            && named(1, digits(11)) == 1
            && if both { day && week } else { day || week }
    }

    #[test]
    fn what_is_no_expression_is_told() {
        for (cron, message) in [
            ("", "has 0 fields in place of 5"),
            ("* * * *", "has 4 fields in place of 5"),
            ("0 */5 * * * *", "has 6 fields in place of 5"),
            ("60 * * * *", "has `60` as minute, which is none"),
            ("* 24 * * *", "has `24` as hour, which is none"),
            ("* * 0 * *", "has `0` as day of month, which is none"),
            ("* * * foo *", "has `foo` as month, which is none"),
            ("* * * * 8", "has `8` as day of week, which is none"),
            ("*/0 * * * *", "has `*/0` as minute, which has no step from 1 to 60"),
            ("5-1 * * * *", "has `5-1` as minute, which goes backwards"),
            ("1,,2 * * * *", "has `` as minute, which is none"),
            ("+1 * * * *", "has `+1` as minute, which is none"),
            ("0 0 31 2 *", "names a day that no month has"),
            ("@reboot", "is no word that is known"),
        ] {
            let fault = Schedule::parse(cron, Zone::default()).expect_err(cron);
            assert_eq!(fault.message, message, "{cron}");
        }
    }
}
