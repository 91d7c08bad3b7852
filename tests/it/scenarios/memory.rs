//! An operator that did badly is remembered: it regains traffic little by little, and only while it does well.

use chrono::TimeDelta;
use contract::ReceiptState;

use super::{BEELINE, Given, Play, UCELL, honest, split};

impl Play {
    /// What a score rests on, and how many of a thousand messages no longer go by an old one.
    async fn basis(&self, operator: usize) -> Option<(String, i16)> {
        sqlx::query_as(
            "SELECT basis, regained_permille FROM operator_standings WHERE operator_id = $1 AND mcc_mnc = '43405'",
        )
        .bind(self.world.operators[operator].uuid())
        .fetch_optional(self.world.pool())
        .await
        .unwrap()
    }

    /// After so long messages go out; Ucell delivers as ever, and Beeline as said. Answers how many of them each gets.
    async fn round(
        &self,
        seconds: u64,
        count: usize,
        beeline: impl Fn(usize) -> (ReceiptState, TimeDelta),
    ) -> [usize; 2] {
        self.later(seconds);
        self.judge().await;
        let given = self.send(count).await;
        self.answer(&given, true).await;
        let (ours, theirs): (Vec<Given>, Vec<Given>) = given.iter().cloned().partition(|one| one.operator == UCELL);
        self.receipt(&ours, honest).await;
        self.receipt(&theirs, beeline).await;
        self.judge().await;
        split(&given)
    }
}

/// Three of ten arrive.
fn bad(number: usize) -> (ReceiptState, TimeDelta) {
    let state = if number % 10 < 3 { ReceiptState::Delivered } else { ReceiptState::Undeliverable };
    (state, honest(number).1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_operator_stays_known_as_such_and_regains_traffic_gradually() {
    let play = Play::new().await;
    sqlx::query(
        "INSERT INTO routing_rules (rule_id, version, name, position, body, made_by, effective_from)
         VALUES (gen_random_uuid(), 1, 'Quality', 1, '{\"then\": {\"strategy\": \"quality\"}}', 'test', '2020-01-01')",
    )
    .execute(play.world.pool())
    .await
    .unwrap();
    play.world.catalogue.refresh().await.unwrap();
    play.carry(UCELL, 100, honest).await;
    play.carry(BEELINE, 100, bad).await;
    play.judge().await;
    assert_eq!(split(&play.send(50).await), [50, 0], "the cheaper one delivers too little");
    // A quarter of an hour and more without any message, and nothing is forgotten.
    assert_eq!(play.round(20 * 60, 50, honest).await, [50, 0]);
    assert_eq!(play.standing(BEELINE).await, Some((1000, 300, 1000, 1000)));
    assert_eq!(play.basis(BEELINE).await, Some(("kept".to_owned(), 0)));
    // Of 400 messages an hour later about 50 see whether it is better.
    let [_, trial] = play.round(3_600, 400, honest).await;
    assert!((20..=90).contains(&trial), "{trial} of 400");
    assert_eq!(play.basis(BEELINE).await.unwrap().0, "regaining");
    // It is: its share grows from look to look, and does not leap.
    let mut shares = Vec::new();
    for _ in 0..5 {
        shares.push(play.round(300, 400, honest).await[1]);
    }
    assert!((60..=160).contains(&shares[0]) && (180..=300).contains(&shares[4]), "{shares:?}");
    // And everything is gone at once when it is not.
    let [_, last] = play.round(300, 400, |number| (ReceiptState::Undeliverable, honest(number).1)).await;
    assert!(last > 180, "{last}");
    assert_eq!(split(&play.send(50).await), [50, 0]);
    play.world.assert_books_are_right().await;
}
