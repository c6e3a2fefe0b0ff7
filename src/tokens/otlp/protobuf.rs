//! The protocol's messages as protocol buffers, read where they lie: a field after another, unknown
//! ones passed over, nothing copied but the attributes that mean something.
//!
//! Numbers by <https://github.com/open-telemetry/opentelemetry-proto>, the wire by
//! <https://protobuf.dev/programming-guides/encoding/>.

use super::attributes::{Attributes, Value};
use super::{Malformed, Point, Reading, Record};

/// A field's content.
#[derive(Clone, Copy, Debug)]
enum Field<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32,
}

/// The fields of a message, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for (place, byte) in self.0.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                self.0 = &self.0[place + 1..];
                return Ok(value);
            }
        }
        Err(broken("a number never ends"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) =
            self.0.split_at_checked(length).ok_or_else(|| broken("the body ends too early"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed(&mut self) -> Result<u64, Malformed> {
        let bytes = self.take(8)?;
        Ok(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn next(&mut self) -> Result<Option<(u64, Field<'a>)>, Malformed> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let field = match tag & 7 {
            0 => Field::Varint(self.varint()?),
            1 => Field::Fixed64(self.fixed()?),
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                Field::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Field::Fixed32)?,
            other => return Err(broken(&format!("there is no wire type {other}"))),
        };
        match tag >> 3 {
            0 => Err(broken("there is no field 0")),
            number => Ok(Some((number, field))),
        }
    }

    /// Calls for each message that is this field.
    fn each(
        message: &'a [u8],
        wanted: u64,
        mut found: impl FnMut(&'a [u8]) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let mut fields = Self(message);
        while let Some((number, field)) = fields.next()? {
            match field {
                Field::Bytes(bytes) if number == wanted => found(bytes)?,
                _ if number == wanted => return Err(broken("a message is a number")),
                _ => {}
            }
        }
        Ok(())
    }
}

pub(super) fn metrics(body: &[u8], reading: &mut Reading) -> Result<(), Malformed> {
    Fields::each(body, 1, |of_resource| {
        let resource = resource(of_resource)?;
        Fields::each(of_resource, 2, |scope| {
            Fields::each(scope, 2, |one| metric(one, &resource, reading))
        })
    })
}

pub(super) fn logs(body: &[u8], reading: &mut Reading) -> Result<(), Malformed> {
    Fields::each(body, 1, |of_resource| {
        let resource = resource(of_resource)?;
        Fields::each(of_resource, 2, |scope| {
            Fields::each(scope, 2, |one| record(one, &resource, reading))
        })
    })
}

pub(super) fn traces(body: &[u8], reading: &mut Reading) -> Result<(), Malformed> {
    Fields::each(body, 1, |of_resource| {
        Fields::each(of_resource, 2, |scope| {
            Fields::each(scope, 2, |_| {
                reading.figures.unused += 1;
                Ok(())
            })
        })
    })
}

fn resource(of_resource: &[u8]) -> Result<Attributes, Malformed> {
    let mut attributes = Attributes::default();
    Fields::each(of_resource, 1, |resource| {
        Fields::each(resource, 1, |one| attribute(one, &mut attributes))
    })?;
    Ok(attributes)
}

fn attribute(message: &[u8], attributes: &mut Attributes) -> Result<(), Malformed> {
    let (mut key, mut value, mut fields) = (&[][..], &[][..], Fields(message));
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(bytes)) => key = bytes,
            (2, Field::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    attributes.add(key, message, || any_value(value));
    Ok(())
}

/// A value that is one thing; lists and maps mean nothing here.
fn any_value(message: &[u8]) -> Option<Value> {
    let mut fields = Fields(message);
    let mut value = None;
    while let Some((number, field)) = fields.next().ok()? {
        value = match (number, field) {
            (1, Field::Bytes(bytes)) => {
                Some(Value::Text(String::from_utf8_lossy(bytes).into_owned()))
            }
            (2, Field::Varint(number)) => Some(Value::Bool(number != 0)),
            (3, Field::Varint(number)) => Some(Value::Int(number.cast_signed())),
            (4, Field::Fixed64(bits)) => Some(Value::Double(f64::from_bits(bits))),
            _ => value,
        };
    }
    value
}

fn metric(message: &[u8], resource: &Attributes, reading: &mut Reading) -> Result<(), Malformed> {
    let (mut name, mut data, mut fields) = ("", None, Fields(message));
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Bytes(bytes)) => name = text(bytes)?,
            (5 | 7 | 9 | 10 | 11, Field::Bytes(bytes)) => data = Some((number, bytes)),
            _ => {}
        }
    }
    let Some((kind, data)) = data else { return Ok(()) };
    let mut cumulative = false;
    let mut fields = Fields(data);
    while let Some((number, field)) = fields.next()? {
        if let (2, Field::Varint(temporality)) = (number, field) {
            cumulative = temporality == 2;
        }
    }
    let wanted = matches!(kind, 7 | 9) && Reading::wants(name);
    Fields::each(data, 1, |bytes| {
        if !wanted {
            reading.figures.unused += 1;
            return Ok(());
        }
        let mut point = Number::default();
        point.read(bytes, kind == 9)?;
        reading.point(&Point {
            resource,
            name,
            attributes: &point.attributes,
            start: point.start,
            time: point.time,
            value: point.value,
            cumulative,
        });
        Ok(())
    })
}

/// A point of a sum, or the sum of a histogram's.
struct Number {
    attributes: Attributes,
    start: u64,
    time: u64,
    value: f64,
}

impl Default for Number {
    /// Without a value it is no number.
    fn default() -> Self {
        Self { attributes: Attributes::default(), start: 0, time: 0, value: f64::NAN }
    }
}

impl Number {
    fn read(&mut self, message: &[u8], histogram: bool) -> Result<(), Malformed> {
        let (attributes, value) = if histogram { (9, 5) } else { (7, 4) };
        let mut fields = Fields(message);
        while let Some((number, field)) = fields.next()? {
            match field {
                Field::Bytes(bytes) if number == attributes => {
                    attribute(bytes, &mut self.attributes)?;
                }
                Field::Fixed64(start) if number == 2 => self.start = start,
                Field::Fixed64(time) if number == 3 => self.time = time,
                Field::Fixed64(bits) if number == value => self.value = f64::from_bits(bits),
                // Counts of tokens are far below 2^53.
                Field::Fixed64(bits) if number == 6 && !histogram => {
                    self.value = bits.cast_signed() as f64;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn record(message: &[u8], resource: &Attributes, reading: &mut Reading) -> Result<(), Malformed> {
    let (mut name, mut body, mut time, mut observed) = ("", None, 0, 0);
    let (mut attributes, mut fields) = (Attributes::default(), Fields(message));
    while let Some((number, field)) = fields.next()? {
        match (number, field) {
            (1, Field::Fixed64(at)) => time = at,
            (11, Field::Fixed64(at)) => observed = at,
            (5, Field::Bytes(bytes)) => body = any_value(bytes),
            (6, Field::Bytes(bytes)) => attribute(bytes, &mut attributes)?,
            (12, Field::Bytes(bytes)) => name = text(bytes)?,
            _ => {}
        }
    }
    let body = match &body {
        Some(Value::Text(text)) => text.as_str(),
        _ => "",
    };
    let told = attributes.word("event.name").map(str::to_owned);
    let name = super::event_name(name, told.as_deref(), body);
    let time = if time == 0 { observed } else { time };
    reading.record(&Record { resource, name, attributes: &attributes, time });
    Ok(())
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| broken("a name is no UTF-8"))
}

fn broken(why: &str) -> Malformed {
    Malformed(format!("the body is no message of the protocol: {why}"))
}
