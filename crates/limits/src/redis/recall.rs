//! Answers as values that end by themselves.

use async_trait::async_trait;
use bytes::Bytes;

use super::Redis;
use crate::recall::{KEPT_FOR, Recall, VALUE_BYTES_MAX};

/// Where the value of a key lies.
fn place(key: &str) -> String {
    format!("chappe:{{{key}}}:answer")
}

#[async_trait]
impl Recall for Redis {
    async fn keep(&self, key: &str, value: Bytes) {
        if value.len() > VALUE_BYTES_MAX {
            return;
        }
        let mut command = ::redis::cmd("SET");
        command.arg(place(key)).arg(value.as_ref()).arg("EX").arg(KEPT_FOR.as_secs());
        self.ask(command.query_async::<()>(&mut self.connection.clone())).await;
    }

    async fn recall(&self, key: &str) -> Option<Bytes> {
        let mut command = ::redis::cmd("GET");
        command.arg(place(key));
        let found = self.ask(command.query_async::<Option<Vec<u8>>>(&mut self.connection.clone())).await;
        found.flatten().map(Bytes::from)
    }
}
