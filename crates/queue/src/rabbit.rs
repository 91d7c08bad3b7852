//! Queues in RabbitMQ: for clusters, and for who has a broker already. `RABBITMQ.md` beside `src` tells an operator what
//! lies in the broker.
//!
//! Two connections, one for sending and one for receiving: a broker that is short of memory or disk stops reading from
//! connections that publish, and what was received must be settled all the same. Both come back by themselves; while
//! the broker is away every call fails at once.
//!
//! A lease is what AMQP calls an unacknowledged delivery, with an end that this handle watches over. So a lease counts
//! only at the handle that received it, and all of them end with its connection.

mod answer;
mod depth;
mod fault;
mod flow;
mod intake;
mod link;
mod names;
mod news;
mod parking;
mod probe;
mod publish;
mod receive;
mod settle;
mod stamp;
mod topology;
mod url;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use tokio::time::Instant;

use crate::{BODY_BYTES_MAX, Delivery, Depth, Error, Lease, News, OpenError, Out, Parked, Queue};
use crate::{SendError, Settle, SettleError, Take, name_is_valid};
use depth::Seen;
use fault::{Fault, within};
use intake::Intake;
use link::{Link, Session};
use names::Names;
use parking::Found;
use publish::Parcel;
use stamp::Stamp;

/// How long after a queue was made the broker has surely noted it on its disk.
const NOTED_AFTER: Duration = Duration::from_secs(2);

/// How long what another process holds may go unseen: longer than a function takes for a batch, whose database calls
/// end within seconds.
const HELD_UNSEEN: Duration = Duration::from_secs(30);

/// The RabbitMQ backend. Owns two connections, made at first use.
#[derive(Debug)]
pub struct Rabbit {
    shared: Arc<Shared>,
}

/// What outlives a call whose caller went away.
#[derive(Debug)]
struct Shared {
    sending: Link,
    taking: Link,
    names: Names,
    /// Buckets that were there.
    buckets: Mutex<HashSet<String>>,
    seen: Seen,
}

impl Rabbit {
    /// Connects at first use. `url` is `amqp://user:password@host:port/vhost`, or `amqps:` for TLS; the virtual host
    /// must exist and is `/` where none is named.
    pub fn open(url: &str) -> Result<Self, OpenError> {
        let uri = url::parse(url)?;
        let shared = Shared {
            sending: Link::new(uri.clone(), "sending"),
            taking: Link::new(uri, "receiving"),
            names: Names::default(),
            buckets: Mutex::default(),
            seen: Seen::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }
}

impl Shared {
    /// Where `queue` is received from; none when nobody received from it on the connection that stands.
    async fn intake_known(&self, queue: &str) -> Option<Arc<Intake>> {
        self.taking.session_alive().await?.intake_known(queue)
    }

    /// Publishes parcels; one result per parcel, in order.
    async fn publish(&self, parcels: &[Parcel]) -> Vec<Result<(), Fault>> {
        if parcels.is_empty() {
            return Vec::new();
        }
        match self.sending.session().await {
            Ok(session) => publish::publish(&session, parcels).await,
            Err(fault) => parcels.iter().map(|_| Err(fault.clone())).collect(),
        }
    }

    /// Puts messages into a queue, or into a bucket of it where they must wait; each with its wait in milliseconds.
    async fn put(&self, queue: &str, messages: Vec<(u64, Stamp, Bytes)>) -> Vec<Result<(), Error>> {
        let mut parcels = Vec::with_capacity(messages.len());
        for (wait_ms, mut stamp, body) in messages {
            stamp.left_ms = 0;
            if wait_ms == 0 {
                parcels.push(Ok(Parcel::to(queue, stamp.properties(), body)));
                continue;
            }
            let (life_ms, left_ms) = topology::next_bucket(wait_ms);
            let making = Instant::now();
            let bucket = self.bucket(queue, life_ms).await;
            // What it took to make the bucket is waited already.
            stamp.left_ms = left_ms.saturating_sub(u64::try_from(making.elapsed().as_millis()).unwrap_or(0));
            parcels.push(bucket.map(|bucket| Parcel::to(bucket, stamp.properties(), body)));
        }
        self.publish_what_can(queue, parcels).await
    }

    async fn publish_what_can(&self, queue: &str, parcels: Vec<Result<Parcel, Fault>>) -> Vec<Result<(), Error>> {
        let mut faults = Vec::with_capacity(parcels.len());
        let mut whole = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            match parcel {
                Ok(parcel) => {
                    whole.push(parcel);
                    faults.push(None);
                }
                Err(fault) => faults.push(Some(fault)),
            }
        }
        let published = self.publish(&whole).await;
        self.forget_lost_buckets(&whole, &published);
        let mut published = published.into_iter();
        let result = |fault: Option<Fault>| match fault {
            Some(fault) => Err(fault.of(queue)),
            None => published.next().unwrap_or(Err(Fault::Nacked)).map_err(|fault| fault.of(queue)),
        };
        faults.into_iter().map(result).collect()
    }

    /// A bucket that an operator removed is made again by the next who needs it.
    fn forget_lost_buckets(&self, parcels: &[Parcel], published: &[Result<(), Fault>]) {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        for (parcel, published) in parcels.iter().zip(published) {
            if matches!(published, Err(Fault::Unroutable)) {
                buckets.remove(&parcel.key);
            }
        }
    }

    /// The name of a bucket, which is made where it does not exist.
    async fn bucket(&self, queue: &str, life_ms: u32) -> Result<String, Fault> {
        let bucket = topology::bucket(queue, life_ms);
        if self.buckets.lock().unwrap_or_else(PoisonError::into_inner).contains(&bucket) {
            return Ok(bucket);
        }
        let session = self.sending.session().await?;
        depth::count(&session, queue).await?;
        let is_new = self.names.add(&session, &bucket).await?;
        declare(&session, &bucket, topology::bucket_settings(queue, life_ms)).await?;
        on_disk(is_new).await;
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner).insert(bucket.clone());
        Ok(bucket)
    }

    async fn create(&self, queue: &str) -> Result<(), Fault> {
        let session = self.sending.session().await?;
        let is_new = self.names.add(&session, queue).await?;
        declare(&session, &topology::parked(queue), topology::plain_settings()).await?;
        declare(&session, queue, topology::queue_settings(queue)).await?;
        on_disk(is_new).await;
        Ok(())
    }

    async fn queues(&self) -> Result<Vec<String>, Fault> {
        let session = self.sending.session().await?;
        let names = self.names.all(&session, Duration::ZERO).await?;
        Ok(names.into_iter().filter(|name| !topology::is_bucket(name)).collect())
    }
}

/// Waits until the broker has noted a queue that is new on its disk. It does so twice a second, and one that is killed
/// before forgets the queue with all that it confirmed for it.
async fn on_disk(is_new: bool) {
    if is_new {
        tokio::time::sleep(NOTED_AFTER).await;
    }
}

/// Makes a queue. One with other settings stays as it is: an operator, or a former version, made it so.
async fn declare(session: &Session, name: &str, settings: FieldTable) -> Result<(), Fault> {
    let options = QueueDeclareOptions { durable: true, ..<_>::default() };
    let declared = session
        .ask(async |channel| within("making a queue", channel.queue_declare(name.into(), options, settings)).await)
        .await;
    match declared {
        Ok(_) => Ok(()),
        Err(fault) if fault.is_different() => {
            tracing::warn!(queue = %name, "queue {name} has other settings than expected, which stay");
            Ok(())
        }
        Err(fault) => Err(fault),
    }
}

#[async_trait]
impl Queue for Rabbit {
    async fn create(&self, queue: &str) -> Result<(), Error> {
        if !name_is_valid(queue) {
            return Err(Error::BadName(queue.to_owned()));
        }
        Ok(self.shared.create(queue).await?)
    }

    async fn send(&self, queue: &str, batch: &[Out]) -> Vec<Result<(), SendError>> {
        if !name_is_valid(queue) {
            return batch.iter().map(|_| Err(Error::NoQueue(queue.to_owned()).into())).collect();
        }
        let fits = |item: &&Out| item.body.len() <= BODY_BYTES_MAX;
        let message = |item: &Out| (topology::wait_ms(item.delay), Stamp::fresh(), item.body.clone());
        let messages = batch.iter().filter(fits).map(message).collect();
        let mut sent = self.shared.put(queue, messages).await.into_iter();
        let result = |item: &Out| {
            if !fits(&item) {
                return Err(SendError::TooLarge { bytes: item.body.len() });
            }
            Ok(sent.next().unwrap_or(Err(Fault::Nacked.into()))?)
        };
        batch.iter().map(result).collect()
    }

    async fn receive(&self, queue: &str, take: Take) -> Result<Vec<Delivery>, Error> {
        receive::receive(&self.shared, queue, take).await
    }

    async fn let_go(&self, queue: &str) {
        receive::let_go(&self.shared, queue).await;
    }

    async fn settle(&self, queue: &str, batch: Vec<(Lease, Settle)>) -> Vec<Result<(), SettleError>> {
        settle::settle(&self.shared, queue, batch).await
    }

    async fn extend(&self, queue: &str, leases: &[Lease], lease: Duration) -> Vec<Result<(), SettleError>> {
        settle::extend(&self.shared, queue, leases, lease).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        depth::depth(&self.shared, queue).await
    }

    async fn queues(&self) -> Result<Vec<String>, Error> {
        Ok(self.shared.queues().await?)
    }

    async fn parked(&self, queue: &str, limit: usize) -> Result<Vec<Parked>, Error> {
        parking::parked(&self.shared, queue, limit).await
    }

    async fn replay(&self, queue: &str, id: &str) -> Result<bool, Error> {
        parking::settle(&self.shared, queue, id, Found::Replay).await
    }

    async fn discard(&self, queue: &str, id: &str) -> Result<bool, Error> {
        parking::settle(&self.shared, queue, id, Found::Discard).await
    }

    fn unseen_for(&self) -> Duration {
        HELD_UNSEEN
    }

    /// Whether anybody is bound to an exchange is the broker's secret.
    fn has_listeners(&self) -> bool {
        true
    }

    async fn announce(&self, news: &[News]) -> Vec<Result<(), SendError>> {
        let announced = match self.shared.sending.session().await {
            Ok(session) => news::announce(&session, news).await,
            Err(fault) => news.iter().map(|_| Err(fault.clone())).collect(),
        };
        announced.into_iter().map(|told| told.map_err(|fault| SendError::Failed(fault.into()))).collect()
    }
}
