//! Questions to a name server and its answers: RFC 1035, §4.

use std::net::IpAddr;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, RCODE, TYPE};

/// Which kind of address is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4: an A record.
    V4,
    /// IPv6: an AAAA record.
    V6,
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The addresses; none where the name has none of this kind.
    Addresses(Vec<IpAddr>),
    /// There is no such name.
    NoSuchName,
    /// The answer did not fit: ask by TCP.
    Truncated,
    /// The server could not say, in its own word for why.
    Failed(&'static str),
}

/// The question for a name's addresses; `None` where no server could be asked for it.
pub fn question(id: u16, name: &str, family: Family) -> Option<Vec<u8>> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let kind = QTYPE::TYPE(match family {
        Family::V4 => TYPE::A,
        Family::V6 => TYPE::AAAA,
    });
    packet.questions.push(Question::new(Name::new(name).ok()?, kind, CLASS::IN.into(), false));
    packet.build_bytes_vec().ok()
}

/// What is said to the question; `None` where something else is answered, be it by a server that is
/// late or by somebody who pretends to be one.
pub fn answer(bytes: &[u8], id: u16, name: &str) -> Option<Answer> {
    let packet = Packet::parse(bytes).ok()?;
    let asked = packet.questions.first()?;
    let same = asked.qname.to_string().eq_ignore_ascii_case(name.trim_end_matches('.'));
    let ours = packet.id() == id && packet.has_flags(PacketFlag::RESPONSE) && same;
    if !ours || asked.qclass != QCLASS::CLASS(CLASS::IN) {
        return None;
    }
    if packet.has_flags(PacketFlag::TRUNCATION) {
        return Some(Answer::Truncated);
    }
    Some(match packet.rcode() {
        RCODE::NoError => Answer::Addresses(packet.answers.iter().filter_map(address).collect()),
        RCODE::NameError => Answer::NoSuchName,
        RCODE::ServerFailure => Answer::Failed("it failed"),
        RCODE::Refused => Answer::Failed("it refuses to answer"),
        _ => Answer::Failed("it does not understand the question"),
    })
}

fn address(record: &simple_dns::ResourceRecord<'_>) -> Option<IpAddr> {
    match &record.rdata {
        RData::A(a) => Some(IpAddr::V4(a.address.into())),
        RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.address.into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A question, turned into an answer: the response bit and the code, and one address.
    fn reply(name: &str, flags: [u8; 2], address: Option<[u8; 4]>) -> Vec<u8> {
        let mut bytes = question(7, name, Family::V4).expect("a question");
        bytes[2..4].copy_from_slice(&flags);
        if let Some(address) = address {
            bytes[7] = 1;
            // The name of the question, A, IN, a minute, four bytes.
            bytes.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            bytes.extend(address);
        }
        bytes
    }

    #[test]
    fn an_answer_is_read() {
        let found = answer(&reply("db.test", [0x81, 0x80], Some([10, 0, 0, 9])), 7, "DB.test");
        assert_eq!(found, Some(Answer::Addresses(vec!["10.0.0.9".parse().expect("an address")])));
    }

    #[test]
    fn what_is_no_address_is_told_apart() {
        for (flags, expected) in [
            ([0x81, 0x80], Answer::Addresses(vec![])),
            ([0x81, 0x83], Answer::NoSuchName),
            ([0x83, 0x80], Answer::Truncated),
            ([0x81, 0x82], Answer::Failed("it failed")),
            ([0x81, 0x85], Answer::Failed("it refuses to answer")),
        ] {
            assert_eq!(answer(&reply("db.test", flags, None), 7, "db.test"), Some(expected));
        }
    }

    #[test]
    fn the_answer_to_another_question_is_passed_over() {
        let bytes = reply("db.test", [0x81, 0x80], Some([10, 0, 0, 9]));
        assert_eq!(answer(&bytes, 8, "db.test"), None, "another number");
        assert_eq!(answer(&bytes, 7, "other.test"), None, "another name");
        assert_eq!(answer(&reply("db.test", [0x01, 0x00], None), 7, "db.test"), None, "a question");
        (0..bytes.len()).for_each(|end| drop(answer(&bytes[..end], 7, "db.test")));
        assert_eq!(answer(b"", 7, "db.test"), None);
    }

    #[test]
    fn a_name_that_cannot_be_asked_for_is_none() {
        assert_eq!(question(7, &format!("{}.test", "a".repeat(64)), Family::V4), None);
    }
}
