//! realtime as a program of its own: on Lambda, also for the WebSocket API's own events, or as a consumer of its queue.

#[cfg(feature = "lambda")]
fn main() -> std::process::ExitCode {
    host::run_with(async |config| Ok(host::Function::with_events(realtime::Realtime::open(config).await?)))
}

#[cfg(not(feature = "lambda"))]
fn main() -> std::process::ExitCode {
    host::run(async |config| realtime::Realtime::open(config).await)
}
