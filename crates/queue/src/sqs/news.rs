//! News for the world outside, on topics of SNS: `<topics>-billing` and `<topics>-messaging`.
//!
//! Listeners choose by the message attributes `routing_key` (prefixes, in a filter policy) and drop repetitions by `id`.

use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

use super::Inner;
use super::batch::{self, Answer, Call, Failed};
use super::fault::Fault;
use crate::{BODY_BYTES_MAX, Error, News, SendError, Topic};

/// The attributes of a published message.
const ROUTING_KEY: &str = "routing_key";
const ID: &str = "id";

pub(super) async fn announce(inner: &Inner, news: &[News]) -> Vec<Result<(), SendError>> {
    let Some(topics) = &inner.address.topics else {
        return news.iter().map(|_| Ok(())).collect();
    };
    let mut results: Vec<Result<(), SendError>> = news.iter().map(check).collect();
    for topic in Topic::ALL {
        let is_sent = |place: &usize| news[*place].topic == topic && results[*place].is_ok();
        let places: Vec<usize> = (0..news.len()).filter(is_sent).collect();
        let items: Vec<News> = places.iter().map(|&place| news[place].clone()).collect();
        let call = Publishing { inner, topic, arn: format!("{topics}-{}", topic.name()) };
        for (place, published) in places.into_iter().zip(batch::run(&call, &items).await) {
            results[place] = published.map_err(|refused| SendError::Failed(refused.into()));
        }
    }
    results
}

fn check(news: &News) -> Result<(), SendError> {
    let bytes = Publishing::bytes(news);
    if bytes > BODY_BYTES_MAX { Err(SendError::TooLarge { bytes: news.body.len() }) } else { Ok(()) }
}

struct Publishing<'a> {
    inner: &'a Inner,
    topic: Topic,
    arn: String,
}

impl Call for Publishing<'_> {
    type Item = News;
    const ACTION: &'static str = "PublishBatch";

    fn bytes(item: &News) -> usize {
        let attributes = [(ROUTING_KEY, &item.key), (ID, &item.id)];
        let bytes = attributes.map(|(name, value)| name.len() + value.len() + "String".len());
        item.body.len() + bytes.into_iter().sum::<usize>()
    }

    async fn call(&self, items: &[(usize, &News)]) -> Result<Answer, Error> {
        let fault = |fault: Fault| fault.about(self.topic.name());
        let mut entries = Vec::with_capacity(items.len());
        for (place, news) in items {
            let entry = entry(*place, news).map_err(|error| fault(Fault::odd(Self::ACTION, &error.to_string())))?;
            entries.push(entry);
        }
        let request = self.inner.clients().await.sns.publish_batch().topic_arn(&self.arn);
        let published = request.set_publish_batch_request_entries(Some(entries)).send().await;
        let published = published.map_err(|error| fault(Fault::of(Self::ACTION, &error)))?;
        let done = published.successful.unwrap_or_default().into_iter().filter_map(|one| one.id).collect();
        let failed = published.failed.unwrap_or_default().into_iter();
        let failed = failed.map(|one| Failed { id: one.id, code: one.code, is_senders_fault: one.sender_fault });
        Ok(Answer { done, failed: failed.collect() })
    }
}

type BuildError = aws_sdk_sns::error::BuildError;

/// JSON is text; news that are no text are not ours.
fn entry(place: usize, news: &News) -> Result<PublishBatchRequestEntry, BuildError> {
    let attribute = |value: &str| MessageAttributeValue::builder().data_type("String").string_value(value).build();
    PublishBatchRequestEntry::builder()
        .id(place.to_string())
        .message(String::from_utf8_lossy(&news.body))
        .message_attributes(ROUTING_KEY, attribute(&news.key)?)
        .message_attributes(ID, attribute(&news.id)?)
        .build()
}
