//! What README.md and docs/ show of `train` is taken by its command line. Nothing is run: trainings take
//! hours.

use clap::Parser;
use parseye_testkit::{
    documents::{document, shell_lines},
    places::repository,
};
use parseye_train::cli::Cli;

const PAGES: [&str; 7] = [
    "README.md",
    "docs/ARCHITECTURE.md",
    "docs/INSTALL.md",
    "docs/MODELS.md",
    "docs/RESULTS.md",
    "docs/TRAINING.md",
    "docs/results/study.md",
];

/// The arguments of a command that runs the program in one of the ways that README.md names.
fn of_train(words: &[String]) -> Option<&[String]> {
    if words.first()? == "train" {
        return Some(&words[1..]);
    }
    let cargo: Vec<&str> = words.iter().map(String::as_str).collect();
    cargo
        .starts_with(&["cargo", "run", "--release", "-p", "parseye-train", "--"])
        .then(|| &words[6..])
}

#[test]
fn the_command_line_takes_every_command_that_is_shown() {
    let root = repository();
    let pages = PAGES.map(|name| document(&root, name));
    let blocks = pages.iter().flat_map(|page| page.blocks("sh"));
    let mut shown = 0;
    for line in blocks.flat_map(|block| shell_lines(&block)) {
        for command in &line.commands {
            let Some(arguments) = of_train(command) else {
                continue;
            };
            shown += 1;
            // A loop's variable stands for a number.
            let arguments = arguments.iter().map(|word| word.replace("$i", "0"));
            let command = std::iter::once("train".to_owned()).chain(arguments);
            if let Err(error) = Cli::try_parse_from(command) {
                panic!("{}: {}\n{error}", line.place, line.text);
            }
        }
    }
    assert!(shown >= 12, "only {shown} commands are seen");
}
