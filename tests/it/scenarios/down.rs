//! The cheapest route is down.

use contract::{BindState, BindStatus, BindType, OperatorStatus};

use super::{BEELINE, Play, UCELL, split};

impl Play {
    /// An edge says whether it has a session with each operator.
    async fn bound(&self, up: [bool; 2]) {
        let now = chrono::Utc::now();
        let status = |(operator, is_up): (usize, bool)| OperatorStatus {
            operator_id: self.world.operators[operator],
            binds: vec![BindStatus {
                bind: 0,
                bind_type: BindType::Transceiver,
                state: if is_up { BindState::Bound } else { BindState::BackingOff },
                since: now,
                in_flight: 0,
                window: 10,
                submits: 0,
                submits_per_second: 0,
                last_error: None,
            }],
        };
        let statuses: Vec<OperatorStatus> = up.into_iter().enumerate().map(status).collect();
        let mut tx = self.world.db.begin().await.unwrap();
        store::operators::report_binds(&mut tx, "e1", &statuses, now).await.unwrap();
        tx.commit().await.unwrap();
        self.world.catalogue.refresh().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cheapest_route_is_down_and_the_next_takes_over_until_it_is_back() {
    let play = Play::new().await;
    for (up, expected) in [
        ([true, true], [0, 4]),
        ([true, false], [4, 0]),
        ([false, false], [0, 4]),
        ([false, true], [0, 4]),
        ([true, false], [4, 0]),
        ([true, true], [0, 4]),
    ] {
        play.bound(up).await;
        let given = play.send(4).await;
        assert_eq!(split(&given), expected, "Ucell up: {}, Beeline up: {}", up[UCELL], up[BEELINE]);
        play.answer(&given, true).await;
    }
    play.world.assert_books_are_right().await;
}
