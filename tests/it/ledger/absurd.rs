//! A price that nobody can pay is the business of who pays it: what others send in the same batch goes through.

use std::sync::Arc;

use chrono::Utc;
use domain::{AccountId, Micros};
use store::accept::{Acceptance, NewMessage, Single, Verdict, accept_batch, accept_gathered};

use crate::world::{CLIENT_SUBMIT, World, account, fund, price};

/// A message of `account`, whose seller wants `micros` for a segment.
fn priced(world: &World, account: AccountId, segments: u8, micros: i64) -> NewMessage {
    let mut message = world.message("43405", segments, Utc::now());
    let mut chain = message.chain.as_ref().clone();
    chain.links[0].account = account;
    chain.links[0].price = Micros::new(micros);
    message.account_id = account;
    message.chain = Arc::new(chain);
    message
}

#[tokio::test]
async fn what_overflows_in_a_batch_is_settled_alone() {
    let world = World::with_balance(1_000_000_000_000).await;
    let victim = account(world.pool(), Some(&[world.house, world.reseller]), "client").await;
    fund(&world.db, victim, 1_000_000_000_000, "victim").await;
    price(world.pool(), world.reseller, victim, &[]).await;
    // Each absurd price beside the messages of somebody else: more than can be multiplied, more than can be added up, and
    // more than any wallet counts.
    let rows: [&[(u8, i64)]; 4] = [
        &[(3, i64::MAX / 2)],
        &[(1, i64::MAX / 2 + 1), (1, i64::MAX / 2 + 1)],
        &[(1, i64::MAX)],
        &[(1, 0), (2, i64::MAX / 2)],
    ];
    for absurd in rows {
        let mut messages = vec![priced(&world, victim, 1, CLIENT_SUBMIT)];
        messages.extend(absurd.iter().map(|(segments, micros)| priced(&world, world.client, *segments, *micros)));
        messages.push(priced(&world, victim, 2, CLIENT_SUBMIT));
        let singles: Vec<Single> =
            messages.iter().map(|message| Single { message: message.clone(), idempotency: None }).collect();
        let mut expected = vec![Acceptance::Stored];
        expected.extend(absurd.iter().map(|(_, micros)| match micros {
            0 => Acceptance::Stored,
            _ => Acceptance::NoCredit,
        }));
        expected.push(Acceptance::Stored);
        assert_eq!(accept_gathered(&world.db, &singles).await.unwrap(), expected, "{absurd:?}");
        // The same where one account sends a batch.
        let own: Vec<NewMessage> =
            absurd.iter().map(|(segments, micros)| priced(&world, world.client, *segments, *micros)).collect();
        let all = [vec![priced(&world, world.client, 1, CLIENT_SUBMIT)], own].concat();
        let told = accept_batch(&world.db, world.client, &all, None, &|_| (202, Vec::new())).await.unwrap();
        let verdict = |micros: i64| if micros == 0 { Verdict::Stored } else { Verdict::NoCredit };
        let expected = [vec![Verdict::Stored], absurd.iter().map(|(_, micros)| verdict(*micros)).collect()].concat();
        assert_eq!(told, store::accept::BatchAcceptance::Stored(expected), "{absurd:?}");
    }
    world.assert_books_are_right().await;
}
