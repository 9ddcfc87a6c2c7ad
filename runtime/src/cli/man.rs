//! `parseye man`: the manual pages, made of the command line itself and of what it does not hold: exit
//! status, environment, files.

use super::{PROGRAM, print};
use anyhow::anyhow;
use clap::Command;
use clap_mangen::{
    Man,
    roff::{Roff, bold, italic, roman},
};
use std::{io, path::Path, process::ExitCode};

const SECTION: &str = "1";

/// A page under the name of its file.
struct Page {
    file: String,
    text: String,
}

/// Writes all pages into a folder, or the program's own to stdout.
///
/// # Errors
/// When one cannot be written.
pub(super) fn run(folder: Option<&Path>) -> anyhow::Result<ExitCode> {
    let program = command();
    let Some(folder) = folder else {
        print(&program_page(&program)?.text)?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut pages = vec![program_page(&program)?];
    for command in program.get_subcommands().filter(|each| !each.is_hide_set()) {
        pages.push(command_page(command)?);
    }
    for page in pages {
        let path = folder.join(&page.file);
        std::fs::write(&path, page.text).map_err(|error| {
            anyhow!(
                "{}: the manual page cannot be written: {error}; give a folder that exists and can be written to",
                path.display()
            )
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The command line with the full names of its commands.
fn command() -> Command {
    let mut command = super::command();
    command.build();
    command
}

fn program_page(program: &Command) -> anyhow::Result<Page> {
    let man = page_of(program);
    let mut text = Vec::new();
    head(&man, &mut text)?;
    man.render_options_section(&mut text)?;
    man.render_subcommands_section(&mut text)?;
    common_sections().to_writer(&mut text)?;
    Ok(Page {
        file: man.get_filename(),
        text: String::from_utf8(text)?,
    })
}

fn command_page(command: &Command) -> anyhow::Result<Page> {
    let man = page_of(command);
    let mut text = Vec::new();
    head(&man, &mut text)?;
    man.render_options_section(&mut text)?;
    let mut more = Roff::new();
    more.control("SH", ["SEE ALSO"]);
    more.text([
        bold(PROGRAM),
        roman(format!(
            "({SECTION}) for settings, files and the exit status"
        )),
    ]);
    more.to_writer(&mut text)?;
    Ok(Page {
        file: man.get_filename(),
        text: String::from_utf8(text)?,
    })
}

/// Without a date, since the same program must give the same pages on every day. An empty one would be
/// left out, and what follows it would take its place.
fn page_of(command: &Command) -> Man {
    Man::new(command.clone())
        .section(SECTION)
        .date(" ")
        .source(format!("{PROGRAM} {}", env!("CARGO_PKG_VERSION")))
        .manual("Parseye")
}

fn head(man: &Man, text: &mut Vec<u8>) -> io::Result<()> {
    man.render_title(text)?;
    man.render_name_section(text)?;
    man.render_synopsis_section(text)?;
    man.render_description_section(text)
}

fn common_sections() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (status, meaning) in [
        ("0", "All went well."),
        (
            "1",
            "Something failed; one line on standard error says what, where, and what to do.",
        ),
        ("2", "The command line cannot be understood."),
        (
            "130, 143",
            "Stopped by Ctrl-C or by SIGTERM; logs and videos are whole.",
        ),
    ] {
        roff.control("TP", []);
        roff.text([bold(status)]);
        roff.text([roman(meaning)]);
    }
    roff.control("SH", ["ENVIRONMENT"]);
    roff.control("TP", []);
    roff.text([
        bold("PARSEYE_"),
        italic("SECTION"),
        bold("__"),
        italic("KEY"),
    ]);
    roff.text([roman(
        "A setting, such as PARSEYE_CAMERA__FRAME_RATE=15; it wins over files, and a flag wins over it. PARSEYE_WEB__TOKEN keeps the token of the web dashboard out of files and process lists.",
    )]);
    roff.control("TP", []);
    roff.text([bold("NOTIFY_SOCKET"), roman(", "), bold("WATCHDOG_USEC")]);
    roff.text([roman(
        "Set by systemd: a live run notifies it when it is ready, of its status, and of its watchdog as long as frames are processed or waited for.",
    )]);
    roff.control("SH", ["FILES"]);
    for (file, meaning) in [
        (
            "./parseye.toml, ~/.config/parseye/config.toml",
            "Settings that are read by themselves, the former winning; --config takes the place of both.",
        ),
        (
            "/etc/parseye/monitor.toml",
            "Where a package installs it: every setting with its reason, read by the service parseye.service.",
        ),
        (
            "/usr/share/parseye/",
            "Where a package installs it: the face detector and the models.",
        ),
        (
            "/usr/share/doc/parseye/",
            "The layout of the event log, the dashboards.",
        ),
    ] {
        roff.control("TP", []);
        roff.text([italic(file)]);
        roff.text([roman(meaning)]);
    }
    roff
}
