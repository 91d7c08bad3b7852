//! Where queues lie: their URLs, how they are made, which there are, and how much lies in them.

use std::collections::HashMap;

use aws_sdk_sqs::types::QueueAttributeName as Attribute;

use super::Inner;
use super::fault::Fault;
use crate::{Depth, Error};

/// After so many receipts SQS moves a message to the parking place by itself. The host parks earlier, and says why;
/// this is the net below, for messages that end whoever handles them.
const RECEIVED_MAX: u32 = 25;

/// The same for the queue of one peer (`submit.<operator>`): its messages are taken and given back whenever sessions
/// come and go, so a restless night must not set them aside. The most that SQS allows.
const RECEIVED_BY_PEERS_MAX: u32 = 1_000;

/// How long SQS keeps a message: the longest that it allows, 14 days.
const RETENTION_SECONDS: &str = "1209600";

/// How long a message is hidden from a receiver that does not say (ours do): also Lambda's, whose functions end within
/// a sixth of it.
const VISIBILITY_SECONDS: &str = "180";

/// The most names of one page, and the most pages of a list.
const PAGE_MAX: i32 = 1_000;
const PAGES_MAX: usize = 100;

/// Makes a queue and its parking place, or completes what is there. What somebody else made, such as Terraform, keeps
/// its attributes.
pub(super) async fn create(inner: &Inner, queue: &str) -> Result<(), Error> {
    let (name, parking) = (inner.names.queue(queue)?, inner.names.parking(queue)?);
    let (url, parking_url) = tokio::try_join!(find(inner, &name), find(inner, &parking))?;
    if url.is_some() && parking_url.is_some() {
        return Ok(());
    }
    let retention = (Attribute::MessageRetentionPeriod, RETENTION_SECONDS.to_owned());
    let parking_url = match parking_url {
        Some(url) => url,
        None => make(inner, &parking, HashMap::from([retention.clone()])).await?,
    };
    let arn = attributes(inner, &parking_url, &[Attribute::QueueArn], queue).await?.remove(&Attribute::QueueArn);
    let arn = arn.ok_or_else(|| Fault::odd("GetQueueAttributes", "no ARN").about(queue))?;
    let policy = serde_json::json!({ "deadLetterTargetArn": arn, "maxReceiveCount": received_max(queue) }).to_string();
    let redrive = (Attribute::RedrivePolicy, policy);
    if let Some(url) = url {
        return set(inner, &url, redrive, queue).await;
    }
    let visibility = (Attribute::VisibilityTimeout, VISIBILITY_SECONDS.to_owned());
    make(inner, &name, HashMap::from([retention, visibility, redrive])).await.map(drop)
}

/// The URL of a queue of this name on SQS, asked for once.
pub(super) async fn url(inner: &Inner, name: &str, queue: &str) -> Result<String, Error> {
    if let Some(url) = inner.url_known(name) {
        return Ok(url);
    }
    find(inner, name).await?.ok_or_else(|| Error::NoQueue(queue.to_owned()))
}

/// Looks a queue up; `None` where there is none.
async fn find(inner: &Inner, name: &str) -> Result<Option<String>, Error> {
    let found = inner.clients().await.sqs.get_queue_url().queue_name(name).send().await;
    match found.map_err(|error| Fault::of("GetQueueUrl", &error)) {
        Ok(found) => {
            let url = found.queue_url.ok_or_else(|| Fault::odd("GetQueueUrl", "no URL").about(name))?;
            inner.learn_url(name, &url);
            Ok(Some(url))
        }
        Err(fault) if fault.is_no_queue() => {
            inner.forget_url(name);
            Ok(None)
        }
        Err(fault) => Err(fault.about(name)),
    }
}

/// Makes a queue. When somebody else made it a moment ago, with other attributes, that is no error.
async fn make(inner: &Inner, name: &str, attributes: HashMap<Attribute, String>) -> Result<String, Error> {
    let request = inner.clients().await.sqs.create_queue().queue_name(name).set_attributes(Some(attributes));
    match request.send().await.map_err(|error| Fault::of("CreateQueue", &error)) {
        Ok(made) => {
            let url = made.queue_url.ok_or_else(|| Fault::odd("CreateQueue", "no URL").about(name))?;
            inner.learn_url(name, &url);
            Ok(url)
        }
        Err(fault) if fault.is_queue_of_others() => url(inner, name, name).await,
        Err(fault) => Err(fault.about(name)),
    }
}

async fn set(inner: &Inner, url: &str, (name, value): (Attribute, String), queue: &str) -> Result<(), Error> {
    let request = inner.clients().await.sqs.set_queue_attributes().queue_url(url).attributes(name, value);
    request.send().await.map(drop).map_err(|error| Fault::of("SetQueueAttributes", &error).about(queue))
}

async fn attributes(
    inner: &Inner,
    url: &str,
    names: &[Attribute],
    queue: &str,
) -> Result<HashMap<Attribute, String>, Error> {
    let request = inner.clients().await.sqs.get_queue_attributes().queue_url(url);
    let told = request.set_attribute_names(Some(names.to_vec())).send().await;
    let told = told.map_err(|error| Fault::of("GetQueueAttributes", &error).about(queue))?;
    Ok(told.attributes.unwrap_or_default())
}

/// After how many receipts SQS sets a message of a queue aside.
pub(super) fn received_max(queue: &str) -> u32 {
    if queue.contains('.') { RECEIVED_BY_PEERS_MAX } else { RECEIVED_MAX }
}

/// The names of all queues of the prefix, in order.
pub(super) async fn queues(inner: &Inner) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    let mut next = None;
    for _ in 0..PAGES_MAX {
        let request = inner.clients().await.sqs.list_queues().queue_name_prefix(inner.names.prefix());
        let page = request.max_results(PAGE_MAX).set_next_token(next).send().await;
        let page = page.map_err(|error| Fault::of("ListQueues", &error).about(inner.names.prefix()))?;
        for url in page.queue_urls() {
            let Some(name) = url.rsplit('/').next() else { continue };
            inner.learn_url(name, url);
            names.extend(inner.names.ours(name));
        }
        next = page.next_token;
        if next.is_none() {
            break;
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// How much lies in a queue, about: SQS counts on many machines. It does not tell ages here.
pub(super) async fn depth(inner: &Inner, queue: &str) -> Result<Depth, Error> {
    let names = (inner.names.queue(queue)?, inner.names.parking(queue)?);
    let (main, parking) = tokio::try_join!(counts(inner, &names.0, queue), counts(inner, &names.1, queue))?;
    let parked = parking.0 + parking.1;
    Ok(Depth { ready: main.0, waiting: main.1, parked, oldest_age: None, oldest_waiting_age: None })
}

/// What may be received now, and what is hidden or delayed.
async fn counts(inner: &Inner, name: &str, queue: &str) -> Result<(u64, u64), Error> {
    let asked = [
        Attribute::ApproximateNumberOfMessages,
        Attribute::ApproximateNumberOfMessagesNotVisible,
        Attribute::ApproximateNumberOfMessagesDelayed,
    ];
    let url = url(inner, name, queue).await?;
    let told = attributes(inner, &url, &asked, queue).await.inspect_err(|error| inner.note(name, error))?;
    let count = |name: &Attribute| told.get(name).and_then(|text| text.parse().ok()).unwrap_or(0_u64);
    Ok((count(&asked[0]), count(&asked[1]) + count(&asked[2])))
}
