//! Prices of single models that the configuration says: a contract, or a model that no table knows.

use std::sync::Arc;

use super::{Model, Price, Prices, Rates};
use crate::config::plan::ModelPrice;
use crate::units::Wall;

impl Prices {
    /// These prices, with those in place of what they say of the same models. A kind of token that is
    /// not named keeps its price; there is no surcharge for long prompts any more, since nobody says
    /// what it would be.
    pub fn with_overrides(mut self, overrides: &[ModelPrice]) -> Self {
        for one in overrides {
            let model = Arc::new(self.overridden(one));
            // By every spelling that the table has for it.
            let known = self.models.iter().filter(|(_, known)| known.name == model.name);
            let mut spellings: Vec<String> = known.map(|(spelling, _)| spelling.clone()).collect();
            spellings.push(one.model.to_ascii_lowercase());
            for spelling in spellings {
                self.models.insert(spelling, Arc::clone(&model));
            }
        }
        self
    }

    fn overridden(&self, one: &ModelPrice) -> Model {
        let known = self.find(&one.model).map(|(model, _)| model);
        let said = Rates {
            input: one.input,
            output: one.output,
            cache_read: one.cache_read,
            cache_write_5m: one.cache_write_5m,
            cache_write_1h: one.cache_write_1h,
            cache_write: one.cache_write,
        };
        let before = known.and_then(|model| model.prices.last());
        let rates = before.map_or(said, |before| said.or(&before.rates));
        Model {
            name: known.map_or_else(|| one.model.to_ascii_lowercase(), |model| model.name.clone()),
            provider: known.map_or(Some("unknown"), |model| model.provider),
            context: one.context_window.or(known.map(|model| model.context)).unwrap_or(0),
            batch: known.and_then(|model| model.batch),
            flex: known.and_then(|model| model.flex),
            priority: known.and_then(|model| model.priority),
            fast: known.and_then(|model| model.fast),
            us: known.and_then(|model| model.us),
            regional: known.and_then(|model| model.regional),
            prices: vec![Price { from: Wall(i64::MIN), rates, above: Vec::new() }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::agents::Extras;
    use crate::tokens::{Cost, TokenCounts};
    use crate::units::Money;

    fn cost(prices: &Prices, model: &str, tokens: TokenCounts) -> Cost {
        prices.cost(model, Wall(1_790_848_802_100), &tokens, &Extras::default())
    }

    #[test]
    fn what_is_said_of_a_model_holds_under_each_of_its_names() {
        let said = ModelPrice {
            model: "claude-sonnet-5".into(),
            output: Some(7_000_000),
            ..ModelPrice::default()
        };
        let own = ModelPrice {
            model: "Our-Own".into(),
            input: Some(1_000_000),
            context_window: Some(64_000),
            ..ModelPrice::default()
        };
        let prices = Prices::embedded().with_overrides(&[said, own]);
        let of = |input, output| TokenCounts { input, output, ..TokenCounts::default() };
        for name in ["claude-sonnet-5", "anthropic/claude-sonnet-5"] {
            let found = cost(&prices, name, of(1_000, 1_000));
            assert_eq!(found, Cost::Priced(Money(2_000_000 + 7_000_000)), "{name}");
        }
        assert_eq!(cost(&prices, "our-own", of(1_000, 0)), Cost::Priced(Money(1_000_000)));
        assert_eq!(cost(&prices, "our-own", of(0, 1)), Cost::Unpriced, "nobody said");
        assert_eq!(prices.context_window("our-own"), Some(64_000));
    }
}
