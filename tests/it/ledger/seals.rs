//! Seals over the journal: nothing that was sealed is altered, removed or slipped in unseen.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{AccountId, Micros};
use store::ledger::{Audit, Extent, Sealed, TopUp, Violation};
use uuid::Uuid;

use super::live;
use crate::world::World;

pub(super) const RICH: i64 = 1_000_000_000_000;

/// Seals all that was committed, without waiting for anybody's clock.
pub(super) async fn seal(world: &World) -> Sealed {
    store::ledger::seal(&world.db, Utc::now() + TimeDelta::seconds(1), TimeDelta::zero()).await.unwrap()
}

pub(super) async fn audit(world: &World, extent: Extent) -> Audit {
    store::ledger::audit(&world.db, extent, Utc::now(), &mut |_| ()).await.unwrap()
}

pub(super) async fn top_up(world: &World, account: AccountId) -> Uuid {
    let mut tx = world.db.begin().await.unwrap();
    let amount = Micros::new(1_000_000);
    let top_up = TopUp { account, amount, reason: "paid (cash), \"thanks\"".into(), actor: "test".into() };
    let entry = store::ledger::top_up(&mut tx, &top_up).await.unwrap();
    tx.commit().await.unwrap();
    entry
}

/// Writes an entry that moves nothing, under an id of `at`.
async fn slip_in(world: &World, at: DateTime<Utc>) -> Uuid {
    let id = Uuid::from_u128(u128::try_from(at.timestamp_millis()).unwrap() << 80 | 0x7000_8000_0000_0000_0001);
    sqlx::query(
        "INSERT INTO balance_ledger (entry_id, line, operation, ledger, account_id, currency)
         VALUES ($1, 1, 'adjustment', 'cash', $2, 'UZS')",
    )
    .bind(id)
    .bind(world.house.uuid())
    .execute(world.pool())
    .await
    .unwrap();
    id
}

async fn run(world: &World, sql: &str, entry: Uuid) {
    let done = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).bind(entry).execute(world.pool()).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_touches_a_sealed_entry_is_found_with_the_entry() {
    // What is done, and what is said of it. None of it can be seen in sums.
    let rows = [
        ("UPDATE balance_ledger SET reason = 'paid (cash), \"thank\"' WHERE entry_id = $1", "was altered"),
        ("UPDATE balance_ledger SET at = at + interval '1 microsecond' WHERE entry_id = $1 AND line = 2", "was altered"),
        ("UPDATE balance_ledger SET line = line + 1 WHERE entry_id = $1 AND line = 2", "was altered"),
        ("UPDATE balance_ledger SET posted_micros = posted_micros * 2 WHERE entry_id = $1", "was altered"),
        ("DELETE FROM balance_ledger WHERE entry_id = $1 AND line = 2", "was altered"),
        ("DELETE FROM balance_ledger WHERE entry_id = $1", "is missing"),
        (
            "INSERT INTO balance_ledger (entry_id, line, operation, ledger, account_id, currency)
             SELECT entry_id, 3, operation, 'cash', account_id, currency FROM balance_ledger WHERE entry_id = $1 AND line = 1",
            "was altered",
        ),
    ];
    for (damage, said) in rows {
        let world = World::with_balance(RICH).await;
        let entry = top_up(&world, world.client).await;
        top_up(&world, world.reseller).await;
        assert_eq!(seal(&world).await.entries, 5, "three wallets were funded, two of them twice");
        world.assert_books_are_right().await;
        run(&world, damage, entry).await;
        let found = audit(&world, Extent::Full).await.violations;
        let expected = |text: &str| text.contains(&entry.to_string()) && text.contains(said);
        let sealed: Vec<_> = found.iter().filter(|one| one.rule.starts_with("a sealed entry")).collect();
        assert!(sealed.len() == 1 && expected(&sealed[0].found), "{damage}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_touches_the_seals_themselves_is_found() {
    let rows = [
        ("DELETE FROM journal_seals WHERE sequence = 2", "seal 3 does not follow seal 1"),
        ("UPDATE journal_seals SET digest = sha256(digest) WHERE sequence = 2", "seal 2 was altered"),
        ("UPDATE journal_seals SET hash = sha256(hash) WHERE sequence = 2", "seal 3 does not follow seal 2"),
        ("UPDATE journal_seals SET lines = lines + 1 WHERE sequence = 2", "seal 2 was altered"),
    ];
    for (damage, said) in rows {
        let world = World::with_balance(RICH).await;
        for _ in 0..3 {
            top_up(&world, world.client).await;
            assert_eq!(seal(&world).await.seals, 1);
        }
        world.assert_books_are_right().await;
        sqlx::query(damage).execute(world.pool()).await.unwrap();
        let found = audit(&world, Extent::Full).await.violations;
        assert!(found.iter().any(|one| one.found == said), "{damage}: {found:?}");
    }
}

/// Runs each of `statements`.
async fn run_all(world: &World, statements: &[&'static str]) {
    for sql in statements {
        sqlx::query(*sql).execute(world.pool()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_was_made_again_over_an_altered_entry_is_found() {
    let world = World::with_balance(RICH).await;
    seal(&world).await;
    let entry = top_up(&world, world.client).await;
    for account in [world.client, world.reseller] {
        assert_eq!(seal(&world).await.seals, 1);
        top_up(&world, account).await;
    }
    assert_eq!(seal(&world).await.seals, 1);
    let honest = audit(&world, Extent::Full).await;
    assert_eq!((honest.head.0, honest.violations), (4, vec![]));
    let copy =
        ["CREATE TABLE honest_seals AS TABLE journal_seals", "CREATE TABLE honest_lines AS TABLE balance_ledger"];
    let back = [
        "UPDATE balance_ledger l SET reason = h.reason FROM honest_lines h
         WHERE (h.entry_id, h.line) = (l.entry_id, l.line)",
        "DELETE FROM journal_seals",
        "INSERT INTO journal_seals TABLE honest_seals",
    ];
    run_all(&world, &copy).await;
    // The chain ends before the seal that is known, or goes on beyond it.
    for seals_more in [0, 3] {
        run(&world, "UPDATE balance_ledger SET reason = 'x' WHERE entry_id = $1", entry).await;
        run_all(&world, &["DELETE FROM journal_seals WHERE sequence >= 2"]).await;
        assert_eq!(seal(&world).await.seals, 1);
        for _ in 0..seals_more {
            top_up(&world, world.reseller).await;
            assert_eq!(seal(&world).await.seals, 1);
        }
        // No check that finds it takes the new chain for the one that is known.
        for extent in [Extent::Full, Extent::Incremental, Extent::Full] {
            let found = audit(&world, extent).await.violations;
            let is_named = |one: &Violation| {
                one.rule.starts_with("a sealed entry") && one.found == "seal 4 is not the one that was checked before"
            };
            assert!(found.iter().any(is_named), "{extent:?}, {seals_more} more: {found:?}");
        }
        run_all(&world, &back).await;
        seal(&world).await;
        assert_eq!(audit(&world, Extent::Full).await.violations, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_slipped_into_the_past_is_found_and_what_comes_late_is_sealed() {
    let world = World::with_balance(RICH).await;
    top_up(&world, world.client).await;
    seal(&world).await;
    let late = slip_in(&world, Utc::now() - TimeDelta::minutes(1)).await;
    world.assert_books_are_right().await;
    assert_eq!(seal(&world).await, Sealed { late: 1, ..Sealed::default() }, "a clock stood behind");
    assert_eq!(seal(&world).await, Sealed::default(), "once is enough");
    world.assert_books_are_right().await;
    run(&world, "UPDATE balance_ledger SET reason = 'x' WHERE entry_id = $1", late).await;
    let old = slip_in(&world, Utc::now() - TimeDelta::hours(1)).await;
    assert_eq!(seal(&world).await, Sealed::default(), "too old to be late");
    let found: Vec<String> = audit(&world, Extent::Full).await.violations.into_iter().map(|one| one.found).collect();
    let expected = [
        format!("entry {old} was inserted into the range of seal 1"),
        format!("entry {late} was altered behind its seal 2"),
    ];
    assert_eq!(found, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_transaction_holds_the_seals_back() {
    let world = World::with_balance(RICH).await;
    seal(&world).await;
    let mut open = world.db.begin().await.unwrap();
    let top_up_of = |account| TopUp { account, amount: Micros::new(1), reason: "slow".into(), actor: "test".into() };
    store::ledger::top_up(&mut open, &top_up_of(world.client)).await.unwrap();
    top_up(&world, world.reseller).await;
    let sealed = seal(&world).await;
    assert_eq!(sealed.entries, 0, "an entry with an older id may still be committed");
    assert!(sealed.oldest_unsealed.is_some());
    open.commit().await.unwrap();
    assert_eq!(seal(&world).await.entries, 2);
    world.assert_books_are_right().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_sealers_make_one_chain_while_money_moves() {
    let world = World::with_balance(RICH).await;
    let sealing = async {
        for _ in 0..20 {
            seal(&world).await;
        }
    };
    let other = async {
        for _ in 0..20 {
            seal(&world).await;
        }
    };
    tokio::join!(Box::pin(live(&world, 7)), sealing, other);
    seal(&world).await;
    let audit = audit(&world, Extent::Full).await;
    assert_eq!(audit.violations, []);
    assert_eq!(audit.lines, world.count("SELECT count(*) FROM balance_ledger").await, "every line is sealed once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incremental_check_reads_what_is_new_and_still_finds_what_is_wrong() {
    let world = World::with_balance(RICH).await;
    Box::pin(live(&world, 11)).await;
    seal(&world).await;
    let first = audit(&world, Extent::Incremental).await;
    assert_eq!((first.extent, first.violations), (Extent::Full, vec![]), "there was none before");
    let entry = top_up(&world, world.client).await;
    Box::pin(live(&world, 12)).await;
    seal(&world).await;
    let second = audit(&world, Extent::Incremental).await;
    assert_eq!((second.extent, second.violations), (Extent::Incremental, vec![]));
    let all = world.count("SELECT count(*) FROM balance_ledger").await;
    assert_eq!(first.lines + second.lines, all, "each line was read once");
    let third = audit(&world, Extent::Incremental).await;
    assert_eq!((third.lines, third.violations), (0, vec![]));

    run(
        &world,
        "UPDATE account_balances SET posted_micros = posted_micros + 1 WHERE account_id = $1",
        world.client.uuid(),
    )
    .await;
    let wrong = audit(&world, Extent::Incremental).await.violations;
    assert!(wrong.iter().any(|one| one.rule.starts_with("a wallet is the fold")), "{wrong:?}");
    run(
        &world,
        "UPDATE account_balances SET posted_micros = posted_micros - 1 WHERE account_id = $1",
        world.client.uuid(),
    )
    .await;
    run(&world, "UPDATE balance_ledger SET reason = 'x' WHERE entry_id = $1", entry).await;
    let found = audit(&world, Extent::Full).await.violations;
    assert!(found.len() == 1 && found[0].found.contains(&entry.to_string()), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_process_checks_the_books_each_night_and_everything_once_a_week() {
    let world = World::with_balance(RICH).await;
    top_up(&world, world.client).await;
    seal(&world).await;
    let night = Utc::now().date_naive().and_hms_opt(3, 0, 0).unwrap().and_utc() + TimeDelta::days(1);
    let checked = async |at: DateTime<Utc>| store::ledger::nightly(&world.db, at).await.unwrap().map(|a| a.extent);
    let (one, other) = tokio::join!(checked(night), checked(night));
    assert_eq!([one, other].iter().flatten().collect::<Vec<_>>(), [&Extent::Full]);
    assert_eq!(checked(night + TimeDelta::hours(20)).await, None, "this night's is done");
    for day in 1..7 {
        assert_eq!(checked(night + TimeDelta::days(day)).await, Some(Extent::Incremental), "day {day}");
    }
    assert_eq!(checked(night + TimeDelta::days(7)).await, Some(Extent::Full));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_dies_leaves_the_night_to_another_process() {
    let world = World::with_balance(RICH).await;
    seal(&world).await;
    let night = Utc::now().date_naive().and_hms_opt(3, 0, 0).unwrap().and_utc() + TimeDelta::days(1);
    let checked = async |at: DateTime<Utc>| store::ledger::nightly(&world.db, at).await.unwrap().is_some();
    // Nobody gets to the seals, so that the check is on its way until its process is gone.
    let mut held = world.pool().begin().await.unwrap();
    sqlx::query("LOCK TABLE journal_seals IN ACCESS EXCLUSIVE MODE").execute(&mut *held).await.unwrap();
    let dying = tokio::spawn({
        let db = world.db.clone();
        async move { store::ledger::nightly(&db, night).await.unwrap() }
    });
    testkit::eventually(std::time::Duration::from_secs(20), async || {
        world.count("SELECT count(*) FROM sweep_cursors WHERE name = 'books.lease'").await == 1
    })
    .await;
    assert!(!checked(night + TimeDelta::minutes(1)).await, "somebody is at it");
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    held.rollback().await.unwrap();
    assert!(!checked(night + TimeDelta::minutes(9)).await, "it may be at it still");
    assert_eq!(store::ledger::last_night(&world.db).await.unwrap(), None, "no check has ended");
    let taken = night + TimeDelta::minutes(11);
    assert!(checked(taken).await, "its lease has run out");
    assert!(!checked(night + TimeDelta::hours(20)).await, "once a night");
    // How it ended is known to whoever asks.
    let last = store::ledger::Checked { at: taken, violations: 0 };
    assert_eq!(store::ledger::last_night(&world.db).await.unwrap(), Some(last));
    sqlx::query("UPDATE account_balances SET posted_micros = posted_micros + 1").execute(world.pool()).await.unwrap();
    assert!(checked(night + TimeDelta::days(1)).await);
    let last = store::ledger::last_night(&world.db).await.unwrap().unwrap();
    assert_eq!((last.at, last.violations), (night + TimeDelta::days(1), 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_fails_is_made_again_in_the_same_night() {
    let world = World::with_balance(RICH).await;
    let night = Utc::now().date_naive().and_hms_opt(3, 0, 0).unwrap().and_utc() + TimeDelta::days(1);
    sqlx::query("ALTER TABLE journal_seals RENAME TO away").execute(world.pool()).await.unwrap();
    store::ledger::nightly(&world.db, night).await.unwrap_err();
    sqlx::query("ALTER TABLE away RENAME TO journal_seals").execute(world.pool()).await.unwrap();
    let again = store::ledger::nightly(&world.db, night + TimeDelta::minutes(10)).await.unwrap();
    assert!(again.is_some(), "the night is not lost");
}
