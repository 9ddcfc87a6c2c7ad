//! The commands of a command line, for tests that look at the help of each.

use clap::Command;

/// The words of every command below `program`, hidden ones too, those of the program itself (none) first.
pub fn commands(program: &Command) -> Vec<Vec<String>> {
    let mut all = vec![Vec::new()];
    for command in program.get_subcommands() {
        for words in commands(command) {
            let name = std::iter::once(command.get_name().to_owned());
            all.push(name.chain(words).collect());
        }
    }
    all
}

/// The help that a command prints, as text, with the version left open and no space at the ends of lines.
pub fn printed(output: &[u8], version: &str) -> String {
    let text = String::from_utf8_lossy(output).replace(version, "VERSION");
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
}
