//! A circuit breaker opens, half-opens, closes, or opens for longer.

use std::sync::Arc;

use contract::queues;
use host::Clock as _;
use route::Route;
use store::holder::Holder;

use super::{BEELINE, Play, UCELL, split};
use crate::ledger::pump;

impl Play {
    /// Twenty messages that Beeline refuses and Ucell takes.
    async fn fail(&self) {
        let given = self.send(20).await;
        assert_eq!(split(&given), [0, 20], "the cheaper one");
        self.answer(&given, false).await;
        let again = self.taken().await;
        assert_eq!(split(&again), [20, 0], "what it refused goes to the next");
        self.answer(&again, true).await;
        self.judge().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_opens_half_opens_and_closes() {
    let play = Play::new().await;
    play.fail().await;
    assert_eq!((play.breaker(BEELINE).await.as_deref(), play.breaker(UCELL).await), (Some("open"), None));
    let given = play.send(7).await;
    assert_eq!(split(&given), [7, 0], "no message goes to an open breaker");
    assert_eq!(play.ranked(given[0].routed.message_id).await, ["Ucell", "Beeline: breaker_open"]);
    play.later(29);
    play.judge().await;
    assert_eq!(play.breaker(BEELINE).await.as_deref(), Some("open"));

    play.later(1);
    play.judge().await;
    assert_eq!(play.breaker(BEELINE).await.as_deref(), Some("half_open"));
    let probes = play.send(12).await;
    assert_eq!(split(&probes), [7, 5], "five probe");
    assert_eq!(split(&play.send(12).await), [12, 0], "and no more in these ten seconds");
    play.judge().await;
    assert_eq!(play.breaker(BEELINE).await.as_deref(), Some("half_open"), "nobody knows yet");
    let probes: Vec<_> = probes.into_iter().filter(|given| given.operator == BEELINE).collect();
    play.answer(&probes, true).await;
    play.judge().await;
    assert_eq!(play.breaker(BEELINE).await.as_deref(), Some("closed"));
    assert_eq!(split(&play.send(12).await), [0, 12], "the cheaper one carries everything again");
    play.judge().await;
    assert_eq!(play.breaker(BEELINE).await.as_deref(), Some("closed"), "what failed before does not count again");
    let turns = "SELECT count(*) FROM audit_logs WHERE action = 'operator_breaker.turn' AND actor = 'system'";
    assert_eq!(play.world.count(turns).await, 3);
    play.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_whose_probes_fail_opens_for_twice_as_long() {
    let play = Play::new().await;
    play.fail().await;
    for (wait, next) in [(30, 60), (60, 120)] {
        play.later(wait);
        play.judge().await;
        assert_eq!(play.breaker(BEELINE).await.as_deref(), Some("half_open"), "after {wait} s");
        let given = play.send(5).await;
        assert_eq!(split(&given), [0, 5]);
        play.answer(&given, false).await;
        let again = play.taken().await;
        assert_eq!(split(&again), [5, 0], "a probe that fails is carried by the next");
        play.answer(&again, true).await;
        play.judge().await;
        assert_eq!(play.breaker(BEELINE).await.as_deref(), Some("open"));
        play.later(next - 1);
        play.judge().await;
        assert_eq!(play.breaker(BEELINE).await.as_deref(), Some("open"), "one second before {next} s");
        // Back to where it opened, so that the next round waits from there.
        play.clock.set(play.clock.now() - chrono::TimeDelta::seconds(i64::try_from(next - 1).unwrap()));
    }
    play.world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_together_send_no_more_probes() {
    let play = Play::new().await;
    play.fail().await;
    play.later(30);
    play.judge().await;
    play.accept(40).await;
    play.accept(40).await;
    play.accept(40).await;
    let process = async || {
        let catalogue = Holder::load(play.world.db.clone()).await.unwrap();
        let route = Route::new(play.world.db.clone(), catalogue, Arc::new(play.clock.clone()));
        pump(&play.world, &route, queues::ROUTE).await
    };
    tokio::join!(process(), process(), process());
    let given = play.taken().await;
    assert_eq!(given.len(), 120);
    assert!((1..=5).contains(&split(&given)[BEELINE]), "{:?}", split(&given));
    play.later(10);
    assert_eq!(split(&play.send(20).await), [15, 5], "five more in the next ten seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_go_to_a_half_open_operator_takes_no_probe() {
    let play = Play::new().await;
    play.fail().await;
    play.later(30);
    play.judge().await;
    // Many messages of an account that a rule keeps from Beeline, before a few that may go there.
    let rule = serde_json::json!({"when": {"accounts": [play.world.client]}, "then": {"except": [play.world.operators[BEELINE]]}});
    sqlx::query(
        "INSERT INTO routing_rules (rule_id, version, name, position, body, made_by, effective_from)
         VALUES (gen_random_uuid(), 1, 'Not Beeline', 1, $1, 'test', '2020-01-01')",
    )
    .bind(rule)
    .execute(play.world.pool())
    .await
    .unwrap();
    play.world.catalogue.refresh().await.unwrap();
    assert_eq!(split(&play.send(20).await), [20, 0]);
    sqlx::query("DELETE FROM routing_rules").execute(play.world.pool()).await.unwrap();
    play.world.catalogue.refresh().await.unwrap();
    let given = play.send(5).await;
    assert_eq!(split(&given), [0, 5], "all probes are left in these ten seconds");
    let decision: serde_json::Value = sqlx::query_scalar(
        "SELECT d.decision FROM messages m JOIN routing_decisions d ON d.id = m.decision_id WHERE m.id = $1",
    )
    .bind(given[0].routed.message_id.uuid())
    .fetch_one(play.world.pool())
    .await
    .unwrap();
    let first = &decision["candidates"][0];
    assert_eq!((&first["breaker"], &first["probe"]), (&"half_open".into(), &true.into()), "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_else_is_left_an_open_breaker_is_used_unless_a_person_opened_it() {
    let play = Play::new().await;
    sqlx::query("UPDATE operators SET enabled = false WHERE id = $1")
        .bind(play.world.operators[UCELL].uuid())
        .execute(play.world.pool())
        .await
        .unwrap();
    play.world.catalogue.refresh().await.unwrap();
    let given = play.send(20).await;
    assert_eq!(split(&given), [0, 20]);
    play.answer(&given, false).await;
    play.judge().await;
    assert_eq!(play.breaker(BEELINE).await.as_deref(), Some("open"));
    let given = play.send(3).await;
    assert_eq!(split(&given), [0, 3], "better a try than none");
    assert_eq!(play.ranked(given[0].routed.message_id).await, ["Beeline", "Ucell: disabled"]);

    sqlx::query("UPDATE operator_breakers SET until = NULL").execute(play.world.pool()).await.unwrap();
    sqlx::query("UPDATE standings_version SET version = version + 1").execute(play.world.pool()).await.unwrap();
    play.world.catalogue.refresh().await.unwrap();
    assert_eq!(split(&play.send(3).await), [0, 0]);
    let rejected = "SELECT count(*) FROM messages WHERE state = 'rejected' AND code = 'breaker_open'";
    assert_eq!(play.world.count(rejected).await, 3);
    play.world.assert_books_are_right().await;
}
