//! What the inner steps cost on one core: the floor under the throughput of the whole.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context, Result};
use bytes::BytesMut;
use chrono::DateTime;
use domain::fx::ExchangeRate;
use domain::live::Live;
use domain::prefix::PrefixTrie;
use domain::routing::health::Score;
use domain::routing::margin::{Breach, Guard, Guards};
use domain::routing::rule::{Body as RuleBody, Rule, Rules, Strategy, Then, When};
use domain::routing::standing::{Known, Standings};
use domain::routing::{Book, Operator, Question};
use domain::tariff::{ChargeOn, OnUnconfirmed, Rate, Tariff};
use domain::world::world;
use domain::{
    Account, AccountId, Catalogue, Encoding, ExchangeRateId, GuardId, Micros, Network, Number, OperatorId, PlanId,
    RateId, Role, RoutingRuleId, TariffId,
};
use smpp::pdu::{Address, Body, Sm};
use smpp::{Policy, Status, text};
use uuid::Uuid;

use crate::report::table;

/// The best of so many rounds counts: the others were disturbed.
const ROUNDS: u32 = 20;
const STEPS: u32 = 20_000;
/// Operators that a decision ranks, rules that it looks through, and prefixes.
const OPERATORS: u128 = 50;
const RULES: u128 = 1_000;
const PREFIXES: u32 = 30_000;
const LATIN: &str = "Your parcel 4711 was handed to the courier and will be delivered today between 2 and 4 pm";
const CYRILLIC: &str = "Ваша посылка 4711 передана курьеру и будет доставлена сегодня с 14 до 16 часов, ждите звонка";

/// Prints what each step takes.
pub(crate) fn run() -> Result<()> {
    let mut rows = Vec::new();
    codec(&mut rows)?;
    rows.push(row("count segments, 90 characters GSM 7-bit", || text::count(black_box(LATIN))));
    rows.push(row("count segments, 92 characters UCS-2", || text::count(black_box(CYRILLIC))));
    let trie = prefixes()?;
    rows.push(row("longest prefix of 30,000, one number again and again", || trie.longest(black_box(998_901_234_567))));
    let mut number = 0;
    rows.push(row("longest prefix of 30,000, numbers all over it", || trie.longest(scattered(&mut number))));
    rows.push(row("network of a number in the world's plan", || world().network(scattered(&mut number))));
    routing(&mut rows)?;
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

/// The next of many numbers that lie far apart, so that what one walked through is of no use to the next.
fn scattered(last: &mut u64) -> u64 {
    *last = (*last + 7_654_321) % 1_000_000_000;
    998_000_000_000 + black_box(*last)
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
    for prefix in 0..PREFIXES {
        trie.insert(&format!("998{prefix:05}"), network);
    }
    Ok(trie)
}

/// A decision over a full catalogue: half of the rules are of accounts, the others of countries, and the last fits.
fn routing(rows: &mut Vec<Vec<String>>) -> Result<()> {
    let mut catalogue = Catalogue::default();
    let network: Network = "43404".parse().context("a network")?;
    for number in 1..=OPERATORS {
        let id = OperatorId::from_uuid(Uuid::from_u128(number));
        catalogue.operators.push(Operator {
            id,
            name: format!("operator {number}").into(),
            enabled: true,
            priority: 100,
            bound: true,
        });
        let rate = Rate {
            id: RateId::from_uuid(Uuid::from_u128(number)),
            operator: id,
            class: None,
            price: Micros::new(i64::try_from(OPERATORS - number)?),
            currency: "UZS".parse().context("a currency")?,
            charge_on: ChargeOn::Submit,
            from: DateTime::UNIX_EPOCH,
            to: None,
        };
        catalogue.add_rate(network, rate);
    }
    let account = AccountId::from_uuid(Uuid::from_u128(RULES));
    payers(&mut catalogue, account, network)?;
    catalogue.rules = Rules::new((1..=RULES).map(rule).collect::<Result<_>>()?);
    let mut question = Question {
        account,
        to: Number::parse("+998901234567")?,
        network,
        sender: "TestCompany",
        traffic_class: None,
        template: None,
        encoding: Encoding::Gsm7,
        segments: 1,
        turn: 7,
        tried: &[],
        paid: &[],
        probes: &[],
        earned: None,
        priced_at: DateTime::UNIX_EPOCH,
        at: DateTime::UNIX_EPOCH,
    };
    catalogue.standings = Live::new(standings(&catalogue, network));
    // What the queue `route` does for a message: it chooses, and finds the reasons that its batch has written down.
    let mut book = Book::new(&catalogue);
    rows.push(row("decide among 50 operators by 1,000 rules", || {
        question.turn += 1;
        book.ask(black_box(&question))
    }));
    let strangers = with_strangers(&catalogue, network)?;
    let mut book = Book::new(&strangers);
    rows.push(row("the same where every second operator takes another currency", || {
        question.turn += 1;
        book.ask(black_box(&question))
    }));
    let reasons = "write down the reasons of a decision, once for all alike of a batch";
    rows.push(row(reasons, || catalogue.decide(black_box(&question))));
    Ok(())
}

/// How well each operator does at a network.
fn standings(catalogue: &Catalogue, network: Network) -> Standings {
    let operators: Vec<OperatorId> = catalogue.operators.iter().map(|operator| operator.id).collect();
    let score = Score { success: 950, delivery: 930, ..Score::default() };
    let scores = operators.iter().map(|id| (*id, Some(network), score)).collect();
    Standings::new(1, Known { operators, scores, ..Known::default() })
}

/// The same with rates of which every second is in another currency, and an exchange rate.
fn with_strangers(catalogue: &Catalogue, network: Network) -> Result<Catalogue> {
    let mut changed = catalogue.clone();
    let (own, other) = ("UZS".parse().context("a currency")?, "EUR".parse().context("a currency")?);
    let exchange = ExchangeRate {
        id: ExchangeRateId::from_uuid(Uuid::from_u128(1)),
        ratio: "13950.25".parse()?,
        spread_ppm: 5_000,
        from: DateTime::UNIX_EPOCH,
        to: None,
    };
    changed.fx.add((other, own), exchange);
    for rate in changed.rates.get_mut(&network).into_iter().flatten().step_by(2) {
        rate.currency = other;
    }
    Ok(changed)
}

/// A client below a reseller below the house, with prices, and guards of their margin.
fn payers(catalogue: &mut Catalogue, client: AccountId, network: Network) -> Result<()> {
    let [house, reseller] = [RULES + 1, RULES + 2].map(|number| AccountId::from_uuid(Uuid::from_u128(number)));
    let currency = "UZS".parse().context("a currency")?;
    for (id, parent) in [(house, None), (reseller, Some(house)), (client, Some(reseller))] {
        let plan = Some(PlanId::from_uuid(id.uuid()));
        let (role, segments_per_second) = (Role::Client, None);
        let account =
            Account { id, parent, role, plan, currency, suspended: false, segments_per_second, any_sender: true };
        catalogue.accounts.insert(id, account);
        let tariff = Tariff {
            id: TariffId::from_uuid(id.uuid()),
            class: None,
            price: Micros::new(60),
            currency,
            charge_on: ChargeOn::Submit,
            on_unconfirmed: OnUnconfirmed::Release,
            from: DateTime::UNIX_EPOCH,
            to: None,
        };
        catalogue.add_tariff(PlanId::from_uuid(id.uuid()), Some(network.country()), tariff);
    }
    let all = guard(1, None, None);
    let of_operators =
        (1..=5).map(|number| guard(number + 1, None, Some(OperatorId::from_uuid(Uuid::from_u128(number)))));
    catalogue.guards = Guards::new(of_operators.chain([all, guard(9, Some(reseller), None)]).collect());
    Ok(())
}

fn guard(number: u128, account: Option<AccountId>, operator: Option<OperatorId>) -> Guard {
    Guard {
        id: GuardId::from_uuid(Uuid::from_u128(number)),
        account,
        operator,
        network: None,
        min: Micros::new(1),
        min_permille: Some(20),
        on_breach: Breach::Block,
        from: DateTime::UNIX_EPOCH,
        to: None,
    }
}

fn rule(number: u128) -> Result<Rule> {
    let mut when = When::default();
    if number.is_multiple_of(2) {
        when.accounts.push(AccountId::from_uuid(Uuid::from_u128(number)));
    } else {
        when.networks.push(format!("{}", 200 + number % 500).parse().context("a country")?);
    }
    Ok(Rule {
        id: RoutingRuleId::from_uuid(Uuid::from_u128(number)),
        version: 1,
        name: format!("rule {number}"),
        position: i32::try_from(number)?,
        body: RuleBody { when, then: Then { strategy: Strategy::Weighted, ..Then::default() } },
        from: DateTime::UNIX_EPOCH,
        to: None,
    })
}
