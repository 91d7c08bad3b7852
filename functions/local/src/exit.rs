//! How the program ends.

use std::io::Write as _;
use std::process::ExitCode;

use clap::error::ErrorKind;

/// The settings or arguments are wrong (`EX_USAGE` of sysexits.h): starting again without a change is useless.
const USAGE: u8 = 64;

/// What a person must change before the program can run.
#[derive(Debug)]
pub(crate) struct Misused(pub(crate) String);

impl std::fmt::Display for Misused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misused {}

/// Help and version end well; anything else that the command line says wrongly ends with 64.
pub(crate) fn of_parsing(error: &clap::Error) -> ExitCode {
    // Where even the terminal is gone there is nobody to tell.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(USAGE),
    }
}

/// Tells the whole story of a failure, once.
pub(crate) fn of_result(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let _ = writeln!(std::io::stderr(), "error: {error:#}");
    if error.is::<Misused>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
}
