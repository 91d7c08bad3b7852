//! What the inner steps cost on one core: the floor under the throughput of the whole.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, Result};
use bytes::BytesMut;
use chrono::DateTime;
use domain::prefix::PrefixTrie;
use domain::routing::{self, Operator};
use domain::tariff::Rate;
use domain::{Micros, Network, OperatorId, RateId};
use smpp::pdu::{Address, Body, Sm};
use smpp::{Policy, Status, text};
use uuid::Uuid;

use crate::report::table;

/// The best of so many rounds counts: the others were disturbed.
const ROUNDS: u32 = 20;
const STEPS: u32 = 20_000;
/// Operators that a decision ranks.
const OPERATORS: u128 = 10;
const LATIN: &str = "Your parcel 4711 was handed to the courier and will be delivered today between 2 and 4 pm";
const CYRILLIC: &str = "Ваша посылка 4711 передана курьеру и будет доставлена сегодня с 14 до 16 часов, ждите звонка";

/// Prints what each step takes.
pub(crate) fn run() -> Result<()> {
    let mut rows = Vec::new();
    codec(&mut rows)?;
    rows.push(row("count segments, 90 characters GSM 7-bit", || text::count(black_box(LATIN))));
    rows.push(row("count segments, 92 characters UCS-2", || text::count(black_box(CYRILLIC))));
    let trie = prefixes()?;
    rows.push(row("longest prefix of 10,000", || trie.longest(black_box(998_901_234_567))));
    let (operators, rates) = offers()?;
    let rates: Vec<&Rate> = rates.iter().collect();
    let network: Network = "43404".parse().context("a network")?;
    rows.push(row("rank 10 operators", || {
        routing::decide(1, network, black_box(&operators), &rates, (&[], DateTime::UNIX_EPOCH))
    }));
    crate::print("Single steps on one core:");
    table(&["step", "ns"], &rows);
    Ok(())
}

fn codec(rows: &mut Vec<Vec<String>>) -> Result<()> {
    let message = Sm {
        source: Address::new(5, 0, b"TestCompany"),
        destination: Address::new(1, 1, b"998901234567"),
        registered_delivery: 1,
        short_message: LATIN.as_bytes(),
        ..Sm::default()
    };
    let body = Body::SubmitSm(message);
    let mut wire = BytesMut::with_capacity(512);
    smpp::encode(&mut wire, Status::ROK, 7, &body)?;
    let bytes = wire.clone();
    rows.push(row("encode submit_sm, 90 characters", || {
        wire.clear();
        smpp::encode(&mut wire, Status::ROK, 7, black_box(&body))
    }));
    rows.push(row("decode submit_sm, 90 characters", || {
        smpp::decode(black_box(&bytes), Policy::default()).map(|frame| frame.body.is_ok())
    }));
    Ok(())
}

/// A step's name and its nanoseconds.
fn row<T>(name: &str, mut step: impl FnMut() -> T) -> Vec<String> {
    let mut best = u128::MAX;
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for _ in 0..STEPS {
            black_box(step());
        }
        best = best.min(started.elapsed().as_nanos() / u128::from(STEPS));
    }
    vec![name.to_owned(), best.to_string()]
}

fn prefixes() -> Result<PrefixTrie> {
    let mut trie = PrefixTrie::default();
    let network: Network = "43404".parse().context("a network")?;
    for prefix in 0..10_000 {
        trie.insert(&format!("998{prefix:04}"), network);
    }
    Ok(trie)
}

fn offers() -> Result<(Vec<Operator>, Vec<Rate>)> {
    let (mut operators, mut rates) = (Vec::new(), Vec::new());
    for number in 1..=OPERATORS {
        let id = OperatorId::from_uuid(Uuid::from_u128(number));
        operators.push(Operator {
            id,
            name: format!("operator {number}"),
            enabled: true,
            priority: 100,
            health_permille: 1000,
            bound: true,
        });
        rates.push(Rate {
            id: RateId::from_uuid(Uuid::from_u128(number)),
            operator: id,
            price: Micros::new(i64::try_from(OPERATORS - number)?),
            currency: "UZS".parse().context("a currency")?,
            from: DateTime::UNIX_EPOCH,
            to: None,
        });
    }
    Ok((operators, rates))
}
