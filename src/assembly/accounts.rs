//! What was spent, in files for people and scripts: a report that is always whole, and a line for
//! each call.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::mpsc::WeakSender;
use tokio::sync::{Notify, watch};

use crate::config::plan::TokensPlan;
use crate::ledger::calls::Called;
use crate::ledger::entry::Entry;
use crate::ledger::snapshot::Snapshot;
use crate::tokens::TokenCounts;
use crate::tokens::price::Prices;
use crate::units::Wall;

/// From one report to the next while something is spent.
const INTERVAL: Duration = Duration::from_secs(5);

/// The largest file of prices; the original has 3 MB.
const LARGEST: u64 = 32 << 20;

/// The report, by the names that people know.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Report {
    total_calls: u64,
    /// The whole prompts, what was read from and written to caches included.
    total_input_tokens: u64,
    total_output_tokens: u64,
    total_tokens: u64,
    average_input_tokens: f64,
    average_output_tokens: f64,
    /// Of the tokens that have a price.
    estimated_cost_usd: f64,
    /// Tokens that no price is known for.
    unpriced_tokens: u64,
    last_updated: String,
}

/// The prices of this life: the table of the binary, with what the plan lays over it. A file that
/// cannot be read changes nothing, which is said.
fn prices(plan: &TokensPlan) -> Prices {
    read(plan).unwrap_or_else(|why| {
        tracing::warn!(target: "tokens", "{why}; the table of the binary is used");
        said(plan, Prices::embedded())
    })
}

/// The prices of this life, which a reload may change.
pub(super) struct Pricing {
    plan: TokensPlan,
    changed: watch::Sender<Prices>,
    asked: Arc<Notify>,
}

impl Pricing {
    /// As the plan has them.
    pub(super) fn begin(plan: &TokensPlan) -> Self {
        let (changed, asked) = (watch::Sender::new(prices(plan)), Arc::default());
        Self { plan: plan.clone(), changed, asked }
    }

    /// As they are now, and as they come to be.
    pub(super) fn now(&self) -> watch::Receiver<Prices> {
        self.changed.subscribe()
    }

    /// What asks for the file of prices to be read anew.
    pub(super) fn reread(&self) -> Arc<Notify> {
        Arc::clone(&self.asked)
    }

    /// Reads the file of prices whenever that is asked for. One with a fault leaves the prices as
    /// they were.
    pub(super) async fn follow(self, entries: WeakSender<Entry>) {
        let Self { plan, changed, asked } = self;
        if plan.pricing_file.is_none() {
            return;
        }
        loop {
            asked.notified().await;
            let plan = plan.clone();
            match tokio::task::spawn_blocking(move || read(&plan)).await {
                Ok(Ok(read)) => {
                    let Some(entries) = entries.upgrade() else { return };
                    let _ = entries.send(Entry::PricesRead(Box::new(read.clone()))).await;
                    changed.send_replace(read);
                }
                Ok(Err(why)) => {
                    tracing::warn!(target: "tokens", "{why}; the prices stay as they were");
                }
                Err(_) => {}
            }
        }
    }
}

fn read(plan: &TokensPlan) -> Result<Prices, String> {
    let embedded = Prices::embedded();
    let Some(path) = &plan.pricing_file else { return Ok(said(plan, embedded)) };
    let laid = laid_over(&embedded, path).map_err(|why| format!("{}: {why}", path.display()))?;
    Ok(said(plan, laid))
}

/// With what the plan itself says.
fn said(plan: &TokensPlan, prices: Prices) -> Prices {
    let prices = prices.with_overrides(&plan.prices);
    match &plan.fallback_model {
        Some(model) => prices.clone().with_fallback(model).unwrap_or_else(|| {
            tracing::warn!(target: "tokens", "no price is known of {model}, by which unknown models \
                were to be estimated");
            prices
        }),
        None => prices,
    }
}

fn laid_over(prices: &Prices, path: &Path) -> Result<Prices, String> {
    let read = |error: std::io::Error| format!("cannot read the price table: {error}");
    let about = std::fs::metadata(path).map_err(read)?;
    if !about.is_file() || about.len() > LARGEST {
        return Err("the price table is no file, or far too large for one".to_owned());
    }
    let written = about.modified().ok();
    let written = written.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let as_of = written.and_then(|since| i64::try_from(since.as_millis()).ok()).map(Wall);
    prices.with_litellm(&std::fs::read_to_string(path).map_err(read)?, as_of)
}

/// Keeps the report in step with what is spent, until we are to stop.
pub(super) async fn report(
    path: Option<PathBuf>,
    mut pictures: watch::Receiver<Arc<Snapshot>>,
    mut stopped: watch::Receiver<bool>,
) {
    let Some(path) = path else { return };
    let mut written = None;
    let mut complained = false;
    loop {
        let report = report_of(&pictures.borrow_and_update());
        let said = (report.total_calls, report.total_tokens);
        if written != Some(said) {
            let (to, text) = (path.clone(), serde_json::to_vec_pretty(&report).unwrap_or_default());
            match tokio::task::spawn_blocking(move || put(&to, &text)).await {
                Ok(Ok(())) => (written, complained) = (Some(said), false),
                Ok(Err(error)) if !std::mem::replace(&mut complained, true) => {
                    let path = path.display();
                    tracing::warn!(target: "tokens", "cannot write {path}: {error}; it is tried again");
                }
                Ok(Err(_)) | Err(_) => {}
            }
        }
        if *stopped.borrow() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            () = async { drop(stopped.wait_for(|stop| *stop).await) } => {}
        }
    }
}

/// In one stroke: nobody ever reads a half of it.
fn put(path: &Path, text: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(text)?;
    file.write_all(b"\n")?;
    std::fs::rename(beside, path)
}

fn report_of(picture: &Snapshot) -> Report {
    let series = || picture.tokens.iter();
    let tokens = series().fold(TokenCounts::default(), |sum, one| sum.plus(&one.tokens));
    let calls = series().map(|one| one.responses).sum::<u64>();
    let input = tokens.total() - tokens.output;
    // An average of tokens is far below 2^53.
    let average = |tokens: u64| if calls > 0 { tokens as f64 / calls as f64 } else { 0.0 };
    Report {
        total_calls: calls,
        total_input_tokens: input,
        total_output_tokens: tokens.output,
        total_tokens: tokens.total(),
        average_input_tokens: average(input),
        average_output_tokens: average(tokens.output),
        estimated_cost_usd: series().map(|one| one.cost.dollars()).sum(),
        unpriced_tokens: series().map(|one| one.unpriced.total()).sum(),
        last_updated: picture.at.wall.to_string(),
    }
}

/// A call as a line: time, endpoint, model, tokens in and out, milliseconds; a dash for what is not
/// known.
pub(super) fn line(called: &Called) -> String {
    let usage = &called.usage;
    let word = |text: &str| text.replace(char::is_whitespace, "_");
    let dash = || "-".to_owned();
    let endpoint = called.endpoint.as_deref().map_or_else(dash, word);
    let millis = called.latency.map_or_else(dash, |latency| latency.as_millis().to_string());
    let input = usage.tokens.total() - usage.tokens.output;
    let failed = if called.failed { " failed" } else { "" };
    format!(
        "{} {endpoint} {} in={input} out={} ms={millis}{failed}\n",
        usage.at,
        word(&usage.model),
        usage.tokens.output,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::{Cost, Usage, UsageKey, UsageSource};

    fn called() -> Called {
        Called {
            process: "web".into(),
            session: None,
            usage: Usage {
                key: UsageKey(1),
                source: UsageSource::Ingest,
                agent: "a".into(),
                provider: "p".into(),
                model: "m".into(),
                conversation: String::new(),
                at: Wall(0),
                tokens: TokenCounts { input: 3, cache_read: 4, output: 5, ..Default::default() },
                reasoning: 0,
                cost: Cost::Unpriced,
                withheld: 0,
            },
            endpoint: Some("/v1/a b".into()),
            latency: Some(Duration::from_millis(9)),
            failed: false,
        }
    }

    #[test]
    fn a_call_is_one_line() {
        assert_eq!(line(&called()), "1970-01-01T00:00:00.000Z /v1/a_b m in=7 out=5 ms=9\n");
        let unknown = Called { endpoint: None, latency: None, failed: true, ..called() };
        assert_eq!(line(&unknown), "1970-01-01T00:00:00.000Z - m in=7 out=5 ms=- failed\n");
    }

    #[tokio::test]
    async fn a_report_is_written_whole_and_once_more_at_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("below/report.json");
        let (stop, stopped) = watch::channel(false);
        let (_pictures, shown) = watch::channel(Arc::new(Snapshot::default()));
        let writing = tokio::spawn(report(Some(path.clone()), shown, stopped));
        stop.send_replace(true);
        writing.await.expect("it ends");
        let text = std::fs::read_to_string(&path).expect("it is there");
        let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&told["total_calls"], &told["average_input_tokens"]), (&0.into(), &0.0.into()));
        assert_eq!(std::fs::read_dir(path.parent().expect("it")).expect("it").count(), 1);
    }

    #[test]
    fn a_bad_price_file_leaves_the_table_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("prices.json");
        let plan = |model: Option<&str>| TokensPlan {
            pricing_file: Some(path.clone()),
            fallback_model: model.map(str::to_owned),
            ..TokensPlan::default()
        };
        let embedded = Prices::embedded().as_of();
        assert_eq!(prices(&plan(None)).as_of(), embedded, "no file");
        std::fs::write(&path, r#"{"m": {"input_cost_per_token": -1}}"#).expect("room");
        assert_eq!(prices(&plan(Some("nobody-knows"))).as_of(), embedded);
        std::fs::write(&path, r#"{"m": {"input_cost_per_token": 1e-6}}"#).expect("room");
        assert_ne!(prices(&plan(None)).as_of(), embedded);
    }
}
