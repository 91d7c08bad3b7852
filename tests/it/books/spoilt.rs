//! The checks are worth what they catch: honest books are spoilt in one place, and both the product's own checks and the model
//! must say so, each as far as it can see.

use super::company::Firm;
use super::life::Life;

/// Steps of the honest life before: enough that there is something of everything.
const STEPS: usize = 120;

/// What is done to the books, and the check that must name it; empty: only the model can know.
struct Damage {
    what: &'static str,
    sql: &'static [&'static str],
    rule: &'static str,
    /// The balances differ from what the model says.
    model_sees: bool,
}

/// A capture of the sender's wallet, with its revenue: the first there is.
const CAPTURE: &str = "CREATE TEMP TABLE chosen AS SELECT entry_id, account_id, -posted_micros AS amount, currency
    FROM balance_ledger WHERE operation = 'capture' AND ledger = 'wallet' ORDER BY entry_id, line LIMIT 1";

const DAMAGES: [Damage; 8] = [
        Damage {
            what: "a lost capture",
            sql: &[
                CAPTURE,
                "UPDATE balance_ledger l SET posted_micros = l.posted_micros + CASE l.ledger
                     WHEN 'wallet' THEN c.amount ELSE -c.amount END
                 FROM chosen c WHERE l.entry_id = c.entry_id AND l.operation = 'capture'
                     AND (l.ledger, abs(l.posted_micros)) IN (('wallet', c.amount), ('revenue', c.amount))
                     AND (l.ledger <> 'wallet' OR l.account_id = c.account_id)
                     AND l.line <= (SELECT min(r.line) FROM balance_ledger r WHERE r.entry_id = c.entry_id
                         AND r.ledger = 'revenue' AND r.posted_micros = c.amount)",
                "UPDATE account_balances b SET posted_micros = b.posted_micros + c.amount FROM chosen c
                 WHERE b.account_id = c.account_id",
            ],
            rule: "captured money is that of the messages",
            model_sees: true,
        },
        Damage {
            what: "a double capture",
            sql: &[
                CAPTURE,
                "INSERT INTO balance_ledger (entry_id, line, operation, ledger, account_id, currency, posted_micros, messages)
                 SELECT e.id, n.line, 'capture', n.ledger, n.account, c.currency, n.sign * c.amount, 1
                 FROM chosen c, (SELECT gen_random_uuid() AS id) e, accounts house, LATERAL (VALUES
                     (1::smallint, 'wallet', c.account_id, -1), (2::smallint, 'revenue', house.id, 1))
                     AS n (line, ledger, account, sign) WHERE house.parent_id IS NULL",
                "UPDATE account_balances b SET posted_micros = b.posted_micros - c.amount FROM chosen c
                 WHERE b.account_id = c.account_id",
            ],
            rule: "captured money is that of the messages",
            model_sees: true,
        },
        Damage {
            what: "an unbalanced entry",
            sql: &["UPDATE balance_ledger SET posted_micros = posted_micros + 1 WHERE ledger = 'revenue' AND entry_id =
                (SELECT min(entry_id::text)::uuid FROM balance_ledger WHERE ledger = 'revenue')"],
            rule: "an entry sums to zero per currency",
            model_sees: true,
        },
        Damage {
            what: "a wallet that was changed without the journal",
            sql: &["UPDATE account_balances SET posted_micros = posted_micros + 1"],
            rule: "a wallet is the fold of its journal lines",
            model_sees: true,
        },
        Damage {
            what: "a hold that was never released",
            sql: &[
                "CREATE TEMP TABLE chosen AS SELECT entry_id, line, account_id, -held_micros AS amount FROM balance_ledger
                 WHERE operation = 'release' ORDER BY entry_id, line LIMIT 1",
                "DELETE FROM balance_ledger l USING chosen c WHERE l.entry_id = c.entry_id AND l.line = c.line",
                "UPDATE account_balances b SET held_micros = b.held_micros + c.amount FROM chosen c
                 WHERE b.account_id = c.account_id",
            ],
            rule: "a wallet holds what its open messages hold",
            model_sees: true,
        },
        Damage {
            what: "an operator that was not paid",
            sql: &["DELETE FROM balance_ledger WHERE operation = 'supplier_cost' AND entry_id =
                (SELECT min(entry_id::text)::uuid FROM balance_ledger WHERE operation = 'supplier_cost')"],
            rule: "operators are owed what they took",
            model_sees: true,
        },
        Damage {
            what: "a record that says another price",
            sql: &["UPDATE sms_cdr SET price_micros = price_micros + 1"],
            rule: "a CDR says what its message cost",
            model_sees: true,
        },
        Damage {
            what: "a message without its record",
            sql: &["DELETE FROM sms_cdr WHERE message_id = (SELECT min(message_id::text)::uuid FROM sms_cdr)"],
            rule: "every ended message has its CDR",
            model_sees: true,
        },
];

#[tokio::test(flavor = "multi_thread")]
async fn spoilt_books_are_named() {
    let mut life = Life::of(Firm::new().await, 7).await;
    for _ in 0..STEPS {
        Box::pin(life.step()).await;
    }
    Box::pin(life.come_to_an_end()).await;
    life.assert_books().await;
    for damage in DAMAGES {
        Box::pin(assert_named(&life, &damage)).await;
        // What was spoilt was put right again.
        life.assert_books().await;
    }
}

/// Spoils the books, looks, and puts them right again from a copy.
async fn assert_named(life: &Life, damage: &Damage) {
    // The counters last: a record that is written again is counted again.
    const TABLES: [&str; 6] =
        ["balance_ledger", "account_balances", "sms_cdr", "traffic_counters", "traffic_deltas", "money_deltas"];
    let mut connection = life.firm.road.world.pool().acquire().await.unwrap();
    let mut run = async |sql: String| {
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut *connection).await.unwrap();
    };
    for table in TABLES {
        run(format!("CREATE TABLE honest_{table} AS SELECT * FROM {table}")).await;
    }
    for sql in damage.sql {
        run((*sql).to_owned()).await;
    }
    let violations = store::ledger::verify(&life.firm.road.world.db).await.unwrap();
    let is_named = violations.iter().any(|violation| violation.rule.starts_with(damage.rule));
    assert!(is_named, "{}: {violations:#?}", damage.what);
    let differs = life.kept().await != life.due().await;
    assert_eq!(differs, damage.model_sees, "{}: the model", damage.what);
    for table in TABLES {
        run(format!("DELETE FROM {table}")).await;
        run(format!("INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM honest_{table}")).await;
        run(format!("DROP TABLE honest_{table}")).await;
    }
    run("DROP TABLE IF EXISTS chosen".to_owned()).await;
}
