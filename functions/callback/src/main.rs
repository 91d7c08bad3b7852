//! callback as a program of its own: on Lambda, or as a consumer of its queue.
fn main() -> std::process::ExitCode {
    host::run_with(async |config| Ok(host::Function::with_events(callback::Callback::open(config).await?)))
}
