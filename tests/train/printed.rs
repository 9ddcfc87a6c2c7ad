//! What `train` prints, word for word: its help. A change of it is accepted by
//! `INSTA_UPDATE=always cargo test -p parseye-train --test train printed::` and shows in the diff.

use crate::support::training_runs::train;
use clap::CommandFactory;
use insta::assert_snapshot;
use parseye_testkit::help;
use parseye_train::cli::Cli;

#[test]
fn every_command_helps() {
    for words in help::commands(&Cli::command()) {
        let arguments = words.iter().map(String::as_str).chain(["--help"]);
        let output = train(&arguments.collect::<Vec<_>>());
        assert!(output.status.success(), "{words:?}");
        let name = format!("help-{}", words.join("-"));
        assert_snapshot!(
            name.trim_end_matches('-'),
            help::printed(&output.stdout, env!("CARGO_PKG_VERSION"))
        );
    }
}
