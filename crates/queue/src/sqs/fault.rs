//! What SQS and SNS refuse, in our words.

use std::error::Error as StdError;
use std::sync::Arc;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};

use crate::{Error, chain};

/// A call that failed. Holds no answer of the service: that may hold bodies.
#[derive(Debug, thiserror::Error)]
#[error("{action} failed: {why}")]
struct CallFailed {
    action: &'static str,
    why: String,
}

/// Why a whole call failed.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    action: &'static str,
    code: Option<String>,
    why: String,
}

impl Fault {
    pub(super) fn of<E, R>(action: &'static str, error: &SdkError<E, R>) -> Self
    where
        E: StdError + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug + 'static,
    {
        Self { action, code: error.code().map(str::to_owned), why: chain(error) }
    }

    /// An answer that does not say what it should.
    pub(super) fn odd(action: &'static str, why: &str) -> Self {
        Self { action, code: None, why: why.to_owned() }
    }

    /// Whether the queue does not exist.
    pub(super) fn is_no_queue(&self) -> bool {
        self.code
            .as_deref()
            .is_some_and(|code| code.ends_with("NonExistentQueue") || code.ends_with("QueueDoesNotExist"))
    }

    /// Whether a queue of this name exists with other attributes.
    pub(super) fn is_queue_of_others(&self) -> bool {
        self.code
            .as_deref()
            .is_some_and(|code| code.ends_with("QueueNameExists") || code.ends_with("QueueAlreadyExists"))
    }

    /// In our words, about this queue.
    pub(super) fn about(self, queue: &str) -> Error {
        if self.is_no_queue() {
            return Error::NoQueue(queue.to_owned());
        }
        Error::Backend(Arc::new(CallFailed { action: self.action, why: self.why }))
    }
}

/// Why one entry of a batch was refused.
#[derive(Clone, Debug)]
pub(super) enum Refused {
    /// The service names a code for the entry.
    Entry { action: &'static str, code: String },
    /// The whole call failed.
    Call(Error),
}

impl Refused {
    /// Whether the entry's handle is no longer good: the message was received again, or deleted.
    pub(super) fn is_outdated(&self) -> bool {
        let outdated = ["ReceiptHandleIsInvalid", "MessageNotInflight", "InvalidParameterValue"];
        matches!(self, Self::Entry { code, .. } if outdated.iter().any(|end| code.ends_with(end)))
    }

    /// Whether the service does not take the entry as it is.
    pub(super) fn is_too_long(&self) -> bool {
        let too_long = ["InvalidParameterValue", "BatchRequestTooLong"];
        matches!(self, Self::Entry { code, .. } if too_long.iter().any(|end| code.ends_with(end)))
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Entry { action, code } => Self::Backend(Arc::new(CallFailed { action, why: code })),
            Refused::Call(error) => error,
        }
    }
}
