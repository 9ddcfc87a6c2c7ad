//! Input and output of a command line, for both programs: text to standard output, errors on one line of
//! standard error, mistakes in flags as one line each.
//!
//! Which flags there are and what they mean is each program's own.

use std::{
    borrow::Cow,
    fmt::Display,
    io::{self, ErrorKind, Write},
};

/// Returns a text that changes nothing about a terminal: control characters, which names of files, messages
/// of other programs and model cards may hold, are written as they are in Rust and C (`\u{1b}`), and so are
/// those that turn the direction of what follows. Ends of lines and tabs stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_unprintable(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

fn is_unprintable(c: char) -> bool {
    const DIRECTIONS: [std::ops::RangeInclusive<char>; 4] = [
        '\u{61c}'..='\u{61c}',
        '\u{200e}'..='\u{200f}',
        '\u{202a}'..='\u{202e}',
        '\u{2066}'..='\u{2069}',
    ];
    (c.is_control() && c != '\n' && c != '\t') || DIRECTIONS.iter().any(|range| range.contains(&c))
}

/// Writes text to standard output and flushes it, [`printable`]. A reader that has closed its end, as in `| head -1`, is
/// no error.
///
/// # Errors
/// When it cannot be written for another reason; the error is one line for the user.
pub fn print(text: &str) -> io::Result<()> {
    print_to(&mut io::stdout().lock(), &printable(text))
}

fn print_to(out: &mut impl Write, text: &str) -> io::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(io::Error::new(
            error.kind(),
            format!(
                "standard output cannot be written: {error}; free some space or redirect it elsewhere"
            ),
        )),
        _ => Ok(()),
    }
}

/// Writes an error or a note to standard error, on one line after the program's name, [`printable`].
pub fn complain(program: &str, message: &dyn Display) {
    // When even this cannot be written, the exit status still shows the failure.
    let _ = writeln!(io::stderr(), "{program}: {}", joined(message));
}

fn joined(message: &dyn Display) -> String {
    let text = message.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    printable(&lines.join(" ")).into_owned()
}

/// Returns what is wrong with a command line, on one line that names the nearest known word where there is
/// one, and where to read more. `program` is the name of the program.
pub fn one_line(program: &str, error: &clap::Error) -> String {
    one_line_with_advice(program, error, |_| None)
}

/// Does the same; `advice` says what to give in place of a flag that the program does not have, where another
/// program's is meant.
pub fn one_line_with_advice(
    program: &str,
    error: &clap::Error,
    advice: impl Fn(&str) -> Option<&'static str>,
) -> String {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let more = format!("see `{program} --help`");
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return format!("no command given; {more}");
    }
    if error.kind() == ErrorKind::UnknownArgument
        && let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
        && let Some(advice) = advice(flag)
    {
        return format!("unexpected argument '{flag}' found; {advice}; {more}");
    }
    let text = error.render().to_string();
    let parts = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .map(|line| {
            line.trim()
                .trim_start_matches("error: ")
                .trim_start_matches("tip: ")
        })
        .filter(|line| !line.is_empty());
    let mut line = String::new();
    for part in parts {
        let separator = match line.chars().last() {
            None => "",
            Some(':') => " ",
            Some(_) => "; ",
        };
        line.push_str(separator);
        line.push_str(part);
    }
    format!("{line}; {more}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, Command};

    /// Fails with one kind of error.
    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error_and_a_full_disk_is() {
        let mut out = Vec::new();
        print_to(&mut out, "text").unwrap();
        assert_eq!(out, b"text");
        assert!(print_to(&mut Failing(ErrorKind::BrokenPipe), "text").is_ok());
        let error = print_to(&mut Failing(ErrorKind::StorageFull), "text").unwrap_err();
        assert!(error.to_string().contains("free some space"), "{error}");
    }

    #[test]
    fn no_control_character_reaches_the_terminal() {
        assert_eq!(
            printable("b\u{1b}[2Jc\rd\u{7}\u{9b}1m"),
            r"b\u{1b}[2Jc\rd\u{7}\u{9b}1m"
        );
        assert_eq!(printable("gpj.\u{202e}exe"), r"gpj.\u{202e}exe");
        assert_eq!(printable("é 目\t1\n2\n"), "é 目\t1\n2\n");
        assert_eq!(joined(&"a\u{1b}[31m\n b"), r"a\u{1b}[31m b");
    }

    #[test]
    fn an_error_of_several_lines_becomes_one() {
        assert_eq!(joined(&"first\n  second"), "first second");
    }

    #[test]
    fn a_mistake_is_one_line_with_the_nearest_word_and_where_to_read_more() {
        let line = |arguments: &[&str]| {
            let command = Command::new("blink")
                .arg(Arg::new("eye").long("eye").required(true))
                .arg_required_else_help(true);
            let error = command.try_get_matches_from(arguments).unwrap_err();
            let advice = |flag: &str| (flag == "--lid").then_some("give --eye instead");
            one_line_with_advice("blink", &error, advice)
        };
        assert_eq!(line(&["blink"]), "no command given; see `blink --help`");
        let unknown = line(&["blink", "--eys", "left"]);
        assert!(
            unknown.contains("'--eys'") && unknown.contains("'--eye'") && !unknown.contains('\n'),
            "{unknown}"
        );
        assert!(unknown.ends_with("; see `blink --help`"), "{unknown}");
        for arguments in [&["blink", "--lid", "left"][..], &["blink", "--lid=left"]] {
            assert_eq!(
                line(arguments),
                "unexpected argument '--lid' found; give --eye instead; see `blink --help`"
            );
        }
    }
}
