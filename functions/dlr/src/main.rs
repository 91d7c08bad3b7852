//! dlr as a program of its own: on Lambda, or as a consumer of its queue.
fn main() -> std::process::ExitCode {
    host::run(async |config| dlr::Dlr::open(config).await)
}
