//! The program `chappe`.

/// The system's allocator spent a tenth of a busy process's time, and kept memory after a burst.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    local::main()
}
