//! Fields of log lines that are read without trust.
//!
//! Agents change their formats without notice, so a text or an object of the wrong type is as good
//! as absent. A count is not: taking a wrong one for zero would lose tokens in silence, so it
//! makes the line malformed, which is counted and seen.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::LazyLock;

use crate::chains::interaction::MASKED;
use memchr::memmem::Finder;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// More tokens than one response can have by six orders of magnitude; a larger count is garbage.
const LARGEST: u64 = 1_000_000_000_000;

/// Where a line is torn, it is tried to read on from each of so many objects that may begin
/// behind. Torn prefixes have few; a line of garbage must not be read over and over.
const TRIES: usize = 64;

/// Longer lines are not searched for what is whole on them: it would take seconds.
const LONGEST_SALVAGED: usize = 1 << 20;

/// Values of a list that are read; a response has a handful of blocks, a list of tasks some dozens.
const LONGEST_LIST: usize = 256;

static OBJECT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"{\""));

/// A crash can leave zeros where a line was to be; what is written behind them is good.
pub fn trimmed(line: &[u8]) -> &[u8] {
    let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0;
    let start = line.iter().position(|b| !blank(b)).unwrap_or(line.len());
    let end = line.iter().rposition(|b| !blank(b)).map_or(start, |at| at + 1);
    &line[start..end]
}

/// Looks for whole objects on a line that is not one, and calls `each` with what each is and the
/// bytes of it.
pub fn salvage<'de, T: Deserialize<'de>>(line: &'de [u8], mut each: impl FnMut(T, &'de [u8])) {
    let mut rest = if line.len() <= LONGEST_SALVAGED { line } else { &[] };
    for _ in 0..TRIES {
        let Some(start) = OBJECT.find(rest) else { break };
        rest = &rest[start..];
        let mut objects = serde_json::Deserializer::from_slice(rest).into_iter::<T>();
        match objects.next() {
            Some(Ok(object)) => {
                let (entire, behind) = rest.split_at(objects.byte_offset());
                each(object, entire);
                rest = behind;
            }
            _ => rest = &rest[1..],
        }
    }
}

/// A text, or nothing if the field holds anything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text<'a>(pub Option<Cow<'a, str>>);

/// The beginning of a text, or nothing if the field holds anything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clip(pub Option<String>);

/// The first values of a list, or none if the field holds anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T>(pub Vec<T>);

/// An object, or nothing if the field holds anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Object<T>(pub Option<T>);

/// `true`, or anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flag(pub bool);

/// A whole number, also as `412.0`; `null` is nothing, everything else an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count(pub u64);

/// A number, or nothing if the field holds anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figure(pub Option<f64>);

impl Text<'_> {
    /// The text, if there is one that is not empty.
    pub fn filled(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }
}

/// Defines the visits of types whose value is as good as absent, so that each visitor below names
/// only what it wants.
macro_rules! absent {
    ($($visit:ident($type:ty))*) => {
        $(fn $visit<E: Error>(self, _: $type) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        })*
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(Self::Value::default())
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
}

/// As [`absent`], for visitors that do not want an object either.
macro_rules! absent_object {
    () => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(Self::Value::default())
        }
    };
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl<'de> Visitor<'de> for Wanted {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Borrowed(text))))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Some(Cow::Owned(text.to_owned()))))
            }
            absent!(visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64));
            absent_object!();
        }
        from.deserialize_any(Wanted)
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de> Deserialize<'de> for Clip {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl<'de> Visitor<'de> for Wanted {
            type Value = Clip;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Clip, E> {
                Ok(Clip(Some(text[..text.floor_char_boundary(MASKED)].to_owned())))
            }
            absent!(visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64));
            absent_object!();
        }
        from.deserialize_any(Wanted)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Wanted<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Wanted<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut list = Vec::new();
                while list.len() < LONGEST_LIST
                    && let Some(one) = seq.next_element()?
                {
                    list.push(one);
                }
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(List(list))
            }
            fn visit_unit<E: Error>(self) -> Result<List<T>, E> {
                Ok(List(Vec::new()))
            }
            fn visit_str<E: Error>(self, _: &str) -> Result<List<T>, E> {
                Ok(List(Vec::new()))
            }
            absent_object!();
        }
        from.deserialize_any(Wanted(PhantomData))
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Wanted<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for Wanted<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|found| Object(Some(found)))
            }
            absent!(visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_str(&str));
        }
        from.deserialize_any(Wanted(PhantomData))
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl<'de> Visitor<'de> for Wanted {
            type Value = Figure;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_f64<E: Error>(self, number: f64) -> Result<Figure, E> {
                Ok(Figure(Some(number).filter(|number| number.is_finite())))
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Figure, E> {
                Ok(Figure(Some(number as f64)))
            }
            absent!(visit_bool(bool) visit_i64(i64) visit_str(&str));
            absent_object!();
        }
        from.deserialize_any(Wanted)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl<'de> Visitor<'de> for Wanted {
            type Value = Flag;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("true or false")
            }
            fn visit_bool<E: Error>(self, flag: bool) -> Result<Flag, E> {
                Ok(Flag(flag))
            }
            absent!(visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_str(&str));
            absent_object!();
        }
        from.deserialize_any(Wanted)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Wanted;
        impl Visitor<'_> for Wanted {
            type Value = Count;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_u64<E: Error>(self, count: u64) -> Result<Count, E> {
                let count = (count <= LARGEST).then_some(Count(count));
                count.ok_or_else(|| E::custom("more tokens than a response can have"))
            }
            fn visit_f64<E: Error>(self, count: f64) -> Result<Count, E> {
                if count < 0.0 || count.fract() != 0.0 || count > LARGEST as f64 {
                    return Err(E::custom("not a whole number of tokens"));
                }
                Ok(Count(count as u64))
            }
            fn visit_unit<E: Error>(self) -> Result<Count, E> {
                Ok(Count(0))
            }
        }
        from.deserialize_any(Wanted)
    }
}
