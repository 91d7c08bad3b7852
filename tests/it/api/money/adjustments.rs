//! Adjustments: small ones by one person, large ones by two.

use serde_json::{Value, json};

use crate::api::rig::Rig;

impl Rig {
    async fn adjust(&self, token: &str, amount: &str) -> crate::api::rig::Answer {
        let body = json!({"account_id": self.world.client, "amount": amount, "reason": "goodwill"});
        self.post(token, "/v1/adjustments", &body).await
    }

    /// Raises the limit of one person, by two.
    async fn limit(&self, asks: &str, approves: &str, amount: &str) {
        let (path, body) = ("/v1/adjustment-limits/UZS", json!({"amount": amount}));
        self.call("PUT", path, Some(asks), Some(&body)).await.expect(200);
        self.post(approves, &format!("{path}/approve"), &body).await.expect(200);
    }

    /// The token of a log-in that the person behind `token` makes.
    async fn made_by(&self, token: &str, email: &str) -> String {
        let new = json!({"email": email, "password": "password123"});
        self.post(token, "/v1/users", &new).await.expect(201);
        self.call("POST", "/v1/auth/login", None, Some(&new)).await.expect(200).text("access_token")
    }

    /// Every log-in that there is, is more than a day old.
    async fn a_day_goes_by(&self) {
        let passed = "UPDATE account_credentials SET created_at = created_at - interval '25 hours'";
        sqlx::query(passed).execute(self.world.pool()).await.unwrap();
    }

    async fn decide(&self, token: &str, id: &Value, verb: &str) -> crate::api::rig::Answer {
        let path = format!("/v1/adjustments/{}/{verb}", id.as_str().unwrap());
        self.post(token, &path, &json!({"reason": "agreed"})).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_limit_another_person_approves_and_never_the_same() {
    let rig = Rig::with_balance(100_000_000).await;
    let client = rig.world.client;
    let (ann, bob) =
        (rig.person(rig.world.house, "ann@h.example").await, rig.person(rig.world.house, "bob@h.example").await);
    // Without a limit everything needs two.
    assert_eq!(rig.adjust(&rig.house, "0.000001").await.refusal(), (403, "forbidden".to_owned()), "a key has no name");
    let limit = json!({"amount": "10"});
    let path = "/v1/adjustment-limits/UZS";
    assert_eq!(
        rig.call("PUT", path, Some(&rig.house), Some(&limit)).await.refusal().0,
        403,
        "nor sets a key the limit"
    );
    rig.limit(&ann, &bob, "10").await;
    let small = rig.adjust(&rig.house, "10").await.expect(201).json();
    assert_eq!((&small["status"], &small["decided_by"]), (&json!("done"), &Value::Null));
    assert_eq!(rig.world.wallet(client).await.0, 110_000_000);

    // All of a day together, in whatever direction.
    for amount in ["0.000001", "-0.000001"] {
        let more = rig.adjust(&ann, amount).await.expect(201).json();
        assert_eq!(more["status"], "pending", "{amount}");
        rig.decide(&ann, &more["id"], "reject").await.expect(200);
    }
    let large = rig.adjust(&ann, "-10.000001").await.expect(201).json();
    assert_eq!((&large["status"], &large["entry_id"]), (&json!("pending"), &Value::Null));
    assert_eq!(rig.world.wallet(client).await.0, 110_000_000, "nothing moved yet");
    let pending = rig.get(&bob, "/v1/adjustments?status=pending").await.expect(200).json();
    assert_eq!(pending["data"][0]["id"], large["id"]);
    for (token, status) in [(&ann, 403), (&rig.house, 403), (&rig.reseller, 403), (&bob, 200), (&bob, 409), (&ann, 409)]
    {
        assert_eq!(rig.decide(token, &large["id"], "approve").await.status.as_u16(), status);
    }
    assert_eq!(rig.world.wallet(client).await.0, 99_999_999);
    let seen = rig.get(&rig.client, "/v1/transactions?kind=adjustment").await.expect(200).json();
    let amounts: Vec<&Value> = seen["data"].as_array().unwrap().iter().map(|row| &row["amount"]).collect();
    assert_eq!(amounts, [&json!("-10.000001"), &json!("10.00")]);

    let unwanted = rig.adjust(&ann, "1000").await.expect(201).json();
    let rejected = rig.decide(&ann, &unwanted["id"], "reject").await.expect(200).json();
    assert_eq!((&rejected["status"], &rejected["decision"]), (&json!("rejected"), &json!("agreed")));
    assert_eq!(rig.decide(&bob, &unwanted["id"], "approve").await.refusal(), (409, "conflict".to_owned()));
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_is_not_adjusted_below_its_limit_and_what_is_wrong_is_named() {
    let rig = Rig::with_balance(100_000_000).await;
    let (ann, bob) =
        (rig.person(rig.world.house, "ann@h.example").await, rig.person(rig.world.house, "bob@h.example").await);
    let much = rig.adjust(&ann, "-100.000001").await.expect(201).json();
    assert_eq!(rig.decide(&bob, &much["id"], "approve").await.refusal(), (402, "insufficient_credit".to_owned()));
    let body = json!({"account_id": "acc_x", "amount": "0", "reason": " "});
    let refused = rig.post(&ann, "/v1/adjustments", &body).await.expect(400).json();
    let told: Vec<&str> =
        refused["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(told, ["/account_id", "/amount", "/reason"]);
    let still = rig.get(&ann, "/v1/adjustments?status=pending").await.expect(200).json();
    assert_eq!(still["data"].as_array().unwrap().len(), 1, "it still waits");
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_approve_at_once_one_moves_the_money() {
    let rig = Rig::with_balance(100_000_000).await;
    let ann = rig.person(rig.world.house, "ann@h.example").await;
    let bob = rig.person(rig.world.house, "bob@h.example").await;
    let asked = rig.adjust(&ann, "50").await.expect(201).json();
    let all = futures_util::future::join_all((0..8).map(|_| rig.decide(&bob, &asked["id"], "approve"))).await;
    let good = all.iter().filter(|answer| answer.status.as_u16() == 200).count();
    assert_eq!(good, 1);
    assert_eq!(rig.world.wallet(rig.world.client).await.0, 150_000_000);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_lowers_the_limit_and_two_raise_it() {
    let rig = Rig::with_balance(100_000_000).await;
    let (ann, bob) =
        (rig.person(rig.world.house, "ann@h.example").await, rig.person(rig.world.house, "bob@h.example").await);
    let path = "/v1/adjustment-limits/UZS";
    let approve = format!("{path}/approve");
    // Who, whether they ask or approve, how much, what is answered; and the limit and what waits then.
    let rows = [
        (&ann, "PUT", "50", 200, "0.00", Some("50.00")),
        (&ann, "POST", "50", 403, "0.00", Some("50.00")),
        (&rig.house, "POST", "50", 403, "0.00", Some("50.00")),
        (&bob, "POST", "60", 409, "0.00", Some("50.00")),
        (&bob, "POST", "50", 200, "50.00", None),
        (&bob, "POST", "50", 404, "50.00", None),
        (&ann, "PUT", "100", 200, "50.00", Some("100.00")),
        // Another word takes the place of the one before, and whose it is.
        (&bob, "PUT", "90", 200, "50.00", Some("90.00")),
        (&bob, "POST", "90", 403, "50.00", Some("90.00")),
        (&ann, "POST", "100", 409, "50.00", Some("90.00")),
        (&ann, "PUT", "50", 200, "50.00", None),
        (&ann, "PUT", "20", 200, "20.00", None),
        (&ann, "PUT", "0", 200, "0.00", None),
    ];
    for (at, (token, method, amount, status, limit, asked)) in rows.into_iter().enumerate() {
        let path = if method == "PUT" { path } else { &approve };
        rig.call(method, path, Some(token), Some(&json!({"amount": amount}))).await.expect(status);
        let shown = rig.get(&ann, "/v1/adjustment-limits").await.expect(200).json();
        assert_eq!(
            (&shown["data"][0]["amount"], &shown["data"][0]["asked_amount"]),
            (&json!(limit), &json!(asked)),
            "{at}"
        );
    }
    assert_eq!(rig.adjust(&ann, "20").await.expect(201).text("status"), "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_does_not_undo_what_two_decided() {
    let rig = Rig::with_balance(100_000_000).await;
    let (ann, bob) =
        (rig.person(rig.world.house, "ann@h.example").await, rig.person(rig.world.house, "bob@h.example").await);
    rig.limit(&ann, &bob, "10").await;
    let large = rig.adjust(&ann, "50").await.expect(201).json();
    rig.decide(&bob, &large["id"], "approve").await.expect(200);
    let made = rig.get(&rig.client, "/v1/transactions?kind=adjustment").await.expect(200).json();
    let path = format!("/v1/transactions/{}/corrections", made["data"][0]["id"].as_str().unwrap());
    let rows = [
        (&rig.house, None, 403),
        (&ann, Some("10.000001"), 403),
        (&rig.house, Some("7"), 201),
        // All corrections of it together.
        (&rig.house, Some("3.000001"), 403),
        (&rig.house, Some("3"), 201),
        (&rig.house, Some("0.000001"), 403),
    ];
    for (token, amount, status) in rows {
        let body = json!({"reason": "x", "amount": amount});
        assert_eq!(rig.post(token, &path, &body).await.status.as_u16(), status, "{amount:?}");
    }
    assert_eq!(rig.world.wallet(rig.world.client).await.0, 140_000_000);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_log_ins_of_one_person_are_not_two_people() {
    let rig = Rig::with_balance(100_000_000).await;
    let ann = rig.person(rig.world.house, "ann@h.example").await;
    rig.a_day_goes_by().await;
    let second = rig.made_by(&ann, "ann2@h.example").await;
    let third = rig.made_by(&second, "ann3@h.example").await;
    let fourth = rig.made_by(&ann, "ann4@h.example").await;
    let all = [&ann, &second, &third, &fourth];
    let approved = async || {
        let mut pairs = Vec::new();
        for (at, asks) in all.into_iter().enumerate() {
            for (other, approves) in all.into_iter().enumerate() {
                let asked = rig.adjust(asks, "1").await.expect(201).json();
                if rig.decide(approves, &asked["id"], "approve").await.status.as_u16() == 200 {
                    pairs.push((at, other));
                }
            }
        }
        pairs
    };
    assert_eq!(approved().await, [], "who makes a log-in knows its password");
    // Whoever is there for a day was seen by others. What one made oneself approves nothing even then.
    rig.a_day_goes_by().await;
    let pairs = [(0, 2), (1, 0), (1, 3), (2, 0), (2, 1), (2, 3), (3, 0), (3, 1), (3, 2)];
    assert_eq!(approved().await, pairs);
    let listed = rig.get(&ann, "/v1/users").await.expect(200).json();
    let makers = listed["data"].as_array().unwrap().iter().filter(|user| !user["created_by"].is_null()).count();
    assert_eq!(makers, 3);
    rig.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_person_adjusts_at_the_same_time_stays_within_the_limit() {
    let rig = Rig::with_balance(100_000_000).await;
    let (ann, bob) =
        (rig.person(rig.world.house, "ann@h.example").await, rig.person(rig.world.house, "bob@h.example").await);
    rig.limit(&ann, &bob, "10").await;
    let all = futures_util::future::join_all((0..12).map(|_| rig.adjust(&rig.house, "3"))).await;
    let done = all.into_iter().filter(|answer| answer.json()["status"] == "done").count();
    assert_eq!(done, 3);
    assert_eq!(rig.world.wallet(rig.world.client).await.0, 109_000_000);
    // The next day begins with nothing.
    sqlx::query("UPDATE adjustments SET created_at = created_at - interval '25 hours'")
        .execute(rig.world.pool())
        .await
        .unwrap();
    assert_eq!(rig.adjust(&rig.house, "10").await.expect(201).json()["status"], "done");
    rig.world.assert_books_are_right().await;
}
