//! What every directory must do.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use limits::{Directory, Seat};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use testkit::eventually;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

/// A lease that does not end during a case.
const LONG: Duration = Duration::from_mins(5);
/// A lease that ends while a case waits.
const SHORT: Duration = Duration::from_millis(60);
/// No end is waited for longer.
const LIMIT: Duration = Duration::from_secs(20);
/// Redis counts milliseconds; so much earlier than reckoned a lease may end.
const ROUNDED: Duration = Duration::from_millis(2);

/// Judges what `fresh` makes: a directory without holders, each time.
pub(crate) async fn run(fresh: impl Fn() -> Arc<dyn Directory>) {
    lowest_free_seat(&*fresh()).await;
    renewals(&*fresh()).await;
    leases_end(&*fresh()).await;
    odd_names(&*fresh()).await;
    at_the_same_time(fresh()).await;
    for _ in 0..2 {
        never_two_holders(fresh()).await;
    }
}

fn seat(key: &str, number: u16) -> Seat {
    Seat { key: key.to_owned(), number }
}

async fn holders(directory: &dyn Directory, key: &str) -> Vec<String> {
    let held = directory.holders(key).await.unwrap();
    held.into_iter().map(|(number, holder)| format!("{number}:{holder}")).collect()
}

async fn lowest_free_seat(directory: &dyn Directory) {
    let take = async |key, seats, holder| directory.take(key, seats, holder, LONG).await.unwrap();
    let free = async |key, number, holder| directory.free(&seat(key, number), holder).await.unwrap();
    assert_eq!(take("k", 0, "a").await, None, "no seats at all");
    assert_eq!(take("k", 3, "a").await, Some(0));
    assert_eq!(take("k", 3, "b").await, Some(1));
    assert_eq!(take("k", 3, "a").await, Some(2), "a holder may have several");
    assert_eq!(take("k", 3, "c").await, None, "all are taken");
    assert_eq!(take("other", 1, "c").await, Some(0), "keys are apart");
    assert_eq!(take("k", 4, "c").await, Some(3), "there are more seats now");
    free("k", 1, "a").await;
    assert_eq!(holders(directory, "k").await, ["0:a", "1:b", "2:a", "3:c"], "another's seat stays");
    free("k", 1, "b").await;
    free("k", 1, "b").await;
    free("unknown", 1, "b").await;
    assert_eq!(holders(directory, "k").await, ["0:a", "2:a", "3:c"]);
    assert_eq!(take("k", 4, "d").await, Some(1), "the lowest free one");
    assert_eq!(take("k", 2, "d").await, None, "fewer seats: those beyond stay with their holders");
    assert_eq!(holders(directory, "k").await.len(), 4);
    assert_eq!(holders(directory, "unknown").await, [""; 0]);
}

async fn renewals(directory: &dyn Directory) {
    for holder in ["a", "b"] {
        directory.take("k", 9, holder, LONG).await.unwrap();
    }
    let seats = [seat("k", 1), seat("k", 0), seat("free", 7), seat("k", 2)];
    let renewed = directory.renew(&seats, "a", LONG).await.unwrap();
    assert_eq!(renewed, [false, true, true, true], "another's, ours, and two that nobody has");
    assert_eq!(holders(directory, "k").await, ["0:a", "1:b", "2:a"]);
    assert_eq!(holders(directory, "free").await, ["7:a"]);
    assert_eq!(directory.renew(&[], "a", LONG).await.unwrap(), [false; 0]);
}

async fn leases_end(directory: &dyn Directory) {
    let began = Instant::now();
    for key in ["taken", "again", "renewed"] {
        assert_eq!(directory.take(key, 1, "a", SHORT).await.unwrap(), Some(0));
    }
    directory.renew(&[seat("renewed", 0)], "a", LONG).await.unwrap();
    eventually(LIMIT, async || directory.take("taken", 1, "b", LONG).await.unwrap() == Some(0)).await;
    assert!(began.elapsed() + ROUNDED >= SHORT, "ended after {:?}", began.elapsed());
    eventually(LIMIT, async || holders(directory, "again").await.is_empty()).await;
    let seats = [seat("taken", 0), seat("again", 0), seat("renewed", 0)];
    assert_eq!(directory.renew(&seats, "a", LONG).await.unwrap(), [false, true, true]);
    assert_eq!(directory.take("again", 1, "b", LONG).await.unwrap(), None, "it was taken again");
    assert_eq!(holders(directory, "renewed").await, ["0:a"]);
    directory.free(&seat("taken", 0), "a").await.unwrap();
    assert_eq!(holders(directory, "taken").await, ["0:b"], "who lost a seat cannot free it");
}

async fn odd_names(directory: &dyn Directory) {
    for (number, holder) in ["tashkent 1/0a", "", "с пробелом\nи строкой", "{}", "12 34"].into_iter().enumerate()
    {
        let number = u16::try_from(number).unwrap();
        assert_eq!(directory.take("a {key}\n", 1_000, holder, LONG).await.unwrap(), Some(number));
        assert_eq!(directory.renew(&[seat("a {key}\n", number)], holder, LONG).await.unwrap(), [true]);
        let held = directory.holders("a {key}\n").await.unwrap();
        assert_eq!(held.last(), Some(&(number, holder.to_owned())));
    }
}

async fn at_the_same_time(directory: Arc<dyn Directory>) {
    let mut takers = JoinSet::new();
    for taker in 0..40 {
        let directory = Arc::clone(&directory);
        takers.spawn(async move { directory.take("k", 16, &taker.to_string(), LONG).await.unwrap() });
    }
    let taken: Vec<u16> = takers.join_all().await.into_iter().flatten().collect();
    assert_eq!((taken.len(), taken.iter().collect::<BTreeSet<_>>().len()), (16, 16), "{taken:?}");
}

/// A time for which somebody surely held a seat.
#[derive(Clone, Debug)]
struct Held {
    number: u16,
    holder: String,
    from: Instant,
    until: Instant,
}

/// Many holders take, renew, free and die at random: the times for which they held a seat never overlap.
async fn never_two_holders(directory: Arc<dyn Directory>) {
    let seed = rand::random::<u64>();
    eprintln!("seed {seed}");
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut people = JoinSet::new();
    for person in 0..8 {
        people.spawn(live(Arc::clone(&directory), Arc::clone(&log), seed ^ person));
    }
    people.join_all().await;
    let mut log = log.lock().unwrap().clone();
    assert!(log.len() > 100, "{} times", log.len());
    log.sort_by_key(|held| (held.number, held.from));
    for (index, one) in log.iter().enumerate() {
        let same = log[index + 1..].iter().take_while(|next| next.number == one.number);
        for other in same.take_while(|next| next.from < one.until) {
            assert_eq!(
                one.holder, other.holder,
                "both had seat {} at once, seed {seed}: {one:?} {other:?}",
                one.number
            );
        }
    }
}

/// One holder after the other, for a while.
async fn live(directory: Arc<dyn Directory>, log: Arc<Mutex<Vec<Held>>>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut turns = interval(Duration::from_millis(3));
    let mut lives = 0;
    let mut holder = format!("{seed}.0");
    let mut seats: Vec<u16> = Vec::new();
    let end = Instant::now() + SHORT * 20;
    while Instant::now() < end {
        turns.tick().await;
        let asked = Instant::now();
        let hold = |number, until| {
            let held = Held { number, holder: holder.clone(), from: Instant::now(), until };
            log.lock().unwrap().push(held);
        };
        match rng.random_range(0..100) {
            0..40 => {
                if let Some(number) = directory.take("k", 5, &holder, SHORT).await.unwrap() {
                    hold(number, asked + SHORT - ROUNDED);
                    seats.push(number);
                }
            }
            40..75 => {
                let wanted: Vec<Seat> = seats.iter().map(|number| seat("k", *number)).collect();
                let ours = directory.renew(&wanted, &holder, SHORT).await.unwrap();
                let mut ours = ours.into_iter();
                seats.retain(|_| ours.next() == Some(true));
                for number in &seats {
                    hold(*number, asked + SHORT - ROUNDED);
                }
            }
            75..92 => {
                let Some(number) = seats.pop() else { continue };
                for held in log.lock().unwrap().iter_mut() {
                    if held.number == number && held.holder == holder {
                        held.until = held.until.min(asked);
                    }
                }
                directory.free(&seat("k", number), &holder).await.unwrap();
            }
            _ => {
                lives += 1;
                holder = format!("{seed}.{lives}");
                seats.clear();
            }
        }
    }
}
