//! The program `chappe`.

fn main() -> std::process::ExitCode {
    local::main()
}
