//! Personal data by its shape: e-mail addresses, account numbers (IBAN) and payment cards.
//!
//! Check digits tell account and card numbers from ids, times and counts, so that what only looks
//! like one stays readable. Each place of a text is looked at a bounded number of times, whatever
//! stands there.

use std::ops::Range;

/// The longest local part of an address: RFC 5321, 4.5.3.1.1.
const LONGEST_LOCAL: usize = 64;

/// The longest domain: RFC 5321, 4.5.3.1.2.
const LONGEST_DOMAIN: usize = 255;

/// Ends of names that look like a domain and are none: units of systemd and files with a size.
const NO_DOMAINS: [&str; 16] = [
    "css", "gif", "html", "jpeg", "jpg", "js", "json", "local", "mount", "png", "service",
    "socket", "svg", "target", "timer", "webp",
];

/// Local parts that name a service and nobody in person, as in `git@github.com:…`.
const SERVICES: [&str; 1] = ["git"];

/// How long an account number is by country, from the IBAN registry (SWIFT, release 99).
const COUNTRIES: [(&[u8; 2], usize); 89] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HN", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// Digits of a payment card: ISO/IEC 7812-1 allows up to 19, and none in use has fewer than 13.
const CARD: Range<usize> = 13..20;

/// The fewest digits of a group of a card number that is written in groups.
const SHORTEST_GROUP: usize = 3;

/// Where personal data stands in a text, in order and without overlap.
pub fn found_in(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hit = match bytes[at] {
            b'@' => address(bytes, at, found.last().map_or(0, |last| last.end)),
            _ if at > 0 && bytes[at - 1].is_ascii_alphanumeric() => None,
            b'2'..=b'6' => card(bytes, at).map(|end| at..end),
            byte if byte.is_ascii_alphabetic() => account(bytes, at).map(|end| at..end),
            _ => None,
        };
        at = hit.as_ref().map_or(at + 1, |hit| hit.end);
        found.extend(hit);
    }
    found
}

/// The e-mail address around the `@` at this place. Of a login in an address (`//me@host`) the host
/// stays.
fn address(bytes: &[u8], at: usize, from: usize) -> Option<Range<usize>> {
    let local = |byte: &&u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let before = &bytes[from.max(at.saturating_sub(LONGEST_LOCAL))..at];
    let length = before.iter().rev().take_while(local).count();
    let name = &bytes[at - length..at];
    let is_service = SERVICES.iter().any(|service| name.eq_ignore_ascii_case(service.as_bytes()));
    if !name.iter().any(u8::is_ascii_alphanumeric) || is_service {
        return None;
    }
    let domain = |byte: &&u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
    let behind = &bytes[at + 1..bytes.len().min(at + 1 + LONGEST_DOMAIN)];
    let mut behind = &behind[..behind.iter().take_while(domain).count()];
    while let [rest @ .., b'.' | b'-'] = behind {
        behind = rest;
    }
    let dot = behind.iter().rposition(|byte| *byte == b'.').filter(|dot| *dot > 0)?;
    let last = std::str::from_utf8(&behind[dot + 1..]).ok()?;
    let is_domain = last.len() > 1 && last.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !is_domain || NO_DOMAINS.iter().any(|known| last.eq_ignore_ascii_case(known)) {
        return None;
    }
    let start = at - length;
    let end = if bytes[..start].ends_with(b"://") { at } else { at + 1 + behind.len() };
    Some(start..end)
}

/// Where the account number that begins here ends: two letters, two check digits and as much as its
/// country has, in one piece or in groups, with a remainder of 1 (ISO 7064, mod 97-10).
fn account(bytes: &[u8], at: usize) -> Option<usize> {
    let head = [*bytes.get(at)?, *bytes.get(at + 1)?].map(|byte| byte.to_ascii_uppercase());
    let checks = bytes.get(at + 2..at + 4)?;
    if !checks.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (_, length) = COUNTRIES.iter().find(|(country, _)| **country == head)?;
    let (mut taken, mut end) = (Vec::with_capacity(*length), at);
    while taken.len() < *length {
        match *bytes.get(end)? {
            byte if byte.is_ascii_alphanumeric() => taken.push(byte),
            b' ' | b'-' if bytes[end - 1].is_ascii_alphanumeric() => {}
            _ => return None,
        }
        end += 1;
    }
    let ends = !bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
    taken.rotate_left(4);
    (ends && remainder(&taken) == 1).then_some(end)
}

/// The remainder of a number by 97 whose letters stand for 10 to 35.
fn remainder(text: &[u8]) -> u32 {
    text.iter().fold(0, |rest, byte| {
        let value = char::from(*byte).to_digit(36).unwrap_or(0);
        (rest * if value > 9 { 100 } else { 10 } + value) % 97
    })
}

/// Where the card number that begins here ends, the longest one that its check digit allows.
fn card(bytes: &[u8], at: usize) -> Option<usize> {
    let is_fraction = at > 1 && bytes[at - 1] == b'.' && bytes[at - 2].is_ascii_digit();
    let (mut digits, mut group, mut end) = (Vec::with_capacity(CARD.end), 0, at);
    let mut found = None;
    while let Some(&byte) = bytes.get(end).filter(|_| !is_fraction) {
        let next = bytes.get(end + 1);
        if byte.is_ascii_digit() {
            digits.push(byte - b'0');
            group += 1;
            if digits.len() >= CARD.end {
                break;
            }
            let closes = !next.is_some_and(u8::is_ascii_alphanumeric);
            if closes && group >= SHORTEST_GROUP && is_card(&digits) {
                found = Some(end + 1);
            }
        } else if matches!(byte, b' ' | b'-')
            && group >= SHORTEST_GROUP
            && next.is_some_and(u8::is_ascii_digit)
        {
            group = 0;
        } else {
            break;
        }
        end += 1;
    }
    found
}

/// Whether digits are those of a payment card: by issuer, number and check digit (Luhn). The first
/// digit keeps times in milliseconds and micro-seconds out, which begin with 1; a time of fourteen
/// or seventeen digits begins with the year.
fn is_card(digits: &[u8]) -> bool {
    let issued = match (digits, digits.len()) {
        ([3, ..], 14 | 15) | ([4, ..], 13 | 16 | 19) => true,
        ([2, 2..=7, ..], length) => length == 16,
        ([3 | 5 | 6, ..], length) => (16..CARD.end).contains(&length) || length == 13,
        _ => false,
    };
    issued && luhn(digits)
}

/// Whether the last digit is right: ISO/IEC 7812-1, annex B.
fn luhn(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().enumerate().fold(0_u32, |sum, (place, digit)| {
        let digit = u32::from(*digit) << (place % 2);
        sum + digit / 10 + digit % 10
    });
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_checked() {
        assert_eq!(remainder(b"370400440532013000DE89"), 1);
        assert_ne!(remainder(b"370400440532013001DE89"), 1);
        assert!(luhn(&[4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]));
        assert!(!luhn(&[4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]));
    }

    #[test]
    fn what_is_found_is_in_order_and_does_not_overlap() {
        let text = "a@b.example 4111 1111 1111 1111 DE89370400440532013000 x@y@z.example";
        let found: Vec<&str> = found_in(text).into_iter().map(|at| &text[at]).collect();
        assert_eq!(
            found,
            ["a@b.example", "4111 1111 1111 1111", "DE89370400440532013000", "y@z.example",]
        );
    }

    #[test]
    fn every_country_is_named_once() {
        assert!(COUNTRIES.is_sorted_by(|(one, _), (other, _)| one < other));
    }
}
