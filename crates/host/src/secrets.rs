//! Everything that is derived from the platform's one secret: keys for tokens, hashes and sealed settings.
//!
//! One secret of 32 bytes or more is configured; each use has a key of its own, HMAC-SHA-256 of a label under
//! that secret (the extract-then-expand idea of RFC 5869 with one block), so that no key tells of another.

#[cfg(feature = "aws")]
pub(crate) mod manager;

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{constant_time, digest, hmac, rand};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Fewest bytes of the platform's secret.
pub const SECRET_BYTES_MIN: usize = 32;
/// Random bytes of a token or an API key: 256 bits.
const TOKEN_BYTES: usize = 32;

/// Why a secret cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The platform's secret is shorter than [`SECRET_BYTES_MIN`].
    #[error("the platform's secret has fewer than {SECRET_BYTES_MIN} bytes")]
    TooShort,
    /// What was sealed was sealed with another key, for another place, or was changed.
    #[error("a sealed value cannot be opened with this key")]
    Unsealable,
    /// The system gives no randomness, or the cipher failed.
    #[error("the cryptographic library failed")]
    Library,
}

/// The keys of the platform, derived once at start.
pub struct Keys {
    hashing: hmac::Key,
    webhooks: hmac::Key,
    sealing: RandomizedNonceKey,
    tokens: [u8; 32],
    internal: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(hidden)")
    }
}

impl Keys {
    /// Derives every key from the platform's secret.
    pub fn new(secret: &[u8]) -> Result<Self, Error> {
        if secret.len() < SECRET_BYTES_MIN {
            return Err(Error::TooShort);
        }
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let sealing = RandomizedNonceKey::new(&AES_256_GCM, &derive(&root, "chappe sealing v1"));
        Ok(Self {
            hashing: hmac::Key::new(hmac::HMAC_SHA256, &derive(&root, "chappe hashing v1")),
            webhooks: hmac::Key::new(hmac::HMAC_SHA256, &derive(&root, "chappe webhooks v1")),
            sealing: sealing.map_err(|_| Error::Library)?,
            tokens: derive(&root, "chappe tokens v1"),
            internal: URL_SAFE_NO_PAD.encode(derive(&root, "chappe internal v1")),
        })
    }

    /// The stored form of an API key's secret or of a refresh token. They are random, so a fast keyed hash is
    /// enough: without the platform's secret a stolen table is worth nothing.
    pub fn hash(&self, secret: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&self.hashing, secret);
        to_array(tag.as_ref())
    }

    /// Is `hash` the stored form of `secret`? Takes the same time for every wrong secret.
    pub fn matches(&self, secret: &[u8], hash: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.hash(secret), hash).is_ok()
    }

    /// The key of access tokens (JWT, HS256).
    pub const fn token_key(&self) -> &[u8; 32] {
        &self.tokens
    }

    /// The bearer token between our own processes.
    pub fn internal_token(&self) -> &str {
        &self.internal
    }

    /// The key with which an account's webhooks are signed, in the form of Standard Webhooks: `whsec_` and
    /// base64 of 32 bytes. `account` is the account's id as customers see it (`acc_…`).
    pub fn webhook_secret(&self, account: &str) -> String {
        let tag = hmac::sign(&self.webhooks, account.as_bytes());
        format!("whsec_{}", STANDARD.encode(tag.as_ref()))
    }

    /// Encrypts a setting (AES-256-GCM, random nonce in front). `place` says where it is stored, so that a
    /// sealed value moved to another row does not open.
    pub fn seal(&self, plain: &[u8], place: &str) -> Result<Vec<u8>, Error> {
        let mut body = plain.to_vec();
        let nonce = self
            .sealing
            .seal_in_place_append_tag(Aad::from(place.as_bytes()), &mut body)
            .map_err(|_| Error::Library)?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// What [`Keys::seal`] sealed for `place`.
    pub fn open(&self, sealed: &[u8], place: &str) -> Result<Vec<u8>, Error> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN).ok_or(Error::Unsealable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Error::Unsealable)?;
        let mut body = body.to_vec();
        let plain =
            self.sealing.open_in_place(nonce, Aad::from(place.as_bytes()), &mut body).map_err(|_| Error::Unsealable)?;
        Ok(plain.to_vec())
    }
}

/// A random token: 256 bits in base64url, 43 characters.
pub fn random_token() -> Result<String, Error> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    rand::fill(&mut bytes).map_err(|_| Error::Library)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// SHA-256 of `parts`, one after the other, each behind its length so that no two lists collide.
pub fn fingerprint(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part);
    }
    to_array(context.finish().as_ref())
}

fn derive(root: &hmac::Key, label: &str) -> [u8; 32] {
    to_array(hmac::sign(root, label.as_bytes()).as_ref())
}

/// SHA-256 has 32 bytes.
fn to_array(bytes: &[u8]) -> [u8; 32] {
    let mut array = [0_u8; 32];
    array.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(fill: u8) -> Keys {
        Keys::new(&[fill; 32]).unwrap()
    }

    #[test]
    fn a_short_secret_is_refused() {
        assert_eq!(Keys::new(&[1; 31]).unwrap_err(), Error::TooShort);
    }

    #[test]
    fn hashes_are_keyed() {
        let hash = keys(1).hash(b"secret");
        assert!(keys(1).matches(b"secret", &hash));
        assert!(!keys(1).matches(b"Secret", &hash));
        assert!(!keys(2).matches(b"secret", &hash));
        assert!(!keys(1).matches(b"secret", &hash[..31]));
    }

    #[test]
    fn a_sealed_value_opens_in_its_place_only() {
        let sealed = keys(1).seal(b"password", "op_1").unwrap();
        assert_ne!(sealed, keys(1).seal(b"password", "op_1").unwrap(), "the nonce is random");
        assert_eq!(keys(1).open(&sealed, "op_1").as_deref(), Ok(b"password".as_slice()));
        for (key, place) in [(keys(1), "op_2"), (keys(2), "op_1")] {
            assert_eq!(key.open(&sealed, place), Err(Error::Unsealable));
        }
        assert_eq!(keys(1).open(&sealed[..5], "op_1"), Err(Error::Unsealable));
    }

    #[test]
    fn every_account_has_a_webhook_secret_of_its_own() {
        let secret = keys(1).webhook_secret("acc_1");
        assert!(secret.starts_with("whsec_") && secret.len() == 6 + 44);
        assert_ne!(secret, keys(1).webhook_secret("acc_2"));
        assert_eq!(format!("{:?}", keys(1)), "Keys(hidden)");
    }

    #[test]
    fn fingerprints_know_where_a_part_ends() {
        assert_ne!(fingerprint(&[b"ab", b"c"]), fingerprint(&[b"a", b"bc"]));
    }
}
