//! Looks into queues that are under way when a stop comes.

use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How long such a look still has: longer than most queues make it wait.
const LET_GO_AFTER: Duration = Duration::from_secs(3);

/// Ends when a look that is under way at `stop` is to be dropped. What was leased for it goes back at once where the
/// backend sees to that, and otherwise comes again when its lease ends.
pub(crate) async fn let_go(stop: CancellationToken) {
    stop.cancelled().await;
    sleep(LET_GO_AFTER).await;
}
