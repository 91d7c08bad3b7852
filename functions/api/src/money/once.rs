//! An act that an `Idempotency-Key` makes repeatable: the key is taken first in the transaction of the act, so that a repeat
//! that comes while it is under way waits for it, and is answered what it was answered.

use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri};
use serde::Serialize;
use store::idempotency as keys;
use store::tx::Tx;

use crate::Api;
use crate::auth::Caller;
use crate::body::Raw;
use crate::change::Change;
use crate::messages::idempotency::{self, Key};
use crate::problem::Problem;

/// An act that was not done before, as far as its key tells.
#[derive(Debug)]
pub(crate) struct Once {
    /// The transaction of the act.
    pub(crate) tx: Tx,
    key: Option<Key>,
}

/// How an act begins.
pub(crate) enum Begun {
    /// It is to be done.
    New(Once),
    /// It was done; this was answered.
    Answered(Box<Response>),
}

impl Once {
    /// Begins the transaction and takes the key in it; answers what was answered before, where it was used.
    pub(crate) async fn begin(
        api: &Api,
        caller: &Caller,
        (headers, uri): (&HeaderMap, &Uri),
        raw: &Raw,
    ) -> Result<Begun, Problem> {
        let key = idempotency::read(headers, uri.path(), &raw.0)?;
        let mut tx = api.db.begin().await?;
        if let Some(key) = &key
            && let Some(record) = keys::take(&mut tx, caller.account, (&key.key, &key.fingerprint)).await?
        {
            return Ok(Begun::Answered(Box::new(idempotency::replay(record, &key.fingerprint)?)));
        }
        Ok(Begun::New(Self { tx, key }))
    }

    /// Remembers the answer with the key, records `change`, commits and answers 201 with `body`.
    pub(crate) async fn finish(
        mut self,
        (api, caller): (&Api, &Caller),
        change: Change,
        body: &impl Serialize,
    ) -> Result<Response, Problem> {
        let body = serde_json::to_vec(body).map_err(Problem::internal)?;
        if let Some(key) = self.key {
            let record = key.record(StatusCode::CREATED, body.clone());
            keys::answer(&mut self.tx, caller.account, &record).await?;
        }
        api.commit(self.tx, caller, change).await?;
        Ok(idempotency::json(StatusCode::CREATED, body))
    }
}
