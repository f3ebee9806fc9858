//! Host keys, pinned by SHA-256 as `ssh-keygen -l` prints them (fault 18).
//!
//! Why not a known_hosts file: libssh2 gives false mismatches on it and ignores revocation.

use sha2::{Digest, Sha256};

/// Host key algorithms by kind of key, the kind we ask for first in front. A server has one key of each kind, and a
/// pin does not say which it is of.
pub(super) const KINDS: [&str; 3] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521", "rsa-sha2-512,rsa-sha2-256"];

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `SHA256:` and the Base64 (RFC 4648, without padding) of the key's digest.
pub(super) fn fingerprint(host_key: &[u8]) -> String {
    let digest = Sha256::digest(host_key);
    let mut text = "SHA256:".to_owned();
    for group in digest.chunks(3) {
        let bits = group.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..=group.len() {
            text.push(char::from(ALPHABET[(bits >> (18 - 6 * place) & 63) as usize]));
        }
    }
    text
}

/// Whether a host key is one of the pinned ones.
pub(super) fn is_pinned(found: &str, pins: &[String]) -> bool {
    pins.iter().any(|pin| pin.trim().trim_end_matches('=') == found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_is_base64_of_sha_256_without_padding() {
        // SHA-256 of the empty text and of `abc` are e3b0c442...b855 and ba7816bf...15ad (FIPS 180-2).
        assert_eq!(fingerprint(b""), "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU");
        assert_eq!(fingerprint(b"abc"), "SHA256:ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0");
    }

    #[test]
    fn one_of_two_pins_is_enough_and_padding_does_not_matter() {
        let found = fingerprint(b"abc");
        let pins = |all: &[&str]| all.iter().map(|pin| (*pin).to_owned()).collect::<Vec<_>>();
        assert!(is_pinned(&found, &pins(&["SHA256:47DEQpj8HBSa", &found])));
        assert!(is_pinned(&found, &pins(&[&format!("{found}=")])));
        assert!(!is_pinned(&found, &pins(&[&found[..20]])));
        assert!(!is_pinned(&found, &[]));
    }
}
