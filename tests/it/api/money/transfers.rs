//! Credit between an account and the one above it.

use serde_json::json;

use crate::api::rig::Rig;

#[tokio::test(flavor = "multi_thread")]
async fn a_top_up_is_made_once_for_its_key_and_by_who_is_right_above() {
    let rig = Rig::with_balance(100_000_000).await;
    let (client, reseller) = (rig.world.client, rig.world.reseller);
    let body = json!({"amount": "7", "reason": "invoice 17"});
    for (token, account) in [(&rig.house, reseller), (&rig.reseller, client)] {
        let (path, before) = (format!("/v1/accounts/{account}/credit"), rig.world.wallet(account).await.0);
        let first = rig.post_once(token, &path, "top-up", &body).await.expect(201).json();
        let again = rig.post_once(token, &path, "top-up", &body).await.expect(201).json();
        assert_eq!((&first, rig.world.wallet(account).await.0), (&again, before + 7_000_000));
    }
    // Who is further below is paid by the one between.
    let new = json!({"name": "Sub", "role": "reseller"});
    let sub = rig.post(&rig.reseller, "/v1/accounts", &new).await.expect(201).text("id");
    let token = rig.key(sub.parse().unwrap(), &crate::api::rig::ALL).await;
    let new = json!({"name": "Shop", "role": "client"});
    let below = rig.post(&token, "/v1/accounts", &new).await.expect(201).text("id");
    let refused = rig.post(&rig.reseller, &format!("/v1/accounts/{below}/credit"), &body).await.refusal();
    assert_eq!(refused, (403, "forbidden".to_owned()));
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_moves_between_neighbours_in_both_directions_and_nowhere_else() {
    let rig = Rig::with_balance(100_000_000).await;
    let (house, reseller, client) = (rig.world.house, rig.world.reseller, rig.world.client);
    let rows = [
        // Who, at which account, where to, how much, status and code.
        (&rig.reseller, client, "down", "30", 201, ""),
        (&rig.reseller, client, "up", "5.000001", 201, ""),
        (&rig.house, reseller, "down", "10", 201, ""),
        (&rig.house, reseller, "up", "1", 201, ""),
        // Further up than the one above: between the two all the same.
        (&rig.house, client, "up", "2", 201, ""),
        // The account itself gives back, and takes nothing.
        (&rig.client, client, "up", "3", 201, ""),
        (&rig.client, client, "down", "1", 403, "forbidden"),
        (&rig.reseller, reseller, "down", "1", 403, "forbidden"),
        (&rig.client, reseller, "up", "1", 404, "not_found"),
        (&rig.house, house, "up", "1", 409, "conflict"),
        (&rig.reseller, client, "down", "1000", 402, "insufficient_credit"),
        (&rig.reseller, client, "up", "1000", 402, "insufficient_credit"),
        (&rig.reseller, client, "sideways", "1", 400, "invalid_request"),
        (&rig.reseller, client, "down", "0", 400, "invalid_request"),
        (&rig.reseller, client, "down", "-1", 400, "invalid_request"),
        (&rig.reseller, client, "down", "1000000000.01", 400, "invalid_request"),
    ];
    for (token, account, direction, amount, status, code) in rows {
        let body = json!({"direction": direction, "amount": amount, "reason": "test"});
        let answer = rig.post(token, &format!("/v1/accounts/{account}/transfers"), &body).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{account} {direction} {amount}: {}", answer.json());
    }
    assert_eq!(rig.world.wallet(client).await.0, 100_000_000 + 30_000_000 - 5_000_001 - 5_000_000);
    assert_eq!(rig.world.wallet(house).await.0, 91_000_000);
    let total = rig.world.count("SELECT sum(posted_micros)::bigint FROM account_balances").await;
    assert_eq!(total, 300_000_000, "nothing was made and nothing lost");
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_moves_money_once_and_gets_the_same_answer() {
    let rig = Rig::with_balance(100_000_000).await;
    let client = rig.world.client;
    let path = format!("/v1/accounts/{client}/transfers");
    let body = json!({"direction": "down", "amount": "7", "reason": "credit"});
    let (one, two, three) = tokio::join!(
        rig.post_once(&rig.reseller, &path, "k1", &body),
        rig.post_once(&rig.reseller, &path, "k1", &body),
        rig.post_once(&rig.reseller, &path, "k1", &body),
    );
    let answers = [one.expect(201), two.expect(201), three.expect(201)];
    assert!(answers.iter().all(|answer| answer.bytes == answers[0].bytes));
    let replayed = answers.iter().filter(|answer| answer.headers.contains_key("idempotency-replayed")).count();
    assert_eq!(replayed, 2);
    let other = json!({"direction": "down", "amount": "8", "reason": "credit"});
    let reused = rig.post_once(&rig.reseller, &path, "k1", &other).await;
    assert_eq!(reused.refusal(), (422, "idempotency_key_reused".to_owned()));
    assert_eq!(rig.world.wallet(client).await.0, 107_000_000);
    // Both sides name the entry; each sees what is its own.
    let moved = answers[0].json();
    assert_eq!(moved["transactions"].as_array().unwrap().len(), 2);
    let seen = rig.get(&rig.client, "/v1/transactions?kind=transfer").await.expect(200).json();
    let [side] = seen["data"].as_array().unwrap().as_slice() else { panic!("{seen}") };
    assert_eq!((&side["entry_id"], &side["amount"]), (&moved["entry_id"], &json!("7.00")));
    let audit = rig.get(&rig.reseller, &format!("/v1/audit-logs?account_id={client}")).await.expect(200).json();
    assert_eq!(audit["data"][0]["action"], "account.transfer");
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prepaid_and_postpaid_are_said_and_a_postpaid_giver_reaches_into_its_limit() {
    let rig = Rig::with_balance(1_000_000).await;
    let (reseller, client) = (rig.world.reseller, rig.world.client);
    assert_eq!(rig.get(&rig.reseller, "/v1/balance").await.expect(200).text("kind"), "prepaid");
    let limit = json!({"credit_limit": "5"});
    rig.call("PATCH", &format!("/v1/accounts/{reseller}"), Some(&rig.house), Some(&limit)).await.expect(200);
    assert_eq!(rig.get(&rig.reseller, "/v1/balance").await.expect(200).text("kind"), "postpaid");
    let give = async |amount: &str| {
        let body = json!({"direction": "down", "amount": amount, "reason": "x"});
        rig.post(&rig.reseller, &format!("/v1/accounts/{client}/transfers"), &body).await.refusal()
    };
    assert_eq!(give("6.000001").await.0, 402);
    assert_eq!(give("6").await.0, 201);
    assert_eq!(rig.world.wallet(reseller).await.0, -5_000_000);
    rig.world.assert_books_are_right().await;
}
