//! What the service answers when it does not do as asked.

/// An error answer, or the refusal of one entry of a batch.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// The name of the error in the JSON protocol.
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    /// The caller's fault.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.to_owned(), message: message.into() }
    }

    pub(crate) fn no_queue() -> Self {
        Self::new("QueueDoesNotExist", "The specified queue does not exist.")
    }

    pub(crate) fn bad_value(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterValue", message)
    }

    pub(crate) fn bad_handle() -> Self {
        Self::new("ReceiptHandleIsInvalid", "The input receipt handle is invalid.")
    }

    /// The name of the error in the older protocol, which newer clients also go by.
    pub(crate) fn query_code(&self) -> String {
        let old = match self.code.as_str() {
            "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
            "QueueNameExists" => "QueueAlreadyExists",
            "TooManyEntriesInBatchRequest" => "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            "EmptyBatchRequest" => "AWS.SimpleQueueService.EmptyBatchRequest",
            "BatchRequestTooLong" => "AWS.SimpleQueueService.BatchRequestTooLong",
            "BatchEntryIdsNotDistinct" => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            other => other,
        };
        let whose = if self.status >= 500 { "Receiver" } else { "Sender" };
        format!("{old};{whose}")
    }
}
