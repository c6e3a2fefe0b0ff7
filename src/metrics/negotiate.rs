//! Picks the format and the encoding that a reader asked for, from its `Accept` and
//! `Accept-Encoding` headers.

use prometheus::proto::MetricFamily;

use crate::metrics::catalogue::Metric;
use crate::metrics::{openmetrics, text};

/// A format that metrics can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4: for whoever does not ask for another.
    Text004,
    /// OpenMetrics 1.0.0.
    OpenMetrics100,
}

impl Format {
    /// The `Content-Type` that goes with it.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text004 => text::CONTENT_TYPE,
            Self::OpenMetrics100 => openmetrics::CONTENT_TYPE,
        }
    }

    /// Writes one family in it, or nothing where the family has no series.
    pub fn write(self, text: &mut String, family: &MetricFamily) {
        match self {
            Self::Text004 => text::write_family(text, family),
            Self::OpenMetrics100 => openmetrics::write_family(text, family),
        }
    }

    /// Writes what stands before the series of the metric.
    pub fn announce(self, text: &mut String, metric: &Metric) {
        match self {
            Self::Text004 => text::announce(text, metric),
            Self::OpenMetrics100 => openmetrics::announce(text, metric),
        }
    }

    /// What stands behind the last family.
    pub fn end(self) -> &'static str {
        match self {
            Self::Text004 => "",
            Self::OpenMetrics100 => openmetrics::END,
        }
    }
}

/// The known format with the highest quality value, the first of equals; 0.0.4 where none is
/// known, because a scrape is better answered in an unasked format than refused.
pub fn format(accept: &str) -> Format {
    let mut best = (0.0, Format::Text004);
    for offer in accept.split(',') {
        if let Some(format) = known(offer) {
            let quality = quality(offer);
            if quality > best.0 {
                best = (quality, format);
            }
        }
    }
    best.1
}

/// Whether the body should be gzipped: asked for, and not less than it is wanted as it is.
pub fn gzip(accept_encoding: &str) -> bool {
    let wanted = |names: &[&str]| {
        let offer = accept_encoding
            .split(',')
            .find(|offer| names.iter().any(|name| media(offer).eq_ignore_ascii_case(name)));
        offer.map(quality)
    };
    let gzip = wanted(&["gzip", "x-gzip"]).or_else(|| wanted(&["*"])).unwrap_or(0.0);
    gzip > 0.0 && gzip >= wanted(&["identity"]).unwrap_or(0.0)
}

/// The format that an offer stands for. Its `escaping` does not matter, however it is spelt: our
/// names consist of letters, digits and underscores, so that each way of escaping leaves them as
/// they are.
fn known(offer: &str) -> Option<Format> {
    let media = media(offer).to_ascii_lowercase();
    match (media.as_str(), parameter(offer, "version")) {
        ("application/openmetrics-text", None | Some("1.0.0")) => Some(Format::OpenMetrics100),
        ("text/plain", None | Some("0.0.4")) | ("text/*" | "*/*", _) => Some(Format::Text004),
        _ => None,
    }
}

/// The part of an offer before its parameters.
fn media(offer: &str) -> &str {
    offer.split(';').next().unwrap_or_default().trim()
}

/// The value of a parameter of an offer, without quotes.
fn parameter<'a>(offer: &'a str, name: &str) -> Option<&'a str> {
    offer.split(';').skip(1).find_map(|parameter| {
        let (key, value) = parameter.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
    })
}

/// Between 0 (not at all) and 1; 1 where it is not said, 0 where it cannot be read.
fn quality(offer: &str) -> f64 {
    parameter(offer, "q").map_or(1.0, |q| q.parse::<f64>().unwrap_or(0.0).clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Format::{OpenMetrics100, Text004};

    #[test]
    fn a_reader_gets_the_format_that_it_prefers() {
        for (accept, expected) in [
            // Prometheus 2.42, as it sends it.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
                 version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OpenMetrics100,
            ),
            // Prometheus 3.5, as it sends it and as its manual spells it.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;\
                 escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OpenMetrics100,
            ),
            ("application/openmetrics-text; version=1.0.0; escaping=allow-utf8", OpenMetrics100),
            ("application/openmetrics-text;version=1.0.0;escaping=underscores", OpenMetrics100),
            ("Application/OpenMetrics-Text;version=\"1.0.0\"", OpenMetrics100),
            ("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.9,*/*;q=0.1", Text004),
            ("text/plain;q=0.5,application/openmetrics-text;q=0.4", Text004),
            ("text/plain,application/openmetrics-text", Text004),
            ("application/openmetrics-text;q=0,text/plain;q=0.1", Text004),
            ("application/openmetrics-text;version=0.0.1", Text004),
            ("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", Text004),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Text004),
            ("*/*", Text004),
            ("", Text004),
            (";;,=;q=nonsense,\u{fffd}", Text004),
            ("application/openmetrics-text;q=NaN", Text004),
        ] {
            assert_eq!(format(accept), expected, "{accept}");
        }
    }

    #[test]
    fn a_body_is_gzipped_only_when_that_is_asked_for() {
        for (accept, expected) in [
            ("gzip", true),
            ("gzip, deflate, br", true),
            ("GZIP;q=0.5", true),
            ("x-gzip", true),
            ("*", true),
            ("deflate, gzip;q=1.0, *;q=0.5", true),
            ("", false),
            ("identity", false),
            ("gzip;q=0", false),
            ("gzip;q=0,*", false),
            ("identity;q=1,gzip;q=0.5", false),
            ("deflate, br", false),
        ] {
            assert_eq!(gzip(accept), expected, "{accept}");
        }
    }
}
