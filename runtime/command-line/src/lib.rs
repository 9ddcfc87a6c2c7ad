//! Mistakes on a command line as one line each, for both programs.
//!
//! What flags there are and what they mean is each program's own.

/// What is wrong with a command line, on one line that names the nearest known word where there is
/// one, and where to read more. `program` is how the program is called.
pub fn one_line(program: &str, error: &clap::Error) -> String {
    use clap::error::ErrorKind;
    let more = format!("see `{program} --help`");
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return format!("no command given; {more}");
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
        let joint = match line.chars().last() {
            None => "",
            Some(':') => " ",
            Some(_) => "; ",
        };
        line.push_str(joint);
        line.push_str(part);
    }
    format!("{line}; {more}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Arg, Command};

    #[test]
    fn a_mistake_is_one_line_with_the_nearest_word_and_where_to_read_more() {
        let line = |arguments: &[&str]| {
            let command = Command::new("blink")
                .arg(Arg::new("eye").long("eye").required(true))
                .arg_required_else_help(true);
            let error = command.try_get_matches_from(arguments).unwrap_err();
            one_line("blink", &error)
        };
        assert_eq!(line(&["blink"]), "no command given; see `blink --help`");
        let unknown = line(&["blink", "--eys", "left"]);
        assert!(
            unknown.contains("'--eys'") && unknown.contains("'--eye'") && !unknown.contains('\n'),
            "{unknown}"
        );
        assert!(unknown.ends_with("; see `blink --help`"), "{unknown}");
    }
}
