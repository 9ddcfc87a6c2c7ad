//! The manual pages and the completions that packages install.

use crate::support::{parseye, refused, succeeds};
use std::fs;

/// What users type, as README.md shows it.
const COMMANDS: [&str; 10] = [
    "monitor",
    "demo",
    "collect",
    "cameras",
    "models",
    "replay",
    "evaluate",
    "summarize",
    "config",
    "check",
];

#[test]
fn every_command_has_a_page_and_the_program_names_them_all() {
    let folder = tempfile::tempdir().unwrap();
    succeeds(parseye(folder.path()).args(["man", "."]));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let program = read("parseye.1");
    for words in [
        concat!(
            ".TH parseye 1 \" \" \"parseye ",
            env!("CARGO_PKG_VERSION"),
            "\" Parseye"
        ),
        ".SH \"EXIT STATUS\"",
        ".SH FILES",
        "NOTIFY_SOCKET",
    ] {
        assert!(program.contains(words), "no {words}");
    }
    for command in COMMANDS {
        let page = read(&format!("parseye-{command}.1"));
        assert!(page.contains(&format!(".TH parseye-{command} 1")), "{page}");
        assert!(
            program.contains(&format!("parseye\\-{command}(1)")),
            "{command}"
        );
    }
    assert!(read("parseye-monitor.1").contains("\\-\\-camera"));
    let pages = fs::read_dir(folder.path()).unwrap();
    let pages = pages.filter(|page| {
        let path = page.as_ref().unwrap().path();
        path.extension().is_some_and(|ending| ending == "1")
    });
    assert_eq!(pages.count(), 1 + COMMANDS.len(), "hidden ones have none");
    let alone = succeeds(parseye(folder.path()).arg("man"));
    assert_eq!(String::from_utf8_lossy(&alone.stdout), program);
    refused(
        parseye(folder.path()).args(["man", "nowhere"]),
        1,
        &[
            "nowhere/parseye.1",
            "cannot be written",
            "folder that exists",
        ],
    );
}

#[test]
fn shells_complete_commands_and_flags() {
    let folder = tempfile::tempdir().unwrap();
    for (shell, words) in [
        ("bash", ["complete -F _parseye", "--self-check"]),
        ("zsh", ["#compdef parseye", "--self-check"]),
        ("fish", ["complete -c parseye", "self-check"]),
    ] {
        let script = succeeds(parseye(folder.path()).args(["completions", shell]));
        let script = String::from_utf8(script.stdout).unwrap();
        for word in words.iter().chain(&COMMANDS) {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
    }
    refused(
        parseye(folder.path()).args(["completions", "bsh"]),
        2,
        &["'bsh'", "'bash'"],
    );
}
