//! The queue backends: each against the conformance suite, and what it alone promises.

mod postgres;
mod rabbit;
mod sqs;

use ::queue::OpenError;

#[tokio::test]
async fn unknown_schemes_are_named() {
    for url in ["kafka://localhost", "nonsense"] {
        let refused = ::queue::open(url).await.unwrap_err();
        assert!(matches!(refused, OpenError::Scheme { .. }), "{refused}");
    }
    for url in ["postgres://user:hunter2@host:notaport/db", "amqp://user:hunter2@host:notaport/"] {
        let refused = ::queue::open(url).await.unwrap_err();
        assert!(!format!("{refused:?} {refused}").contains("hunter2"), "{refused:?}");
    }
}
