//! Passwords: argon2id with the library's parameters (OWASP's first choice), on threads of their own and few at
//! a time, because each takes 19 MiB and tens of milliseconds.

use std::sync::{Arc, LazyLock};

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::problem::{Code, Problem};

/// Passwords hashed at the same time.
const RUNNING_MAX: usize = 2;
/// Passwords that wait for their turn or run; more are refused.
const WAITING_MAX: usize = 64;
/// Fewest and most characters of a password.
pub(crate) const LENGTH: std::ops::RangeInclusive<usize> = 8..=200;

/// What is verified when nobody has the address, so that the answer takes as long as for a wrong password.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_blocking("nobody has this password").unwrap_or_default());

/// Hashes and verifies passwords.
#[derive(Debug)]
pub(crate) struct Passwords {
    running: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Passwords {
    pub(crate) fn new() -> Self {
        Self { running: Arc::new(Semaphore::new(RUNNING_MAX)), waiting: Semaphore::new(WAITING_MAX) }
    }

    /// The stored form of a password.
    pub(crate) async fn hash(&self, password: String) -> Result<String, Problem> {
        let hashed = self.run(move || hash_blocking(&password)).await?;
        hashed.map_err(|error| Problem::internal(anyhow::anyhow!("cannot hash a password: {error}")))
    }

    /// Is it the password of this stored form? `None` takes as long, and is never right.
    pub(crate) async fn verify(&self, password: String, stored: Option<String>) -> Result<bool, Problem> {
        self.run(move || {
            let known = stored.is_some();
            let stored = stored.unwrap_or_else(|| NOBODY.clone());
            Argon2::default().verify_password(password.as_bytes(), stored.as_str()).is_ok() && known
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let busy = || Problem::new(Code::Unavailable, "too many log-ins at the same time");
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(Problem::internal)?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(running);
            result
        });
        done.await.map_err(Problem::internal)
    }
}

/// The stored form of a password, on this thread: PHC string of argon2id with a random salt.
///
/// # Errors
/// When the system gives no randomness.
pub fn hash_blocking(password: &str) -> Result<String, argon2::password_hash::Error> {
    Ok(Argon2::default().hash_password(password.as_bytes())?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_right_password_only() {
        let passwords = Passwords::new();
        let hash = passwords.hash("password123".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        for (password, stored, expected) in [
            ("password123", Some(hash.clone()), true),
            ("password124", Some(hash), false),
            ("password123", None, false),
        ] {
            assert_eq!(passwords.verify(password.to_owned(), stored).await.unwrap(), expected);
        }
    }
}
