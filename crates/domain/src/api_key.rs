//! How the secret of an API key is written: `sk_live_`, the key's id without its prefix, `_`, and what is random. The
//! id makes the look-up.

use crate::KeyId;

/// How every secret begins, so that scanners for leaked ones find it.
pub const PREFIX: &str = "sk_live_";
/// Characters of an id without its prefix.
const ID_CHARS: usize = 26;

/// The secret of key `id` with this random part.
pub fn secret_of(id: KeyId, random: &str) -> String {
    let text = id.to_string();
    let bare = text.strip_prefix("key_").unwrap_or(&text);
    format!("{PREFIX}{bare}_{random}")
}

/// Which key a secret claims to be of; `None` when it is no secret of a key.
pub fn id_of(secret: &str) -> Option<KeyId> {
    let (id, rest) = secret.strip_prefix(PREFIX)?.split_at_checked(ID_CHARS)?;
    if rest.starts_with('_') { format!("key_{id}").parse().ok() } else { None }
}
