//! Several edges share the binds of operators.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use contract::edge::OperatorSettings;
use limits::{Directory, InProcessDirectory, Seat, Unavailable};
use smsc::{Account, Profile, Smsc};

use crate::rig::{Rig, config, messages, operator, until};

/// The way of one edge to the directory, which can be cut.
#[derive(Debug)]
struct Way {
    directory: Arc<InProcessDirectory>,
    is_cut: AtomicBool,
}

impl Way {
    fn to(directory: &Arc<InProcessDirectory>) -> Arc<Self> {
        Arc::new(Self { directory: Arc::clone(directory), is_cut: AtomicBool::new(false) })
    }

    fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Release);
    }

    fn open(&self) -> Result<&InProcessDirectory, Unavailable> {
        if self.is_cut.load(Ordering::Acquire) { Err(Unavailable("cut".to_owned())) } else { Ok(&self.directory) }
    }
}

#[async_trait]
impl Directory for Way {
    async fn take(&self, key: &str, seats: u16, holder: &str, lease: Duration) -> Result<Option<u16>, Unavailable> {
        self.open()?.take(key, seats, holder, lease).await
    }

    async fn renew(&self, seats: &[Seat], holder: &str, lease: Duration) -> Result<Vec<bool>, Unavailable> {
        self.open()?.renew(seats, holder, lease).await
    }

    async fn free(&self, seat: &Seat, holder: &str) -> Result<(), Unavailable> {
        self.open()?.free(seat, holder).await
    }

    async fn holders(&self, key: &str) -> Result<Vec<(u16, String)>, Unavailable> {
        self.open()?.holders(key).await
    }
}

/// An operator that refuses and counts binds beyond `binds_max`.
async fn strict(binds: u16, binds_max: usize) -> (Smsc, OperatorSettings) {
    let (_, settings) = operator(Profile::default()).await;
    let accounts = vec![Account { binds_max, ..Account::new("chappe", "secret") }];
    let smsc = Smsc::start(smsc::Config { accounts, ..smsc::Config::default() }).await.unwrap();
    let port = smsc.addr().port();
    (smsc, OperatorSettings { binds, port, ..settings })
}

/// Waits until the edges have so many binds each, and the operator as many in all.
async fn shared(smsc: &Smsc, operator: &OperatorSettings, expected: &[(&Rig, usize)]) {
    let total: usize = expected.iter().map(|(_, binds)| binds).sum();
    until("shares", || {
        assert_eq!(smsc.counters().binds_refused, 0, "there were more binds than allowed");
        smsc.bound("chappe") == total && expected.iter().all(|(edge, binds)| edge.status.bound(operator.id) == *binds)
    })
    .await;
}

#[tokio::test]
async fn binds_go_where_edges_are() {
    let (smsc, operator) = strict(4, 4).await;
    let directory = Arc::new(InProcessDirectory::new());
    let first = Rig::start_beside(directory.clone(), config(), &[&operator]).await;
    shared(&smsc, &operator, &[(&first, 4)]).await;
    let second = Rig::start_beside(directory.clone(), config(), &[&operator]).await;
    shared(&smsc, &operator, &[(&first, 2), (&second, 2)]).await;
    let third = Rig::start_beside(directory, config(), &[&operator]).await;
    until("a bind of the third", || smsc.bound("chappe") == 4 && third.status.bound(operator.id) >= 1).await;
    third.stop().await;
    shared(&smsc, &operator, &[(&first, 2), (&second, 2)]).await;
    first.stop().await;
    shared(&smsc, &operator, &[(&second, 4)]).await;
}

#[tokio::test]
async fn fewer_and_more_binds_are_shared_again() {
    let (smsc, operator) = strict(4, 6).await;
    let directory = Arc::new(InProcessDirectory::new());
    let first = Rig::start_beside(directory.clone(), config(), &[&operator]).await;
    let second = Rig::start_beside(directory, config(), &[&operator]).await;
    shared(&smsc, &operator, &[(&first, 2), (&second, 2)]).await;
    for binds in [2, 6] {
        for edge in [&first, &second] {
            edge.platform.set(OperatorSettings { binds, ..operator.clone() });
        }
        let each = usize::from(binds) / 2;
        shared(&smsc, &operator, &[(&first, each), (&second, each)]).await;
    }
    second.platform.remove(operator.id);
    until("the second gave up", || second.status.bound(operator.id) == 0).await;
    let six = OperatorSettings { binds: 6, ..operator };
    shared(&smsc, &six, &[(&first, 6)]).await;
    second.platform.set(six.clone());
    shared(&smsc, &six, &[(&first, 3), (&second, 3)]).await;
}

#[tokio::test]
async fn the_binds_of_an_edge_that_is_silent_are_taken_over_and_it_lets_go_of_them_on_return() {
    let (smsc, operator) = strict(2, 3).await;
    let directory = Arc::new(InProcessDirectory::new());
    let way = Way::to(&directory);
    let silent = Rig::start_beside(way.clone(), config(), &[&operator]).await;
    let other = Rig::start_beside(directory, config(), &[&operator]).await;
    shared(&smsc, &operator, &[(&silent, 1), (&other, 1)]).await;
    way.cut(true);
    until("both binds", || other.status.bound(operator.id) == 2).await;
    assert_eq!(silent.status.bound(operator.id), 1, "it cannot know whether it is alone");
    way.cut(false);
    until("the bind was given up", || smsc.bound("chappe") == 2).await;
    shared(&smsc, &operator, &[(&silent, 1), (&other, 1)]).await;
}

#[tokio::test]
async fn sessions_stay_while_the_directory_is_away_and_when_it_has_forgotten_everything() {
    let (smsc, operator) = strict(4, 4).await;
    let directory = Arc::new(InProcessDirectory::new());
    let ways = [Way::to(&directory), Way::to(&directory)];
    let first = Rig::start_beside(ways[0].clone(), config(), &[&operator]).await;
    let second = Rig::start_beside(ways[1].clone(), config(), &[&operator]).await;
    shared(&smsc, &operator, &[(&first, 2), (&second, 2)]).await;
    let binds = smsc.counters().binds;
    for way in &ways {
        way.cut(true);
    }
    // All leases end meanwhile, which is as good as a directory that comes back empty.
    testkit::eventually(config().seats_lease * 3, async || directory.holders("edges").await.unwrap().is_empty()).await;
    first.submit(&operator, &messages(50)).await;
    first.wait_for_outcomes(50).await;
    ways[0].cut(false);
    testkit::eventually(config().seats_lease, async || directory.holders("edges").await.unwrap().len() == 1).await;
    ways[1].cut(false);
    testkit::eventually(config().seats_lease, async || directory.holders("edges").await.unwrap().len() == 2).await;
    shared(&smsc, &operator, &[(&first, 2), (&second, 2)]).await;
    assert_eq!(smsc.counters().binds, binds, "a session was bound again");
}

#[tokio::test]
async fn the_rate_is_shared_as_the_binds_are() {
    let (smsc, operator) = strict(2, 2).await;
    let operator = OperatorSettings { tps: 100, ..operator };
    let directory = Arc::new(InProcessDirectory::new());
    let edges = [
        Rig::start_beside(directory.clone(), config(), &[&operator]).await,
        Rig::start_beside(directory, config(), &[&operator]).await,
    ];
    shared(&smsc, &operator, &[(&edges[0], 1), (&edges[1], 1)]).await;
    let begin = std::time::Instant::now();
    for edge in &edges {
        edge.submit(&operator, &messages(60)).await;
    }
    until("all", || smsc.counters().accepted == 120).await;
    let took = begin.elapsed();
    assert!(took >= Duration::from_secs(1), "120 at 100 per second went out in {took:?}");
}
