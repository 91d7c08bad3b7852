//! The deepest tree of accounts: each level pays its own price to the one above it, and nobody goes one level further.

use contract::ReceiptState::Delivered;
use domain::catalogue::DEPTH_MAX;
use domain::{AccountId, Micros};
use serde_json::{Value, json};

use super::{ON_SUBMIT, carry};
use crate::api::rig::{ALL, RICH, Rig, send};
use crate::world::RESELLER;

/// What each level has, in micros.
const FUNDED: i64 = 10_000_000_000;
/// What each level adds to the price of the one above it, in micros.
const ADDED: i64 = 1_000_000;

/// An account, its key, and what it pays for a segment in micros.
struct Level {
    id: AccountId,
    key: String,
    price: i64,
}

/// A reseller right below the account of a key, with money of its own.
async fn below(rig: &Rig, seller: &str, price: i64) -> Level {
    let plan = rig.post(seller, "/v1/tariff-plans", &json!({"name": "below"})).await.expect(201).text("id");
    let tariff = json!({"plan_id": plan, "price": Micros::new(price).to_string()});
    rig.post(seller, "/v1/tariffs", &tariff).await.expect(201);
    let new = json!({"name": "Level", "role": "reseller", "plan_id": plan});
    let id = rig.post(seller, "/v1/accounts", &new).await.expect(201).text("id");
    let money = json!({"amount": Micros::new(FUNDED).to_string(), "reason": "x"});
    rig.post(&rig.house, &format!("/v1/accounts/{id}/credit"), &money).await.expect(201);
    let id = id.parse().unwrap();
    Level { id, key: rig.key(id, &ALL).await, price }
}

/// The levels below the rig's reseller, as deep as a tree gets: with it and the house one fewer than `DEPTH_MAX`.
async fn deepest(rig: &Rig) -> Vec<Level> {
    let mut levels: Vec<Level> = Vec::new();
    let mut price = RESELLER;
    while levels.len() + 2 < DEPTH_MAX - 1 {
        price += ADDED;
        let seller = levels.last().map_or(&rig.reseller, |level| &level.key);
        let level = below(rig, seller, price).await;
        levels.push(level);
    }
    levels
}

#[tokio::test(flavor = "multi_thread")]
async fn each_level_of_the_deepest_tree_pays_its_own_price_and_there_is_no_deeper_one() {
    let rig = Rig::new().await;
    let levels = deepest(&rig).await;
    let bottom = levels.last().unwrap();
    let anybody = json!({"any_sender": true});
    rig.call("PATCH", &format!("/v1/accounts/{}", bottom.id), Some(&rig.house), Some(&anybody)).await.expect(200);
    let sent = rig.post(&bottom.key, "/v1/messages", &send(&json!({"to": ON_SUBMIT}))).await.expect(201).text("id");
    for level in &levels {
        assert_eq!(rig.world.wallet(level.id).await, (FUNDED, level.price), "held at every level");
    }
    carry(&rig.world, Delivered).await;
    for level in &levels {
        assert_eq!(rig.world.wallet(level.id).await, (FUNDED - level.price, 0), "charged at every level");
    }
    assert_eq!(rig.world.wallet(rig.world.reseller).await, (RICH - RESELLER, 0));
    assert_eq!(rig.world.wallet(rig.world.house).await, (RICH, 0));
    let story = rig.get(&rig.house, &format!("/v1/messages/{sent}/explanation")).await.expect(200).json();
    assert_eq!(story["state"], "delivered");
    let told: Vec<&Value> = story["payers"].as_array().unwrap().iter().map(|payer| &payer["price"]).collect();
    let prices = levels.iter().rev().map(|level| level.price).chain([RESELLER]);
    assert_eq!(json!(told), prices.map(|price| json!(Micros::new(price).to_string())).collect::<Value>());
    rig.world.assert_books_are_right().await;
    // Neither the deepest account nor the house makes one below it.
    for (token, parent) in [(&bottom.key, Value::Null), (&rig.house, json!(bottom.id))] {
        let new = json!({"name": "Too deep", "role": "client", "parent_id": parent});
        let refused = rig.post(token, "/v1/accounts", &new).await.expect(400).json();
        assert_eq!(
            (&refused["code"], &refused["errors"][0]["pointer"]),
            (&json!("invalid_request"), &json!("/parent_id"))
        );
    }
}
