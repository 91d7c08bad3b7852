//! sweep as a program of its own: on Lambda by a schedule, elsewhere by its own timers.
fn main() -> std::process::ExitCode {
    host::run_timer(async |config| sweep::Sweep::open(config).await)
}
