//! `procession tokens`: what every process's agents and applications spent in this life.

use clap::Args;

use crate::cli::control::knock::{encoded, understood};
use crate::cli::control::phrase::{NOTHING, harmless, table};
use crate::cli::control::ps::only_known;
use crate::cli::control::{Door, Failure, print};
use crate::serve::wire::usage::{SpendingTotals, TokenReport};

const HEADINGS: [&str; 9] =
    ["PROCESS", "AGENT", "MODEL", "CALLS", "INPUT", "OUTPUT", "CACHE READ", "CACHE WRITE", "USD"];

// Flattened into options of the same name, which have a group of that name already.
#[derive(Debug, Args)]
#[group(skip)]
pub struct Options {
    /// Only this process, or family of replicas.
    #[arg(long, value_name = "NAME")]
    process: Option<String>,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    door: Door,
}

pub async fn report(options: &Options) -> Result<(), Failure> {
    let path = match &options.process {
        Some(process) => format!("/v1/tokens?process={}", encoded(process)),
        None => "/v1/tokens".to_owned(),
    };
    let client = options.door.client()?;
    let text = client.get_text(&path).await?;
    let told: TokenReport = understood(&text)?;
    if told.series.is_empty() {
        only_known(&client, options.process.as_slice()).await?;
    }
    if options.json {
        return print(text.trim_end());
    }
    let named = told.series.iter().map(|one| {
        let names = [&one.process, &one.agent, &one.model];
        row(names.map(|name| harmless(name)), &one.totals)
    });
    let mut rows: Vec<Vec<String>> = named.collect();
    let all = ["all", NOTHING, NOTHING].map(str::to_owned);
    rows.push(row(all, &told.totals));
    print(&table(&HEADINGS, &rows))
}

fn row(names: [String; 3], totals: &SpendingTotals) -> Vec<String> {
    let tokens = &totals.tokens;
    let written = tokens.cache_write + tokens.cache_write_5m + tokens.cache_write_1h;
    let counts = [totals.responses, tokens.input, tokens.output, tokens.cache_read, written];
    let counts = counts.into_iter().map(|count| count.to_string());
    names.into_iter().chain(counts).chain([dollars(totals)]).collect()
}

/// What is priced; a sign behind it says that there is more which is not.
fn dollars(totals: &SpendingTotals) -> String {
    let some_unpriced = totals.unpriced_tokens > 0;
    if some_unpriced && totals.unpriced_tokens == totals.total_tokens {
        return NOTHING.to_owned();
    }
    let more = if some_unpriced { "+" } else { "" };
    // A tenth of a cent and less is worth showing: a call of a small model costs that.
    format!("{:.4}{more}", totals.cost_nano_usd as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_price_is_never_shown_as_free() {
        let told = |cost_nano_usd, unpriced_tokens| {
            let totals = SpendingTotals { total_tokens: 9, ..SpendingTotals::default() };
            dollars(&SpendingTotals { cost_nano_usd, unpriced_tokens, ..totals })
        };
        assert_eq!(told(1_500_000, 0), "0.0015");
        assert_eq!(told(1_500_000, 3), "0.0015+");
        assert_eq!(told(0, 9), NOTHING);
    }
}
