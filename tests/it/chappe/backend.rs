//! Where the queues of an installation are: the main tests run over each of these.

use sqs_emulator::SqsEmulator;
use testkit::RabbitMq;

/// A kind of queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    /// In the database of the tables.
    Postgres,
    /// A virtual host of a real broker.
    RabbitMq,
    /// A prefix of an emulator that speaks the protocol of SQS.
    Sqs,
}

/// Queues of one installation.
#[derive(Debug)]
pub(crate) enum Queues {
    /// Those of the database.
    Database,
    /// Those behind this URL, which somebody else keeps running.
    At(String),
    /// In an emulator of one's own, which ends with them.
    Emulated(SqsEmulator, String),
}

impl Backend {
    /// Queues of one's own, empty.
    pub(crate) async fn queues(self) -> Queues {
        match self {
            Self::Postgres => Queues::Database,
            Self::RabbitMq => Queues::At(RabbitMq::shared().await.url()),
            Self::Sqs => {
                let emulator = SqsEmulator::start().await;
                let url = emulator.url("it");
                Queues::Emulated(emulator, url)
            }
        }
    }
}

impl Queues {
    /// What `QUEUE_URL` says; `None` where the database stands in for it.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::Database => None,
            Self::At(url) | Self::Emulated(_, url) => Some(url),
        }
    }
}

/// A test that must hold wherever the queues are: one test for each backend, named for it.
macro_rules! on_every_backend {
    ($(#[$doc:meta])* async fn $name:ident($backend:ident) $body:block) => {
        $(#[$doc])*
        mod $name {
            use super::*;

            async fn holds_on($backend: $crate::chappe::Backend) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                holds_on($crate::chappe::Backend::Postgres).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn rabbitmq() {
                holds_on($crate::chappe::Backend::RabbitMq).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn sqs() {
                holds_on($crate::chappe::Backend::Sqs).await;
            }
        }
    };
}

pub(crate) use on_every_backend;
