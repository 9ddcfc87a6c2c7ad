//! What README.md and docs/ show works: commands are taken by the command line, those that need no camera
//! are run, JSON is what the program reads and writes, links lead somewhere.

use crate::support::{
    self, errors, face_detector_path, parseye, root, succeeds,
    synthetic_face::{Blink, HEIGHT, WIDTH, draw, write_clip},
};
use clap::{ArgMatches, error::ErrorKind};
use parseye_events::event::Event;
use parseye_test_needs::needs;
use parseye_testkit::{
    documents::{self, Document, all_documents, document, shell_lines},
    drawn_crops,
};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    process::{Command, Output},
};

/// Pages with commands.
const PAGES: [&str; 11] = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/ARCHITECTURE.md",
    "docs/DASHBOARDS.md",
    "docs/EVENTS.md",
    "docs/GLOSSARY.md",
    "docs/INSTALL.md",
    "docs/MODELS.md",
    "docs/RECIPES.md",
    "docs/TRAINING.md",
    "docs/TUTORIAL.md",
];

fn pages() -> Vec<Document> {
    PAGES.iter().map(|name| document(&root(), name)).collect()
}

fn shell_examples(pages: &[Document]) -> Vec<documents::ShellLine> {
    let blocks = pages.iter().flat_map(|page| page.blocks("sh"));
    blocks.flat_map(|block| shell_lines(&block)).collect()
}

/// The arguments of a command that runs the program in one of the ways that README.md names.
fn of_parseye(words: &[String]) -> Option<&[String]> {
    if words.first()? == "parseye" {
        return Some(&words[1..]);
    }
    let cargo: Vec<&str> = words.iter().map(String::as_str).collect();
    cargo
        .starts_with(&["cargo", "run", "--release", "-p", "parseye", "--"])
        .then(|| &words[6..])
}

/// The commands that an inline `parseye one|other` stands for.
fn inline_commands(code: &str) -> Vec<Vec<String>> {
    let Some(command) = documents::commands(code).into_iter().next() else {
        return Vec::new();
    };
    let most = command.iter().map(|word| word.split('|').count()).max();
    let choice = |word: &String, number: usize| {
        let choices: Vec<&str> = word.split('|').collect();
        choices[number.min(choices.len() - 1)].to_owned()
    };
    (0..most.unwrap_or(0))
        .map(|number| command.iter().map(|word| choice(word, number)).collect())
        .collect()
}

fn parse(arguments: &[String]) -> Result<ArgMatches, clap::Error> {
    let words = arguments.iter().map(String::as_str);
    parseye::cli::command().try_get_matches_from(std::iter::once("parseye").chain(words))
}

/// The prose may name a command without all that it needs.
fn is_unfinished(error: &clap::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::MissingRequiredArgument | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    )
}

#[test]
fn the_command_line_takes_every_command_that_is_shown() {
    let pages = pages();
    let mut shown = 0;
    for line in shell_examples(&pages) {
        for command in &line.commands {
            let Some(arguments) = of_parseye(command) else {
                continue;
            };
            shown += 1;
            if let Err(error) = parse(arguments) {
                panic!("{}: {}\n{error}", line.place, line.text);
            }
        }
    }
    assert!(shown >= 12, "only {shown} commands are seen");
    let mut named = 0;
    for (place, code) in pages.iter().flat_map(Document::inline_code) {
        for command in inline_commands(&code) {
            let Some(arguments) = of_parseye(&command) else {
                continue;
            };
            named += 1;
            match parse(arguments) {
                Ok(_) => {}
                Err(error) if is_unfinished(&error) => {}
                Err(error) => panic!("{place}: {code}\n{error}"),
            }
        }
    }
    assert!(named >= 20, "only {named} commands are seen in the prose");
}

/// A folder with everything that the examples name, made of drawn pictures.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [
            "bin",
            "clips",
            "eyes",
            "models",
            "runs/demo",
            "runs/fgsm",
            "runs/own",
        ] {
            fs::create_dir_all(at(name)).unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_parseye"), at("bin/parseye")).unwrap();
        let blink = Blink {
            first: 20,
            last: 25,
        };
        write_clip(&at("drive.mp4"), 60, &[blink]);
        write_clip(&at("clips/other.mp4"), 20, &[]);
        fs::copy(at("drive.mp4"), at("clips/drive.mp4")).unwrap();
        let face = image::RgbImage::from_raw(WIDTH as u32, HEIGHT as u32, draw(0, &[])).unwrap();
        face.save(at("face.jpg")).unwrap();
        fs::write(
            at("blinks.csv"),
            "clip,start_frame,end_frame,kind\ndrive,20,25,blink\n",
        )
        .unwrap();
        drawn_crops::write(&at("eyes"));
        for (from, to) in [
            ("wrn-16-1.onnx", "runs/demo/wrn-16-1.onnx"),
            ("wrn-16-1.onnx", "runs/fgsm/wrn-16-1.onnx"),
            ("wrn-16-1.onnx", "runs/own/wrn-16-1.onnx"),
            ("tiny.onnx", "theirs.adopted.onnx"),
            ("tiny.onnx", "models/tiny.onnx"),
        ] {
            fs::copy(root().join("models").join(from), at(to)).unwrap();
        }
        succeeds(parseye(folder.path()).args(["replay", "drive.mp4", "--log", "eyes.jsonl"]));
        Self { folder }
    }

    /// What a shell makes of a line.
    fn shell(&self, line: &str) -> Output {
        let mut path = OsString::from(self.folder.path().join("bin"));
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        Command::new("sh")
            .args(["-euc", line])
            .current_dir(self.folder.path())
            .env("PATH", path)
            .env("XDG_CONFIG_HOME", self.folder.path())
            .env("PARSEYE_DETECTOR__FILE", face_detector_path())
            .output()
            .expect("a shell starts")
    }

    #[track_caller]
    fn runs(&self, place: &str, line: &str) -> Output {
        let output = self.shell(line);
        assert!(
            output.status.success(),
            "{place}: {line}\n{}",
            errors(&output)
        );
        output
    }

    /// Files that a command says it writes must be there.
    #[track_caller]
    fn has_written(&self, place: &str, arguments: &[String]) {
        const OUTPUTS: [&str; 6] = [
            "--log",
            "--annotate",
            "--summary",
            "--plot",
            "--json",
            "--write",
        ];
        for pair in arguments.windows(2) {
            if OUTPUTS.contains(&pair[0].as_str()) {
                let path = self.folder.path().join(&pair[1]);
                let length = fs::metadata(&path).map_or(0, |file| file.len());
                assert!(length > 0, "{place}: {} is not written", pair[1]);
            }
        }
    }
}

/// Words that stand for something else: FILE, HOST[:PORT], LOG...
fn has_placeholder(arguments: &[String]) -> bool {
    arguments.iter().any(|word| {
        let letters = word.trim_end_matches("...");
        letters.len() > 1
            && letters.starts_with(|c: char| c.is_uppercase())
            && *letters == letters.to_uppercase()
    })
}

/// A monitor needs a camera, but its flags can be joined with the settings and shown without one.
fn without_a_camera(arguments: &[String]) -> Option<Vec<String>> {
    let (first, flags) = arguments.split_first()?;
    (first == "monitor").then(|| {
        let shown = ["config", "--print"].map(String::from);
        shown.into_iter().chain(flags.iter().cloned()).collect()
    })
}

fn is_collect(command: &[String]) -> bool {
    of_parseye(command)
        .is_some_and(|arguments| arguments.first().is_some_and(|first| first == "collect"))
}

/// The demonstration lasts a minute; its first blink ends before the third second.
fn for_a_moment(arguments: &[String]) -> Option<Vec<String>> {
    let shorter = ["--duration", "4"].map(String::from);
    let demo = arguments.first().is_some_and(|first| first == "demo");
    let bounded = arguments.contains(&shorter[0]);
    demo.then(|| [arguments, if bounded { &[][..] } else { &shorter[..] }].concat())
}

#[cfg(unix)]
#[needs(face_detector, jq)]
#[test]
fn the_examples_run() {
    let pages = pages();
    let desk = Desk::new();
    let mut ran = BTreeSet::new();
    for line in shell_examples(&pages) {
        let known = |command: &Vec<String>| of_parseye(command).is_some() || command[0] == "jq";
        if !line.commands.iter().all(known) {
            continue;
        }
        if let [command] = &line.commands[..]
            && let Some(shown) = of_parseye(command).and_then(without_a_camera)
        {
            succeeds(parseye(desk.folder.path()).args(&shown));
            ran.insert("monitor".to_owned());
            continue;
        }
        // Two minutes of a person before a camera; `collect` has tests of its own.
        if line.commands.iter().any(|command| is_collect(command)) {
            ran.insert("collect".to_owned());
            continue;
        }
        if let [command] = &line.commands[..]
            && let Some(shown) = of_parseye(command).and_then(for_a_moment)
        {
            succeeds(parseye(desk.folder.path()).args(&shown));
            desk.has_written(&line.place, &shown);
            ran.insert("demo".to_owned());
            continue;
        }
        let output = desk.runs(&line.place, &line.text);
        for command in &line.commands {
            match of_parseye(command) {
                Some(arguments) => {
                    desk.has_written(&line.place, arguments);
                    ran.insert(arguments[0].clone());
                }
                None => {
                    assert!(!output.stdout.is_empty(), "{}: nothing found", line.place);
                    ran.insert("jq".into());
                }
            }
        }
    }
    for (place, code) in pages.iter().flat_map(Document::inline_code) {
        for command in inline_commands(&code) {
            let Some(arguments) = of_parseye(&command) else {
                continue;
            };
            let is_live = arguments
                .first()
                .is_none_or(|command| command == "monitor" || command == "demo");
            if is_live || has_placeholder(arguments) || parse(arguments).is_err() {
                continue;
            }
            let output = desk.runs(&place, &command.join(" "));
            assert!(!output.stdout.is_empty(), "{place}: {code} says nothing");
            ran.insert(arguments[0].clone());
        }
    }
    let expected = [
        "cameras",
        "check",
        "completions",
        "config",
        "demo",
        "evaluate",
        "jq",
        "man",
        "models",
        "monitor",
        "replay",
        "summarize",
    ];
    assert!(ran.iter().eq(&expected), "ran only {ran:?}");
}

#[test]
fn make_has_every_target_that_is_shown() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let mut seen = 0;
    for line in shell_examples(&pages()) {
        for command in line.commands.iter().filter(|words| words[0] == "make") {
            let target = format!("\n{}:", command[1]);
            assert!(makefile.contains(&target), "{}: {}", line.place, line.text);
            seen += 1;
        }
    }
    assert!(seen >= 3, "only {seen} are seen");
}

/// The events' sections of docs/EVENTS.md: kind and text.
fn event_sections(page: &Document) -> Vec<(String, String)> {
    let mut sections = Vec::new();
    for section in page.text.split("\n### `").skip(1) {
        let (kind, text) = section.split_once('`').expect("a kind is quoted");
        let text = text.split("\n## ").next().unwrap_or_default();
        sections.push((kind.to_owned(), text.to_owned()));
    }
    sections
}

fn keys_below(value: &serde_json::Value, keys: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (key, value) in fields {
                keys.insert(key.clone());
                keys_below(value, keys);
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| keys_below(value, keys)),
        _ => {}
    }
}

/// Whether a text names a field: `` `key` `` or `` `parent.key` ``.
fn names(text: &str, key: &str) -> bool {
    text.split('`')
        .skip(1)
        .step_by(2)
        .any(|code| code == key || code.split('.').any(|part| part == key))
}

#[test]
fn every_event_has_an_example_that_the_program_reads_and_writes_back() {
    let page = document(&root(), "docs/EVENTS.md");
    let sections = event_sections(&page);
    let blink = &sections.iter().find(|(kind, _)| kind == "blink").unwrap().1;
    let mut shown = BTreeSet::new();
    for block in page.blocks("json") {
        for line in block.text.lines() {
            let value: serde_json::Value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{}: {error}\n{line}", block.place));
            let event: Event = serde_json::from_value(value.clone())
                .unwrap_or_else(|error| panic!("{}: {error}\n{line}", block.place));
            assert_eq!(
                serde_json::to_value(&event).unwrap(),
                value,
                "{}: written back it is another",
                block.place
            );
            let kind = value["event"].as_str().unwrap().to_owned();
            let (_, section) = sections
                .iter()
                .find(|(name, _)| *name == kind)
                .unwrap_or_else(|| panic!("no section tells of {kind}"));
            for key in value
                .as_object()
                .unwrap()
                .keys()
                .filter(|key| *key != "event")
            {
                let told = names(section, key)
                    || section.contains("fields of `blink`") && names(blink, key);
                assert!(told, "the section of `{kind}` does not tell of `{key}`");
            }
            let mut keys = BTreeSet::new();
            keys_below(&value, &mut keys);
            for key in keys.iter().filter(|key| *key != "event") {
                assert!(
                    names(&page.text, key),
                    "nothing tells of `{key}` of `{kind}`"
                );
            }
            shown.insert(kind);
        }
    }
    let told: BTreeSet<String> = sections.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(shown, told, "every section has its example");
}

#[needs(face_detector)]
#[test]
fn the_written_files_hold_what_their_sections_tell() {
    let folder = tempfile::tempdir().unwrap();
    let blink = Blink {
        first: 20,
        last: 25,
    };
    write_clip(&folder.path().join("a.mp4"), 60, &[blink]);
    fs::write(
        folder.path().join("t.csv"),
        "clip,start_frame,end_frame,kind\na,20,25,blink\n",
    )
    .unwrap();
    let run = |words: &str| {
        succeeds(parseye(folder.path()).args(words.split(' ')));
    };
    run("replay a.mp4 --log a.jsonl --summary sums.json --truth t.csv");
    run("summarize a.jsonl --json session.json");
    run("check a.mp4 --json check.json");
    let page = document(&root(), "docs/EVENTS.md");
    for (title, file) in [
        ("\n## Summary", "sums.json"),
        ("\n## Session", "session.json"),
        ("\n## Check", "check.json"),
    ] {
        let (_, section) = page.text.split_once(title).expect("its section is there");
        let section = section.split("\n## ").next().unwrap();
        let written = support::json(&folder.path().join(file));
        for key in written.as_object().unwrap().keys() {
            assert!(
                names(section, key),
                "the section{title} does not tell of `{key}`"
            );
        }
    }
    // What a replay writes is among the fields that are told, at any depth.
    let mut keys = BTreeSet::new();
    for event in support::events(&folder.path().join("a.jsonl")) {
        keys_below(&event, &mut keys);
    }
    keys.remove("event");
    for key in keys {
        assert!(
            names(&page.text, &key),
            "docs/EVENTS.md does not tell of `{key}`"
        );
    }
}

#[test]
fn links_lead_somewhere() {
    let mut followed = 0;
    for page in all_documents(&root()) {
        let folder = root().join(&page.name);
        let folder = folder.parent().unwrap();
        for (place, target) in page.links() {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let file = match path {
                "" => root().join(&page.name),
                path => folder.join(path),
            };
            assert!(file.exists(), "{place}: there is no {target}");
            if !anchor.is_empty() {
                let text = fs::read_to_string(&file).unwrap();
                let name = file.display().to_string();
                let there = Document { name, text }.anchors();
                assert!(
                    there.iter().any(|a| a == anchor),
                    "{place}: no heading for {target}"
                );
            }
            followed += 1;
        }
    }
    assert!(followed >= 10, "only {followed} links are seen");
}

/// Files of the repository that the prose names in full.
#[test]
fn named_files_are_there() {
    const FOLDERS: [&str; 8] = [
        ".ci/", "benches/", "configs/", "docs/", "fuzz/", "models/", "runtime/", "tests/",
    ];
    // Made or fetched, not part of the repository.
    const MADE: [&str; 1] = ["models/face-detector/"];
    let mut seen = 0;
    for page in pages() {
        for (place, code) in page.inline_code() {
            let path = code.split(' ').next().unwrap_or_default();
            let in_repository = FOLDERS.iter().any(|folder| path.starts_with(folder));
            let stands_for_many = path.contains(['*', '{', '<', '$']) || path.contains("NAME");
            if !in_repository || stands_for_many || MADE.iter().any(|made| path.starts_with(made)) {
                continue;
            }
            assert!(root().join(path).exists(), "{place}: there is no {path}");
            seen += 1;
        }
    }
    assert!(seen >= 15, "only {seen} are seen");
}
