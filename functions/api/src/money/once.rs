//! An act that an `Idempotency-Key` makes repeatable: the key is remembered in the transaction of the act.

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
    /// Reads the key, and answers what was answered before, where it was used.
    pub(crate) async fn begin(
        api: &Api,
        caller: &Caller,
        (headers, uri): (&HeaderMap, &Uri),
        raw: &Raw,
    ) -> Result<Begun, Problem> {
        let key = idempotency::read(headers, uri.path(), &raw.0)?;
        if let Some(key) = &key
            && let Some(record) = keys::find(&api.db, caller.account, &key.key).await?
        {
            return Ok(Begun::Answered(Box::new(idempotency::replay(record, &key.fingerprint)?)));
        }
        Ok(Begun::New(Self { key }))
    }

    /// Remembers the key with its answer, records `change`, commits and answers 201 with `body`. When the same key was
    /// used meanwhile, nothing of this act remains.
    pub(crate) async fn finish(
        self,
        (api, caller): (&Api, &Caller),
        mut tx: Tx,
        change: Change,
        body: &impl Serialize,
    ) -> Result<Response, Problem> {
        let body = serde_json::to_vec(body).map_err(Problem::internal)?;
        if let Some(key) = self.key {
            let fingerprint = key.fingerprint;
            let record = key.record(StatusCode::CREATED, body.clone());
            if !keys::remember(&mut tx, caller.account, &record).await? {
                tx.rollback().await?;
                let found = keys::find(&api.db, caller.account, &record.key).await?;
                return idempotency::replay(found.ok_or_else(Problem::not_found)?, &fingerprint);
            }
        }
        api.commit(tx, caller, change).await?;
        Ok(idempotency::json(StatusCode::CREATED, body))
    }
}
