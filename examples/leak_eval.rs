//! Runs the shipped leak rules over recorded or made series, as the product would: online, sample by
//! sample, with its hysteresis.
//!
//! `leak_eval META.csv SERIES.csv[.gz] PREDICTIONS.csv [--rule robust|growth-count] [--figures FILE]`
//!
//! META has `series_id,interval_s,limit_bytes`, SERIES has `series_id,timestamp_s,rss_bytes`, each
//! with a line of names; further columns are passed over. PREDICTIONS gets a row for each alarm that
//! was raised: `series_id,detected,detect_time_s,slope_bytes_per_s,eta_s`. An alarm of the robust
//! rule is a confirmed leak, one of the growth-count rule a suspected one, as it confirms none.
//! FILE gets the growth and the figures of every look, for `bench/leaks/train`; zeros where floors do not rise. A row that cannot be read is told
//! with its line and left out. On standard error: the time that a sample took.

// What clippy.toml bans is banned from the program; this only measures it.
#![allow(clippy::disallowed_methods, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use procession::config::plan::LeakRule;
use procession::memory::leak::evidence::Evidence;
use procession::memory::leak::shape::FIGURES;
use procession::memory::leak::{Setting, detector};
use procession::memory::{LeakDetector, LeakState, TreeSample, Verdict};
use procession::units::{Bytes, Mono, Now, RunId, Wall};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Options {
    meta: String,
    series: String,
    predictions: String,
    rule: LeakRule,
    figures: Option<String>,
}

fn main() -> Result<()> {
    evaluate(&options(std::env::args().skip(1))?)
}

fn evaluate(options: &Options) -> Result<()> {
    let meta = meta(options)?;
    let mut run = Run::new(options, meta)?;
    let mut lines = Lines::open(&options.series, ["series_id", "timestamp_s", "rss_bytes"])?;
    while let Some((line, [series, time, size])) = lines.next_row()? {
        if let Err(fault) = run.take(&series, &time, &size) {
            eprintln!("{}:{line}: {fault}", options.series);
        }
    }
    run.finish()
}

fn options(arguments: impl Iterator<Item = String>) -> Result<Options> {
    let (mut files, mut rule, mut figures) = (Vec::new(), LeakRule::default(), None);
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--rule" => rule = rule_named(&arguments.next().ok_or("--rule needs a name")?)?,
            "--figures" => figures = Some(arguments.next().ok_or("--figures needs a file")?),
            _ => files.push(argument),
        }
    }
    let [meta, series, predictions] = <[String; 3]>::try_from(files).map_err(|_| {
        "usage: leak_eval META.csv SERIES.csv[.gz] PREDICTIONS.csv [--rule robust|growth-count]"
    })?;
    Ok(Options { meta, series, predictions, rule, figures })
}

fn rule_named(name: &str) -> Result<LeakRule> {
    let found = LeakRule::NAMES.iter().find(|(known, _)| *known == name);
    Ok(found.map(|(_, rule)| *rule).ok_or("--rule is robust or growth-count")?)
}

/// What a detector may know of each series.
fn meta(options: &Options) -> Result<BTreeMap<String, Setting>> {
    let mut known = BTreeMap::new();
    let mut lines = Lines::open(&options.meta, ["series_id", "interval_s", "limit_bytes"])?;
    while let Some((line, [series, interval, limit])) = lines.next_row()? {
        match (seconds(&interval), bytes(&limit)) {
            (Ok(interval), Ok(limit)) => {
                // A limit of 2^63 or so is the kernel's word for none.
                let limit = Some(limit).filter(|limit| limit.0 < 1 << 62);
                known.insert(series, Setting { rule: options.rule, limit, interval });
            }
            (Err(fault), _) | (_, Err(fault)) => eprintln!("{}:{line}: {fault}", options.meta),
        }
    }
    Ok(known)
}

fn seconds(text: &str) -> Result<Duration> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no time"))?;
    Ok(Duration::try_from_secs_f64(seconds).map_err(|_| format!("{text:?} is no time"))?)
}

fn bytes(text: &str) -> Result<Bytes> {
    let bytes: f64 = text.parse().map_err(|_| format!("{text:?} is no size"))?;
    let fits = bytes.is_finite() && bytes >= 0.0;
    Ok(fits.then_some(Bytes(bytes as u64)).ok_or_else(|| format!("{text:?} is no size"))?)
}

/// The rows of a CSV file, by three of its columns.
struct Lines {
    path: String,
    reader: Box<dyn BufRead>,
    columns: [usize; 3],
    number: usize,
}

impl Lines {
    fn open(path: &str, names: [&str; 3]) -> Result<Self> {
        let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
        let plain: Box<dyn Read> = if path.ends_with(".gz") {
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let mut reader: Box<dyn BufRead> = Box::new(BufReader::new(plain));
        let mut head = String::new();
        reader.read_line(&mut head).map_err(|error| format!("{path}: {error}"))?;
        let mut columns = [0; 3];
        for (column, name) in columns.iter_mut().zip(names) {
            let place = head.trim().split(',').position(|word| word == name);
            *column = place.ok_or_else(|| format!("{path}:1: there is no column {name}"))?;
        }
        Ok(Self { path: path.to_owned(), reader, columns, number: 1 })
    }

    /// The next row that has all columns, with its line.
    fn next_row(&mut self) -> Result<Option<(usize, [String; 3])>> {
        loop {
            let mut line = Vec::new();
            let read = self.reader.read_until(b'\n', &mut line);
            if read.map_err(|error| format!("{}:{}: {error}", self.path, self.number + 1))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let text = String::from_utf8_lossy(&line);
            let words: Vec<&str> = text.trim().split(',').map(str::trim).collect();
            let row = self.columns.map(|column| words.get(column).map(|word| (*word).to_owned()));
            match row {
                [Some(one), Some(two), Some(three)] => {
                    return Ok(Some((self.number, [one, two, three])));
                }
                _ if text.trim().is_empty() => {}
                _ => eprintln!("{}:{}: columns are missing", self.path, self.number),
            }
        }
    }
}

/// One series after the other.
struct Run {
    meta: BTreeMap<String, Setting>,
    rule: LeakRule,
    predictions: BufWriter<File>,
    figures: Option<BufWriter<File>>,
    /// The series that is read, with its detector.
    now: Option<(String, Box<dyn LeakDetector>)>,
    state: LeakState,
    looked: Option<Verdict>,
    samples: u32,
    spent: Duration,
}

impl Run {
    fn new(options: &Options, meta: BTreeMap<String, Setting>) -> Result<Self> {
        let mut predictions = BufWriter::new(File::create(&options.predictions)?);
        writeln!(predictions, "series_id,detected,detect_time_s,slope_bytes_per_s,eta_s")?;
        let figures = options.figures.as_ref().map(File::create).transpose()?;
        Ok(Self {
            meta,
            rule: options.rule,
            predictions,
            figures: figures.map(BufWriter::new),
            now: None,
            state: LeakState::Unknown,
            looked: None,
            samples: 0,
            spent: Duration::ZERO,
        })
    }

    fn take(&mut self, series: &str, time: &str, size: &str) -> Result<()> {
        let (at, size) = (seconds(time)?, bytes(size)?);
        if self.now.as_ref().is_none_or(|(now, _)| now != series) {
            let setting =
                self.meta.get(series).ok_or(format!("{series} is not in the meta file"))?;
            self.now = Some((series.to_owned(), detector(setting)));
            (self.state, self.looked) = (LeakState::Unknown, None);
        }
        let Some((_, detector)) = &mut self.now else { return Ok(()) };
        let sample = sample(at, size);
        let begun = Instant::now();
        detector.observe(&sample);
        let verdict = detector.verdict();
        self.spent += begun.elapsed();
        self.samples += 1;
        self.alarm(series, time, &verdict)?;
        self.figures(series, time, verdict)
    }

    /// Writes an alarm when one is raised.
    fn alarm(&mut self, series: &str, time: &str, verdict: &Verdict) -> Result<()> {
        let least = match self.rule {
            LeakRule::Robust => LeakState::Confirmed,
            LeakRule::GrowthCount => LeakState::Suspected,
        };
        let before = std::mem::replace(&mut self.state, verdict.state);
        if before < least && verdict.state >= least {
            let slope = verdict.growth.map(|slope| format!("{slope:.3}")).unwrap_or_default();
            let left = verdict.to_limit.map(|span| format!("{:.3}", span.as_secs_f64()));
            let left = left.unwrap_or_default();
            writeln!(self.predictions, "{series},1,{time},{slope},{left}")?;
        }
        Ok(())
    }

    /// Writes the figures of a look that was new.
    fn figures(&mut self, series: &str, time: &str, verdict: Verdict) -> Result<()> {
        let Some(file) = &mut self.figures else { return Ok(()) };
        let Evidence::Robust(measured) = verdict.evidence else { return Ok(()) };
        let news = self.looked.replace(verdict).is_none_or(|looked| {
            looked.growth != verdict.growth || looked.to_limit != verdict.to_limit
        });
        let Some(seen) = measured.seen.filter(|_| news) else { return Ok(()) };
        let growth = verdict.growth.unwrap_or(0.0);
        write!(file, "{series},{time},{},{growth:.7e}", measured.samples)?;
        for figure in seen.shape.map_or([0.0; FIGURES], |shape| shape.0) {
            write!(file, ",{figure:.7e}")?;
        }
        writeln!(file)?;
        Ok(())
    }

    fn finish(mut self) -> Result<()> {
        self.predictions.flush()?;
        if let Some(figures) = &mut self.figures {
            figures.flush()?;
        }
        let each = self.spent.as_nanos() as f64 / f64::from(self.samples.max(1));
        eprintln!("{} samples, {each:.0} ns for each", self.samples);
        Ok(())
    }
}

fn sample(at: Duration, size: Bytes) -> TreeSample {
    TreeSample {
        run: RunId(1),
        at: Now {
            mono: Mono::default().after(at),
            wall: Wall(i64::try_from(at.as_millis()).unwrap_or(i64::MAX)),
        },
        resident: size,
        anonymous: size,
        largest: size,
        virtual_size: size,
        processes: 1,
        zombies: 0,
        oldest_zombie: None,
        cpu_seconds: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// The alarms of a series of these rows, by the growth-count rule.
    fn alarms(rows: &str) -> Vec<String> {
        alarms_by(LeakRule::GrowthCount, rows)
    }

    fn alarms_by(rule: LeakRule, rows: &str) -> Vec<String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let meta = "series_id,interval_s,limit_bytes\none,5,9223372036854771712\ntwo,5,NaN\n";
        fs::write(path("meta"), meta).expect("a file");
        fs::write(path("series"), format!("series_id,timestamp_s,rss_bytes\n{rows}"))
            .expect("a file");
        let (meta, series, predictions) = (path("meta"), path("series"), path("predictions"));
        let options = Options { meta, series, predictions, rule, figures: None };
        evaluate(&options).expect("what cannot be read is left out");
        let told = fs::read_to_string(path("predictions")).expect("predictions");
        told.lines().skip(1).map(str::to_owned).collect()
    }

    fn rising(mut row: impl FnMut(u32) -> String) -> String {
        (0..10).map(|nth| row(nth) + "\n").collect()
    }

    #[test]
    fn rows_that_are_no_numbers_are_left_out_and_the_others_count() {
        let plain = rising(|nth| format!("one,{},{}", nth * 5, 1_000_000 * (nth + 1)));
        let expected = alarms(&plain);
        assert!(expected.len() == 1 && expected[0].starts_with("one,1,45,"), "{expected:?}");
        assert!(expected[0].ends_with(','), "a limit of 2^63 is none: {expected:?}");
        let between = "one,NaN,5\none,7,NaN\none,7,inf\none,7,-1\none,-7,1\none,7\n\none,,\n\
                       two,7,1\nnobody,7,1\n\u{fffd}\n";
        let dirty = rising(|nth| format!("{between}one,{},{}", nth * 5, 1_000_000 * (nth + 1)));
        assert_eq!(alarms(&dirty), expected);
    }

    #[test]
    fn time_that_stands_still_or_runs_back_or_leaps_gives_no_slope_that_is_none() {
        for (times, expected) in [
            ([5; 10], "one,1,5,,"),
            ([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], "one,1,0,,"),
            ([0, 0, 5, 5, 10, 10, 15, 15, 20, 20], "one,1,20,400000.000,"),
        ] {
            let rows =
                rising(|nth| format!("one,{},{}", times[nth as usize], 1_000_000 * (nth + 1)));
            assert_eq!(alarms(&rows), [expected], "{times:?}");
        }
    }

    #[test]
    fn a_leak_is_found_behind_a_leap_of_time_and_none_where_time_does_not_pass() {
        let by = |time: &dyn Fn(u32) -> u32| {
            let row = |nth| format!("one,{},{}\n", time(nth), 100_000_000 + 1_000_000 * nth);
            let alarms = alarms_by(LeakRule::Robust, &(0..400).map(row).collect::<String>());
            let all = alarms.join("\n");
            assert!(!all.contains("NaN") && !all.contains("inf"), "{all}");
            alarms
        };
        let plain = by(&|nth| nth * 5);
        assert_eq!(plain.len(), 1);
        assert_eq!(by(&|nth| if nth == 100 { 3 } else { nth * 5 }), plain, "one row runs back");
        let gap = by(&|nth| if nth < 100 { nth * 5 } else { 3600 + nth * 5 });
        let slope = gap[0].split(',').nth(3).and_then(|slope| slope.parse::<f64>().ok());
        assert!(gap.len() == 1 && slope.is_some_and(|slope| (slope / 2e5 - 1.0).abs() < 0.05));
        assert_eq!(by(&|_| 5), [""; 0], "time stands still");
        assert_eq!(by(&|nth| 9999 - nth * 5), [""; 0], "time runs back");
    }
}
