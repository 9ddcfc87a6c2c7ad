//! What the documents show their readers: commands, JSON, links. Enough of Markdown and of the shell for
//! how this project writes them.

// What a page lacks fails the test that reads it.
#![allow(clippy::expect_used, clippy::panic)]

use std::{fs, path::Path};

/// A page.
pub struct Document {
    /// Path below the repository's root.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// A fenced block.
pub struct Block {
    /// `README.md:57`, its first line.
    pub place: String,
    /// What stands behind the opening fence.
    pub language: String,
    /// The lines between the fences.
    pub text: String,
}

/// A line for the shell, with what it continues on.
pub struct ShellLine {
    /// `README.md:57`.
    pub place: String,
    /// The line, joined with what it continues on.
    pub text: String,
    /// Its commands in order, in words.
    pub commands: Vec<Vec<String>>,
}

/// Reads a page.
pub fn document(root: &Path, name: &str) -> Document {
    let text =
        fs::read_to_string(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    Document {
        name: name.into(),
        text,
    }
}

/// The pages at the top of the repository and all of docs/, its folders too.
pub fn all_documents(root: &Path) -> Vec<Document> {
    let at_the_top = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
    ];
    let mut names = at_the_top.map(str::to_owned).to_vec();
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).expect("the folder can be listed") {
            let entry = entry.expect("the folder can be listed");
            let name = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.push(name);
            } else if name.ends_with(".md") {
                names.push(name);
            }
        }
    }
    names.sort();
    names.iter().map(|name| document(root, name)).collect()
}

impl Document {
    /// The fenced blocks of a language.
    pub fn blocks(&self, language: &str) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut fenced = false;
        for (number, line) in self.text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), fenced) {
                (Some(language), false) => blocks.push(Block {
                    place: format!("{}:{}", self.name, number + 2),
                    language: language.trim().into(),
                    text: String::new(),
                }),
                (None, true) => {
                    let block = blocks.last_mut().expect("a fence began it");
                    block.text += line;
                    block.text.push('\n');
                }
                _ => {}
            }
            fenced ^= line.trim_start().starts_with("```");
        }
        assert!(!fenced, "{}: a fence is not closed", self.name);
        blocks.retain(|block| block.language == language);
        blocks
    }

    /// The text without fenced blocks, which are left as empty lines.
    pub fn prose(&self) -> String {
        let mut fenced = false;
        let mut prose = String::new();
        for line in self.text.lines() {
            let fence = line.trim_start().starts_with("```");
            if !fence && !fenced {
                prose += line;
            }
            fenced ^= fence;
            prose.push('\n');
        }
        prose
    }

    /// Code within the prose, with its place; one that goes on over a line's end is joined.
    pub fn inline_code(&self) -> Vec<(String, String)> {
        let prose = self.prose();
        let mut found = Vec::new();
        let mut line = 1;
        for paragraph in prose.split("\n\n") {
            let mut at = line;
            for (index, part) in paragraph.split('`').enumerate() {
                if index % 2 == 1 {
                    let words: Vec<&str> = part.split_whitespace().collect();
                    found.push((format!("{}:{at}", self.name), words.join(" ")));
                }
                at += part.matches('\n').count();
            }
            line += paragraph.matches('\n').count() + 2;
        }
        found
    }

    /// Targets of links and pictures, with their places.
    pub fn links(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (number, line) in self.prose().lines().enumerate() {
            let place = format!("{}:{}", self.name, number + 1);
            for (begin, end) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
                for part in line.split(begin).skip(1) {
                    let target = part.split(end).next().unwrap_or_default();
                    found.push((place.clone(), target.to_owned()));
                }
            }
        }
        found
    }

    /// Anchors of its headings, as code hosts make them.
    pub fn anchors(&self) -> Vec<String> {
        let prose = self.prose();
        let headings = prose.lines().filter(|line| line.starts_with('#'));
        headings
            .map(|line| {
                let title = line.trim_start_matches('#').trim().to_lowercase();
                let kept = title
                    .chars()
                    .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
                kept.map(|c| if c == ' ' { '-' } else { c }).collect()
            })
            .collect()
    }
}

/// The lines of a block for the shell.
pub fn shell_lines(block: &Block) -> Vec<ShellLine> {
    let (name, first) = block.place.rsplit_once(':').expect("a place has a line");
    let first: usize = first.parse().expect("a line has a number");
    let mut lines = Vec::new();
    let mut rest = block.text.lines().enumerate();
    while let Some((number, line)) = rest.next() {
        let mut text = line.to_owned();
        while let Some(begun) = text.strip_suffix('\\') {
            let (_, more) = rest.next().expect("a line goes on");
            text = format!("{} {}", begun.trim_end(), more.trim_start());
        }
        let commands = commands(&text);
        if !commands.is_empty() {
            lines.push(ShellLine {
                place: format!("{name}:{}", first + number),
                text,
                commands,
            });
        }
    }
    lines
}

/// The commands of a line in words, without what the shell itself does with them.
pub fn commands(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    for (word, quoted) in words(line) {
        let last = commands.last_mut().expect("there is always one");
        let word = match (word.as_str(), quoted) {
            ("|" | "&&" | ";" | "do" | "done", false) => {
                commands.push(Vec::new());
                continue;
            }
            ("sudo", false) if last.is_empty() => continue,
            (assigned, false) if last.is_empty() && assigned.contains('=') => continue,
            _ => word,
        };
        match word.strip_suffix(';') {
            Some(word) if !quoted => {
                last.push(word.to_owned());
                commands.push(Vec::new());
            }
            _ => last.push(word),
        }
    }
    commands.retain(|words| !words.is_empty());
    commands
}

/// The words of a line up to a comment, and whether any of each was quoted.
fn words(line: &str) -> Vec<(String, bool)> {
    let mut words = Vec::new();
    let mut word: Option<(String, bool)> = None;
    let mut quote = None;
    for c in line.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().0.push(c),
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default().1 = true;
            }
            ('#', None) if word.is_none() => break,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().0.push(c),
        }
    }
    assert!(quote.is_none(), "a quotation mark is not closed: {line}");
    words.extend(word);
    words
}
