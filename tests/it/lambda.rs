//! The real programs as AWS Lambda runs them: an emulator of the Runtime API hands them events as AWS records them,
//! over a real database.

mod api;
pub(crate) mod emulator;
mod events;
mod pipeline;
mod pooler;
mod queues;
mod secrets;
mod timers;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::world::World;
use emulator::Function;

/// How long a test waits for what must happen.
const LIMIT: Duration = Duration::from_mins(1);

/// The platform's secret of these tests.
const SECRET: [u8; 32] = [7; 32];

/// A million of the major unit.
const RICH: i64 = 1_000_000_000_000;

/// An event as AWS recorded it, from `tests/fixtures/lambda`.
fn recorded(name: &str) -> Value {
    let path = format!("{}/fixtures/lambda/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The settings of a function over `world`, whose queues are in its database.
fn settings(world: &World) -> Vec<(String, String)> {
    settings_of(&world.url())
}

fn settings_of(database_url: &str) -> Vec<(String, String)> {
    let pairs = [
        ("DATABASE_URL", database_url.to_owned()),
        ("CHAPPE_SECRET_KEY", STANDARD.encode(SECRET)),
        ("CHAPPE_WEBHOOKS", "anywhere".to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A function over `world`.
async fn function(name: &str, world: &World) -> Function {
    Function::start(name, &settings(world)).await
}

/// The key of an account, and the approval of the sender that the recorded requests name.
async fn customer(world: &World) -> String {
    let keys = ::host::secrets::Keys::new(&SECRET).unwrap();
    let minted = ::api::mint_key(&keys).unwrap();
    let key = store::keys::NewKey {
        id: minted.id,
        account: world.client,
        name: "test".to_owned(),
        secret_hash: minted.hash,
        scopes: vec!["messages:write".to_owned(), "messages:read".to_owned()],
        expires_at: None,
    };
    let mut tx = world.db.begin().await.unwrap();
    assert!(store::keys::create(&mut tx, world.client, &key).await.unwrap());
    tx.commit().await.unwrap();
    sqlx::query("INSERT INTO sender_ids (id, account_id, sender, status) VALUES ($1, $2, 'TestCompany', 'approved')")
        .bind(uuid::Uuid::now_v7())
        .bind(world.client.uuid())
        .execute(world.pool())
        .await
        .unwrap();
    minted.secret
}
