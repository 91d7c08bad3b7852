//! api as a program of its own.
fn main() -> std::process::ExitCode {
    api::run()
}
