//! The command line. Flags are first parsed ([`args`]), then checked and joined with the settings
//! ([`resolve`]), then run; each command has its own module.

pub(crate) mod args;
mod check;
mod collect;
mod completions;
mod config;
mod demo;
mod evaluate;
mod habits;
mod list;
mod man;
mod monitor;
mod replay;
mod resolve;
mod still;
mod summarize;
mod watch;

use crate::{channels::Stop, config::Settings, live::PipelineError};
use args::{Args, CommandArgs};
use clap::{CommandFactory, Parser};
use parseye_command_line::{one_line_with_advice, print};
use parseye_events::{ReportError, event::Outcome};
use parseye_vision::classify::{EyeStateModel, gradient::GradientModel};
use resolve::is_standard;
use std::{
    ffi::OsString,
    fmt::Display,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

/// The name of the program in its messages.
const PROGRAM: &str = "parseye";

/// Exit status for a command line that cannot be understood, as is usual.
const USAGE: u8 = 2;

/// A program ended by a signal is reported as this plus the signal's number, as shells do.
const SIGNAL_BASE: usize = 128;

/// Runs the program; an error is written to stderr on one line.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    match run(arguments) {
        Ok(code) => code,
        // As with other outputs, a reader that has closed its end is no error.
        Err(error) if is_closed_output(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

/// The command line with all its flags, for what looks at it without running anything.
pub fn command() -> clap::Command {
    Args::command()
}

fn run(arguments: impl IntoIterator<Item = OsString>) -> anyhow::Result<ExitCode> {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let (settings, origins) = Settings::load_with_origins(args.config.as_deref())?;
    match args.command {
        CommandArgs::Monitor(args) => monitor::run(resolve::monitor(args, settings)?),
        CommandArgs::Demo(args) => demo::run(&resolve::demo(args, settings)?),
        CommandArgs::Cameras => list::cameras(),
        CommandArgs::Models(args) => list::models(args.json),
        CommandArgs::Replay(args) => replay::run(resolve::replay(args, settings)?),
        CommandArgs::Evaluate(args) => evaluate::run(&resolve::evaluate(args, settings)?),
        CommandArgs::Summarize(args) => summarize::run(&resolve::summarize(args, settings)?),
        CommandArgs::Config(args) => config::run(args, settings, &origins),
        CommandArgs::Check(args) => check::run(&resolve::check(args, settings)?),
        CommandArgs::Collect(args) => collect::run(&resolve::collect(args, settings)),
        CommandArgs::Man(args) => man::run(args.folder.as_deref()),
        CommandArgs::Completions(args) => completions::run(args.shell),
    }
}

/// Whether a log on standard output has lost its reader, as in `| head -1`.
fn is_closed_output(error: &anyhow::Error) -> bool {
    let report = match error.downcast_ref() {
        Some(PipelineError::Report(report)) => Some(report),
        _ => error.downcast_ref(),
    };
    match report {
        Some(ReportError::Log { path, reason }) => {
            is_standard(path) && reason.kind() == io::ErrorKind::BrokenPipe
        }
        _ => false,
    }
}

/// Writes an error or a note to stderr, on one line.
fn complain(message: &dyn Display) {
    parseye_command_line::complain(PROGRAM, message);
}

/// Writes help and version to stdout, and a mistake on one line that names the nearest known word.
fn usage(error: &clap::Error) -> anyhow::Result<ExitCode> {
    if !error.use_stderr() {
        print(&error.render().to_string())?;
        return Ok(ExitCode::SUCCESS);
    }
    complain(&one_line_with_advice(PROGRAM, error, habits::advice));
    Ok(ExitCode::from(USAGE))
}

/// Writes text for people to standard output, or to standard error where an output of the command is on
/// standard output, so that a program can read that.
fn print_beside<'a>(
    outputs: impl IntoIterator<Item = &'a Option<PathBuf>>,
    text: &str,
) -> io::Result<()> {
    let taken = outputs.into_iter().flatten().any(|path| is_standard(path));
    match taken {
        true => io::stderr().lock().write_all(text.as_bytes()),
        false => print(text),
    }
}

fn load_model(settings: &Settings) -> anyhow::Result<EyeStateModel> {
    Ok(match &settings.model.file {
        Some(path) => EyeStateModel::from_file(path)?,
        None => EyeStateModel::built_in()?,
    })
}

/// Loads the gradient graph of the model that [`load_model`] loads, where it has one.
fn load_gradient(
    settings: &Settings,
    model: &EyeStateModel,
) -> anyhow::Result<Option<GradientModel>> {
    Ok(match &settings.model.file {
        Some(path) => GradientModel::beside(path, model)?,
        None => Some(GradientModel::built_in(model)?),
    })
}

/// Lets Ctrl-C and SIGTERM request a stop; a second one ends the program at once.
fn stop_on_signals() -> anyhow::Result<Stop> {
    use signal_hook::{consts::TERM_SIGNALS, flag};
    let stop = Stop::new();
    let second = Arc::new(std::sync::atomic::AtomicBool::new(false));
    for signal in TERM_SIGNALS {
        let number = usize::try_from(*signal)?;
        flag::register_conditional_shutdown(
            *signal,
            i32::try_from(SIGNAL_BASE + number)?,
            Arc::clone(&second),
        )?;
        flag::register(*signal, Arc::clone(&second))?;
        flag::register_usize(*signal, stop.signal(), number)?;
    }
    Ok(stop)
}

/// Returns the exit status of a run that was not ended by an error of its own.
fn exit_status(outcome: Outcome, stop: &Stop) -> ExitCode {
    match (outcome, stop.requested()) {
        (_, Some(signal)) => ExitCode::from(u8::try_from(SIGNAL_BASE + signal).unwrap_or(1)),
        (Outcome::Complete, None) => ExitCode::SUCCESS,
        (Outcome::Failed | Outcome::Interrupted, None) => ExitCode::FAILURE,
    }
}
