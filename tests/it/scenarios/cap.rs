//! An operator is given as much as it may be on one day.

use super::{BEELINE, Play, split};

impl Play {
    async fn cap(&self, segments: i64) {
        sqlx::query("UPDATE operators SET daily_cap = $2 WHERE id = $1")
            .bind(self.world.operators[BEELINE].uuid())
            .bind(segments)
            .execute(self.world.pool())
            .await
            .unwrap();
        self.world.catalogue.refresh().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daily_cap_moves_traffic_until_midnight_utc() {
    let play = Play::new().await;
    // Noon, so that the day does not end in the midst of it.
    let noon = play.clock_at_noon();
    assert_eq!(split(&play.send(3).await), [0, 3], "what was routed before the cap does not count");
    play.cap(10).await;
    assert_eq!(split(&play.send(9).await), [0, 9]);
    play.world.catalogue.refresh().await.unwrap();
    assert_eq!(split(&play.send(1).await), [0, 1], "one is left");
    play.world.catalogue.refresh().await.unwrap();
    let given = play.send(4).await;
    assert_eq!(split(&given), [4, 0], "the cap is reached");
    assert_eq!(play.ranked(given[0].routed.message_id).await, ["Ucell", "Beeline: daily_cap"]);
    let counted = "SELECT segments FROM operator_days";
    assert_eq!(play.world.count(counted).await, 10, "an envelope that comes twice counts once");

    play.clock.set(noon + chrono::TimeDelta::hours(11));
    assert_eq!(split(&play.send(1).await), [1, 0]);
    play.clock.set(noon + chrono::TimeDelta::hours(12));
    assert_eq!(split(&play.send(1).await), [0, 1], "a new day");
    play.cap(1_000_000).await;
    play.clock.set(noon);
    assert_eq!(split(&play.send(1).await), [0, 1], "a larger cap holds at once");
    play.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_refused_is_given_back_to_its_cap() {
    let play = Play::new().await;
    let noon = play.clock_at_noon();
    play.cap(3).await;
    let used = async || play.world.count("SELECT segments FROM operator_days ORDER BY day LIMIT 1").await;
    let given = play.send(3).await;
    play.world.catalogue.refresh().await.unwrap();
    assert_eq!((split(&given), used().await), ([0, 3], 3));
    assert_eq!(split(&play.send(1).await), [1, 0], "the cap is reached");
    play.answer(&given[..2], false).await;
    assert_eq!((split(&play.taken().await), used().await), ([2, 0], 1), "two went on to the other one");
    play.answer(&given[2..], true).await;
    play.world.catalogue.refresh().await.unwrap();
    assert_eq!(split(&play.send(2).await), [0, 2], "there is room again");
    assert_eq!(used().await, 3);

    // It counts for the day when it was given, whenever it goes on.
    play.cap(4).await;
    let late = play.send(1).await;
    assert_eq!((split(&late), used().await), ([0, 1], 4));
    play.clock.set(noon + chrono::TimeDelta::hours(13));
    play.answer(&late, false).await;
    assert_eq!((split(&play.taken().await), used().await), ([1, 0], 3));
    play.world.assert_books_are_right().await;
}

impl Play {
    fn clock_at_noon(&self) -> chrono::DateTime<chrono::Utc> {
        let noon = chrono::Utc::now().date_naive().and_hms_opt(12, 0, 0).unwrap().and_utc();
        self.clock.set(noon);
        noon
    }
}
