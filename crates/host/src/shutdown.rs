//! Leaving on request: the first signal asks, the second insists.

use std::io;

use tokio::signal::unix::{SignalKind, signal as on_signal};
use tokio_util::sync::CancellationToken;

/// The exit code after a second signal: 128 + SIGINT, as shells count.
const EXIT_INSISTED: i32 = 130;

/// A token that is cancelled at the first SIGTERM or SIGINT. The second one ends the process at once.
pub fn signal() -> io::Result<CancellationToken> {
    let mut term = on_signal(SignalKind::terminate())?;
    let mut interrupt = on_signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let asked = token.clone();
    tokio::spawn(async move {
        wait(&mut term, &mut interrupt).await;
        tracing::info!("stopping: no new work, what was begun is finished");
        asked.cancel();
        wait(&mut term, &mut interrupt).await;
        tracing::warn!("stopping at once, on a second signal");
        std::process::exit(EXIT_INSISTED);
    });
    Ok(token)
}

async fn wait(term: &mut tokio::signal::unix::Signal, interrupt: &mut tokio::signal::unix::Signal) {
    tokio::select! {
        _ = term.recv() => {}
        _ = interrupt.recv() => {}
    }
}
