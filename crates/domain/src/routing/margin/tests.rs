use uuid::Uuid;

use super::*;

fn account(number: u128) -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(number))
}

fn operator(number: u128) -> OperatorId {
    OperatorId::from_uuid(Uuid::from_u128(number))
}

fn guard(min: i64) -> Guard {
    Guard {
        id: GuardId::from_uuid(Uuid::from_u128(u128::try_from(min).unwrap())),
        account: None,
        operator: None,
        network: None,
        min: Micros::new(min),
        min_permille: None,
        on_breach: Breach::Alert,
        from: DateTime::UNIX_EPOCH,
        to: None,
    }
}

/// The minimal margin that the guard in force asks of operator 1.
fn asked(guards: Vec<Guard>) -> Option<i64> {
    let guards = Guards::new(guards);
    let earned = Earned { price: Micros::new(100), currency: "UZS".parse().unwrap() };
    let watch = guards.watch(earned, &[account(1), account(2)], "43405".parse().unwrap(), DateTime::UNIX_EPOCH);
    let verdict = watch.verdict(operator(1), Some(Micros::new(1_000)), None).unwrap();
    assert!(verdict.breach.is_some());
    verdict.guard.map(|guard| i64::try_from(guard.uuid().as_u128()).unwrap())
}

#[test]
fn the_most_special_guard_holds() {
    let of = |number, min| Guard { account: Some(account(number)), ..guard(min) };
    let at = |name: &str, min| Guard { network: Some(name.parse().unwrap()), ..guard(min) };
    let by = |number, min| Guard { operator: Some(operator(number)), ..guard(min) };
    let rows: [(Vec<Guard>, Option<i64>); 9] = [
        (vec![], None),
        (vec![guard(1)], Some(1)),
        (vec![guard(1), at("434", 2), at("43405", 3), by(1, 4), of(2, 5), of(1, 6)], Some(6)),
        (vec![guard(1), at("434", 2), at("43405", 3), by(1, 4), of(2, 5)], Some(5)),
        (vec![guard(1), at("434", 2), at("43405", 3), by(1, 4)], Some(4)),
        (vec![guard(1), at("434", 2), at("43405", 3), by(2, 4)], Some(3)),
        (vec![guard(1), at("434", 2), at("401", 3), of(3, 4)], Some(2)),
        (vec![Guard { to: Some(DateTime::UNIX_EPOCH), ..guard(1) }], None),
        (vec![Guard { from: DateTime::from_timestamp(1, 0).unwrap(), ..guard(1) }], None),
    ];
    for (guards, expected) in rows {
        assert_eq!(asked(guards.clone()), expected, "{guards:?}");
    }
}

#[test]
fn margins_are_exact() {
    let uzs: Currency = "UZS".parse().unwrap();
    // Price, cost, minimum, per thousand, and whether it is enough.
    for (price, cost, min, permille, is_enough) in [
        (100, 100, 0, None, true),
        (100, 101, 0, None, false),
        (100, 90, 10, None, true),
        (100, 91, 10, None, false),
        (100, 90, 0, Some(100), true),
        (1_001, 901, 0, Some(100), false),
        (1_001, 900, 0, Some(100), true),
        (0, 0, 0, Some(500), true),
        (0, 1, -1, None, true),
        (i64::MAX, 0, 0, Some(1_000), true),
        (i64::MAX, 1, 0, Some(1_000), false),
        (0, i64::MAX, 0, None, false),
    ] {
        let guards = Guards::new(vec![Guard { min: Micros::new(min), min_permille: permille, ..guard(0) }]);
        let earned = Earned { price: Micros::new(price), currency: uzs };
        let watch = guards.watch(earned, &[], "434".parse().unwrap(), DateTime::UNIX_EPOCH);
        let verdict = watch.verdict(operator(1), Some(Micros::new(cost)), None).unwrap();
        assert_eq!(verdict.breach.is_none(), is_enough, "{price} {cost} {min} {permille:?}");
        assert_eq!(verdict.margin, Some(Micros::new(price - cost)));
    }
}

#[test]
fn what_nobody_can_convert_earns_too_little_where_somebody_made_a_guard() {
    for (guards, expected) in [
        (vec![], None),
        (vec![Guard { on_breach: Breach::Block, ..guard(1) }], Some(Breach::Block)),
        (vec![Guard { on_breach: Breach::Allow, ..guard(1) }], Some(Breach::Allow)),
    ] {
        let guards = Guards::new(guards);
        let earned = Earned { price: Micros::new(100), currency: "UZS".parse().unwrap() };
        let watch = guards.watch(earned, &[], "434".parse().unwrap(), DateTime::UNIX_EPOCH);
        let verdict = watch.verdict(operator(1), None, None);
        assert_eq!(verdict.and_then(|verdict| verdict.breach), expected);
        assert_eq!(verdict.and_then(|verdict| verdict.margin), None);
    }
}
