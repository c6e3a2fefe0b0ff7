//! What a message says: a text, or parts of which some are texts.

use std::fmt;

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::tokens::agents::lenient::{Clip, Object};

/// The beginning of the first text, where there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content(pub Option<String>);

#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    text: Clip,
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl<'de> Visitor<'de> for Wanted {
            type Value = Content;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a text or parts")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
                let text = Clip::deserialize(StrDeserializer::new(text))?;
                Ok(Content(text.0.filter(|text| !text.trim().is_empty())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
                let mut first = None;
                while first.is_none()
                    && let Some(part) = seq.next_element::<Object<Part>>()?
                {
                    first = part.0.and_then(|part| part.text.0);
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Content(first.filter(|text| !text.trim().is_empty())))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Content(None))
            }
            fn visit_unit<E: Error>(self) -> Result<Content, E> {
                Ok(Content(None))
            }
            fn visit_bool<E: Error>(self, _: bool) -> Result<Content, E> {
                Ok(Content(None))
            }
            fn visit_u64<E: Error>(self, _: u64) -> Result<Content, E> {
                Ok(Content(None))
            }
            fn visit_i64<E: Error>(self, _: i64) -> Result<Content, E> {
                Ok(Content(None))
            }
            fn visit_f64<E: Error>(self, _: f64) -> Result<Content, E> {
                Ok(Content(None))
            }
        }
        from.deserialize_any(Wanted)
    }
}
