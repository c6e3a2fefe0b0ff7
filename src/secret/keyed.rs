//! Hashes that only those can make who know a salt: what is alike stays alike, and nobody finds out
//! by trying whom or what one stands for.

use std::fmt;

use sha2::{Digest, Sha256};

/// What begins a hash, so that nobody takes it for what it stands for.
const SIGN: char = '#';

/// Bytes of the hash that are shown: among a million values two are mistaken for one another less
/// often than once in five hundred.
const SHOWN: usize = 6;

/// A secret of one instance.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Salt(pub [u8; 32]);

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(***)")
    }
}

/// Whether a text has the form of a hash: to hash it again would hide that it is the same.
pub fn is_hash(text: &str) -> bool {
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.strip_prefix(SIGN).is_some_and(|rest| rest.len() == 2 * SHOWN && rest.bytes().all(hex))
}

impl Salt {
    /// The hash of a value of one kind: the same value of another kind has another one. Follows
    /// HMAC (RFC 2104), with a key of half a block.
    pub fn hash(&self, kind: &str, value: &str) -> String {
        let padded = |byte: u8| -> Vec<u8> {
            let key = self.0.iter().copied().chain([0; 32]);
            key.map(|one| one ^ byte).collect()
        };
        let inner = Sha256::new()
            .chain_update(padded(0x36))
            .chain_update(kind)
            .chain_update([0])
            .chain_update(value)
            .finalize();
        let outer = Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
        let shown = outer.iter().take(SHOWN).map(|byte| format!("{byte:02x}"));
        shown.fold(SIGN.to_string(), |text, byte| text + &byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_alike_stays_alike_under_one_salt_and_one_kind() {
        let (salt, other) = (Salt([7; 32]), Salt([8; 32]));
        let hash = salt.hash("user", "jane");
        assert_eq!(hash, salt.hash("user", "jane"));
        assert!(hash.starts_with('#') && hash.len() == 13, "{hash}");
        assert!(
            is_hash(&hash)
                && ["#", "#0123456789aX", "0123456789ab#", "jane"].iter().all(|it| !is_hash(it))
        );
        let others =
            [salt.hash("user", "joe"), salt.hash("git", "jane"), other.hash("user", "jane")];
        assert!(!others.contains(&hash));
        assert_ne!(salt.hash("ab", "c"), salt.hash("a", "bc"));
        assert!(!format!("{salt:?}").contains('7'));
    }

    #[test]
    fn it_is_hmac_with_sha_256() {
        // RFC 4231, 4.3 has a key of 4 bytes, which is the same as one with zeros behind it; there
        // the text is in one part, so the kind is all of it up to our zero.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        // python3: hmac.new(b"Jefe", b"what do ya want\0for nothing?", "sha256").hexdigest()[:12]
        assert_eq!(Salt(key).hash("what do ya want", "for nothing?"), "#adf13648edae");
    }
}
