//! Command lines of the measurement programs: read by clap, a mistake told in one line. Which arguments there
//! are is each program's own.

use parseye_command_line::one_line;

/// Exit status for a command line that cannot be understood, as is usual.
const USAGE: i32 = 2;

/// Reads the command line of this process. `--help` and a mistake print and end the process, the mistake with
/// status 2.
pub fn parse<A: clap::Parser>() -> A {
    A::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        let program = A::command();
        let program = program.get_name();
        eprintln!("{program}: {}", one_line(program, &error));
        std::process::exit(USAGE)
    })
}
