//! The actions on queues, and on one message.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::account::Account;
use crate::batches::{self, Odd};
use crate::message::{Attributes, Content, Message, message_id};
use crate::protocol::{AboutQueue, Accepted, Handle, Listing, Messages, Named, Received, Receiving, Sent};
use crate::queue::Queue;
use crate::refusal::Refusal;

/// The longest `DelaySeconds`, `WaitTimeSeconds` and `VisibilityTimeout`, and the most messages of one receipt.
const DELAY_SECONDS_MAX: u64 = 900;
const WAIT_SECONDS_MAX: u64 = 20;
const VISIBILITY_SECONDS_MAX: u64 = 43_200;
const RECEIVE_MAX: usize = 10;

/// The most queues of one page, and as many where nobody says.
const PAGE_MAX: usize = 1_000;

pub(crate) type Answer = Result<Vec<u8>, Refusal>;

/// Does what is asked. The fault is for the entries of batches.
pub(crate) async fn act(account: &Account, action: &str, body: &[u8], odd: Odd) -> Answer {
    match action {
        "CreateQueue" => create(account, parse(body)?),
        "GetQueueUrl" => queue_url(account, &parse(body)?),
        "DeleteQueue" => delete_queue(account, &parse(body)?),
        "ListQueues" => list(account, &parse(body)?),
        "SetQueueAttributes" => set_attributes(account, parse(body)?),
        "GetQueueAttributes" => get_attributes(account, &parse(body)?),
        "SendMessage" => {
            let queue = queue_of(account, body)?;
            answer(&send(account, &queue, parse(body)?)?)
        }
        "ReceiveMessage" => receive(account, queue_of(account, body)?.as_ref(), &parse(body)?).await,
        "DeleteMessage" => {
            let handle: Handle = parse(body)?;
            queue_of(account, body)?.delete(&handle.receipt_handle).and_then(|()| answer(&json!({})))
        }
        "ChangeMessageVisibility" => {
            hide(queue_of(account, body)?.as_ref(), &parse(body)?).and_then(|()| answer(&json!({})))
        }
        "SendMessageBatch" => batches::send(account, queue_of(account, body)?.as_ref(), parse(body)?, &odd),
        "DeleteMessageBatch" => batches::delete(queue_of(account, body)?.as_ref(), parse(body)?, &odd),
        "ChangeMessageVisibilityBatch" => batches::hide(queue_of(account, body)?.as_ref(), parse(body)?, &odd),
        other => Err(Refusal::new("UnsupportedOperation", format!("{other} is not known here"))),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| Refusal::new("InvalidRequest", error.to_string()))
}

pub(crate) fn answer<T: Serialize>(value: &T) -> Answer {
    serde_json::to_vec(value).map_err(|error| Refusal::new("InternalError", error.to_string()))
}

fn queue_of(account: &Account, body: &[u8]) -> Result<Arc<Queue>, Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Url {
        queue_url: String,
    }
    account.queue(&parse::<Url>(body)?.queue_url)
}

/// Making a queue twice is fine, with the same attributes.
fn create(account: &Account, request: Named) -> Answer {
    let name = request.queue_name;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if !(1..=80).contains(&name.len()) || !name.bytes().all(is_plain) {
        return Err(Refusal::bad_value("A queue name has 1 to 80 letters, digits, hyphens and underscores."));
    }
    let url = account.url(&name);
    let mut queues = account.queues();
    if let Some(queue) = queues.get(&name) {
        let known = queue.attributes();
        if request.attributes.iter().any(|(name, value)| known.get(name) != Some(value)) {
            return Err(Refusal::new("QueueNameExists", "A queue of this name has other attributes."));
        }
    } else {
        queues.insert(name.clone(), Arc::new(Queue::new(&name, request.attributes)));
    }
    answer(&json!({ "QueueUrl": url }))
}

fn queue_url(account: &Account, request: &Named) -> Answer {
    let queue = account.queue(&request.queue_name)?;
    answer(&json!({ "QueueUrl": account.url(&queue.name) }))
}

fn delete_queue(account: &Account, request: &AboutQueue) -> Answer {
    let queue = account.queue(&request.queue_url)?;
    account.queues().remove(&queue.name);
    answer(&json!({}))
}

fn list(account: &Account, request: &Listing) -> Answer {
    let after = request.next_token.as_deref().unwrap_or_default();
    let page = request.max_results.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let queues = account.queues();
    let names = queues.keys().filter(|name| name.starts_with(&request.queue_name_prefix) && name.as_str() > after);
    let names: Vec<&String> = names.take(page + 1).collect();
    let urls: Vec<String> = names.iter().take(page).map(|name| account.url(name)).collect();
    let next = if names.len() > page { names.get(page - 1) } else { None };
    answer(&json!({ "QueueUrls": urls, "NextToken": next }))
}

fn set_attributes(account: &Account, request: AboutQueue) -> Answer {
    account.queue(&request.queue_url)?.set_attributes(request.attributes);
    answer(&json!({}))
}

fn get_attributes(account: &Account, request: &AboutQueue) -> Answer {
    let queue = account.queue(&request.queue_url)?;
    let (mut told, counts) = (queue.attributes(), queue.counts());
    told.insert("QueueArn".to_owned(), Account::arn(&queue.name));
    let counted = [("", counts.visible), ("NotVisible", counts.hidden), ("Delayed", counts.delayed)];
    told.extend(counted.map(|(what, count)| (format!("ApproximateNumberOfMessages{what}"), count.to_string())));
    if !request.attribute_names.iter().any(|name| name == "All") {
        told.retain(|name, _| request.attribute_names.contains(name));
    }
    answer(&json!({ "Attributes": told }))
}

/// Checks and sends one message.
pub(crate) fn send(account: &Account, queue: &Queue, sent: Sent) -> Result<Accepted, Refusal> {
    let content = Content::checked(sent.message_body, sent.message_attributes, sent.message_group_id)?;
    if u64::try_from(content.bytes()).unwrap_or(u64::MAX) > queue.bytes_max() {
        return Err(Refusal::bad_value("One or more parameters are invalid. Reason: the message is too long."));
    }
    let delay = sent.delay_seconds.or_else(|| queue.number("DelaySeconds")).unwrap_or(0);
    if delay > DELAY_SECONDS_MAX {
        return Err(Refusal::bad_value("DelaySeconds is at most 900."));
    }
    let content = Arc::new(content);
    let id = account.send(queue, Arc::clone(&content), Duration::from_secs(delay));
    Ok(Accepted {
        id: sent.id,
        message_id: Some(message_id(id)),
        body_md5: Some(content.body_md5.clone()),
        attributes_md5: content.attributes_md5.clone(),
    })
}

/// Hides one message that its handle names.
pub(crate) fn hide(queue: &Queue, handle: &Handle) -> Result<(), Refusal> {
    let seconds = handle.visibility_timeout.filter(|seconds| *seconds <= VISIBILITY_SECONDS_MAX);
    let seconds = seconds.ok_or_else(|| Refusal::bad_value("VisibilityTimeout is 0 to 43200."))?;
    queue.hide(&handle.receipt_handle, Duration::from_secs(seconds))
}

async fn receive(account: &Account, queue: &Queue, request: &Receiving) -> Answer {
    let max = request.max_number_of_messages.unwrap_or(1);
    let wait = request.wait_time_seconds.or_else(|| queue.number("ReceiveMessageWaitTimeSeconds")).unwrap_or(0);
    let visibility = request.visibility_timeout.map_or_else(|| queue.visibility(), Duration::from_secs);
    let is_legal = (1..=RECEIVE_MAX).contains(&max)
        && wait <= WAIT_SECONDS_MAX
        && visibility <= Duration::from_secs(VISIBILITY_SECONDS_MAX);
    if !is_legal {
        return Err(Refusal::bad_value("MaxNumberOfMessages, WaitTimeSeconds or VisibilityTimeout is out of range."));
    }
    let taken = account.receive(queue, max, Duration::from_secs(wait), visibility).await;
    let names = &request.message_attribute_names;
    let messages = taken.messages.into_iter().map(|(message, handle)| received(&message, handle, names)).collect();
    answer(&Messages { messages })
}

fn received(message: &Message, receipt_handle: String, names: &[String]) -> Received {
    let content = &message.content;
    let is_asked = |name: &String| names.iter().any(|asked| asked == "All" || asked == ".*" || asked == name);
    let attributes: Attributes = content.attributes.iter().filter(|(name, _)| is_asked(name)).map(clone_pair).collect();
    Received {
        message_id: message_id(message.id),
        receipt_handle,
        body_md5: content.body_md5.clone(),
        body: content.body.clone(),
        attributes: system_attributes(message),
        attributes_md5: content.attributes_md5.clone().filter(|_| attributes.len() == content.attributes.len()),
        message_attributes: attributes,
    }
}

fn clone_pair<A: Clone, B: Clone>((a, b): (&A, &B)) -> (A, B) {
    (a.clone(), b.clone())
}

/// What SQS says about a message, whoever asks.
pub(crate) fn system_attributes(message: &Message) -> BTreeMap<&'static str, String> {
    let mut attributes = BTreeMap::from([
        ("ApproximateReceiveCount", message.received.to_string()),
        ("SentTimestamp", message.sent_ms.to_string()),
        ("ApproximateFirstReceiveTimestamp", message.first_received_ms.unwrap_or(message.sent_ms).to_string()),
        ("SenderId", "AIDAEMULATOR".to_owned()),
    ]);
    attributes.extend(message.content.group.clone().map(|group| ("MessageGroupId", group)));
    attributes
}

/// What Lambda gets of a message.
pub(crate) fn event_record(message: &Message, handle: &str, queue: &str) -> Value {
    let content = &message.content;
    let attribute = |(name, one): (&String, &crate::message::Attribute)| {
        let value = json!({ "stringValue": one.string_value, "stringListValues": [], "binaryListValues": [],
            "dataType": one.data_type });
        (name.clone(), value)
    };
    let attributes: serde_json::Map<String, Value> = content.attributes.iter().map(attribute).collect();
    json!({
        "messageId": message_id(message.id),
        "receiptHandle": handle,
        "body": content.body,
        "attributes": system_attributes(message),
        "messageAttributes": attributes,
        "md5OfMessageAttributes": content.attributes_md5,
        "md5OfBody": content.body_md5,
        "eventSource": "aws:sqs",
        "eventSourceARN": Account::arn(queue),
        "awsRegion": crate::REGION,
    })
}
