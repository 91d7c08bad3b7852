//! What everything that remembers answers must do.

use std::time::Duration;

use bytes::Bytes;
use limits::{Recall, VALUE_BYTES_MAX};
use testkit::eventually;

/// What is kept is found within this.
const LIMIT: Duration = Duration::from_secs(20);

/// Judges two ways to one memory.
pub(crate) async fn run(one: &dyn Recall, other: &dyn Recall) {
    let found = async |key: &str| other.recall(key).await;
    let largest = Bytes::from(vec![7; VALUE_BYTES_MAX]);
    for (key, value) in [
        ("a", Bytes::from_static(b"first")),
        ("", Bytes::new()),
        ("a key} with {braces", Bytes::from_static(b"\0\xff\r\n")),
        ("с пробелом", largest),
    ] {
        assert_eq!(found(key).await, None, "{key:?} is unknown");
        one.keep(key, value.clone()).await;
        eventually(LIMIT, async || found(key).await.as_ref() == Some(&value)).await;
    }
    one.keep("large", Bytes::from(vec![7; VALUE_BYTES_MAX + 1])).await;
    assert_eq!(found("large").await, None, "a value beyond the bound is not kept");
    one.keep("a", Bytes::from_static(b"second")).await;
    eventually(LIMIT, async || found("a").await.as_deref() == Some(b"second".as_slice())).await;
}
