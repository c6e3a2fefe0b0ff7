//! The spellings of a model's name: what vendors, clouds and gateways make of it, from the one
//! that was given to the plainest.
//!
//! Owns the taking apart of names. Refuses to look for what is similar: a name is found in the
//! price table under one of these spellings exactly, or it is not found.

/// Where a model is served, as far as its name tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// By its maker, or through a gateway that bills the maker's prices.
    Maker,
    /// On Bedrock, wherever there is room.
    BedrockGlobal,
    /// On Bedrock, bound to a region.
    BedrockRegional,
    /// On Vertex.
    Vertex,
}

impl Origin {
    /// OpenTelemetry's name for who answered, given that the model is a known one of Anthropic's.
    pub fn provider(self) -> &'static str {
        match self {
            Self::Maker => "anthropic",
            Self::BedrockGlobal | Self::BedrockRegional => "aws.bedrock",
            Self::Vertex => "gcp.vertex_ai",
        }
    }
}

/// Gateways whose prefix changes nothing about the price.
const GATEWAYS: [&str; 8] = [
    "anthropic/",
    "bedrock/",
    "vertex_ai/",
    "vercel_ai_gateway/",
    "openai/",
    "gemini/",
    "google/",
    "models/",
];

/// Bedrock's prefixes of endpoints that are bound to a region.
const REGIONS: [&str; 7] = ["us.", "eu.", "au.", "jp.", "ca.", "ap.", "apac."];

/// The spellings of a name, from the one that was given to the plainest; never empty.
pub fn spellings(name: &str) -> (Origin, Vec<String>) {
    let given = name.trim().to_ascii_lowercase();
    let whole = given.strip_suffix("[1m]").unwrap_or(&given);
    let mut found = vec![whole.to_owned()];
    let bare = without_gateways(whole);
    let (mut origin, bare) = without_bedrock(bare);
    let bare = match bare.split_once('@') {
        Some((bare, _)) => {
            // A version of Vertex may have its own price.
            found.push(without_gateways(whole).to_owned());
            origin = Origin::Vertex;
            bare
        }
        None => bare,
    };
    found.push(bare.to_owned());
    found.push(without_date(bare).to_owned());
    found.push(respelt(without_date(bare)));
    found.dedup();
    (origin, found)
}

fn without_gateways(name: &str) -> &str {
    // `arn:aws:bedrock:REGION:ACCOUNT:inference-profile/NAME`
    let name = match name.rsplit_once('/') {
        Some((arn, name)) if arn.starts_with("arn:") => name,
        _ => name,
    };
    let stripped = GATEWAYS.iter().find_map(|gateway| name.strip_prefix(gateway));
    stripped.map_or(name, without_gateways)
}

/// Takes `us.anthropic.NAME-v1:0` apart.
fn without_bedrock(name: &str) -> (Origin, &str) {
    let region = REGIONS.iter().find_map(|region| name.strip_prefix(region));
    let global = name.strip_prefix("global.").unwrap_or(name);
    match region.unwrap_or(global).strip_prefix("anthropic.") {
        Some(bare) if region.is_some() => (Origin::BedrockRegional, without_version(bare)),
        Some(bare) => (Origin::BedrockGlobal, without_version(bare)),
        None => (Origin::Maker, name),
    }
}

/// Takes `-v1` or `-v1:0` off the end.
fn without_version(name: &str) -> &str {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match name.rsplit_once("-v") {
        Some((bare, version)) if version.split(':').all(digits) => bare,
        _ => name,
    }
}

/// Takes `-20250929` off the end.
fn without_date(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((bare, date)) if date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()) => bare,
        _ => name,
    }
}

/// `claude-4.6-opus` as `claude-opus-4-6`, and `claude-3.5-haiku` as `claude-3-5-haiku`: up to
/// generation 3 the family came last.
fn respelt(name: &str) -> String {
    let Some(rest) = name.strip_prefix("claude-") else { return name.to_owned() };
    let Some((version, family)) = rest.split_once(|c: char| c.is_ascii_alphabetic()) else {
        return name.to_owned();
    };
    let first = &rest[version.len()..rest.len() - family.len()];
    let version = version.trim_end_matches('-').replace('.', "-");
    let family = format!("{first}{}", family.replace('.', "-"));
    match version.as_str() {
        "" => format!("claude-{family}"),
        old if old.starts_with('3') => format!("claude-{old}-{family}"),
        new => format!("claude-{family}-{new}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_spelling_leads_to_the_plain_name() {
        for (given, plain, origin) in [
            ("claude-opus-4-6", "claude-opus-4-6", Origin::Maker),
            ("claude-opus-4-6-20260205", "claude-opus-4-6", Origin::Maker),
            (" Claude-Opus-4-6[1m]", "claude-opus-4-6", Origin::Maker),
            ("anthropic/claude-4.6-opus-20260205", "claude-opus-4-6", Origin::Maker),
            ("anthropic/claude-opus-4.6", "claude-opus-4-6", Origin::Maker),
            ("claude-4-sonnet", "claude-sonnet-4", Origin::Maker),
            ("claude-3.5-haiku", "claude-3-5-haiku", Origin::Maker),
            ("claude-3-7-sonnet-20250219", "claude-3-7-sonnet", Origin::Maker),
            ("anthropic.claude-opus-4-6-v1", "claude-opus-4-6", Origin::BedrockGlobal),
            ("us.anthropic.claude-opus-4-6-v1:0", "claude-opus-4-6", Origin::BedrockRegional),
            (
                "bedrock/apac.anthropic.claude-sonnet-4-20250514-v1:0",
                "claude-sonnet-4",
                Origin::BedrockRegional,
            ),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/us.anthropic.claude-opus-5",
                "claude-opus-5",
                Origin::BedrockRegional,
            ),
            ("vertex_ai/claude-opus-4-5@20251101", "claude-opus-4-5", Origin::Vertex),
            ("claude-opus-5@default", "claude-opus-5", Origin::Vertex),
            ("gpt-5.5", "gpt-5.5", Origin::Maker),
            ("", "", Origin::Maker),
            ("claude-", "claude-", Origin::Maker),
            ("claude-4", "claude-4", Origin::Maker),
            ("claude-é", "claude-é", Origin::Maker),
        ] {
            let (found, spellings) = spellings(given);
            assert_eq!(spellings.last().map(String::as_str), Some(plain), "{given}");
            assert_eq!(found, origin, "{given}");
        }
    }

    #[test]
    fn the_given_spelling_comes_first() {
        let (_, spellings) = spellings("claude-3-5-haiku@20241022");
        assert_eq!(spellings[0], "claude-3-5-haiku@20241022");
    }
}
