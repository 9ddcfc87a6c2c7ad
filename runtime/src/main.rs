//! The `parseye` program; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    parseye::cli::main(std::env::args_os())
}
