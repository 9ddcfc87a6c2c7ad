//! A study as job arrays for Slurm, which does the scheduling.
//!
//! Two files are written: `SUITE.sbatch`, one task of an array, and `SUITE.sh`, which submits one
//! array for each level of the plan, each after the one before it has ended well. Options for
//! `sbatch`, such as `--partition` or `--gres`, are given to `SUITE.sh` and handed on.

use super::{StudyError, cell::Cell, folder::write_text, plan, suite::Suite};
use std::path::{Path, PathBuf};

/// Command of the job scripts.
#[derive(Clone, Debug)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// Its arguments for this study's `run`, without `--cell`.
    pub arguments: Vec<String>,
    /// Cores for each task.
    pub threads: Option<u16>,
}

/// Writes the scripts into `folder` and returns the path of the one that submits.
///
/// # Errors
/// When they cannot be written.
pub fn write(
    suite: Suite,
    cells: &[Cell],
    program: &Program,
    folder: &Path,
    is_done: impl Fn(&str) -> bool,
) -> Result<PathBuf, StudyError> {
    let task = folder.join(format!("{suite}.sbatch"));
    let submit = folder.join(format!("{suite}.sh"));
    let log = folder.join("slurm-%A_%a.log");
    let mut command = vec![quoted(&program.path.to_string_lossy())];
    command.extend(program.arguments.iter().map(|argument| quoted(argument)));
    let cores = program.threads.unwrap_or(1);
    write_text(
        &task,
        &format!(
            "#!/bin/sh\n#SBATCH --job-name=parseye-{suite}\n#SBATCH --nodes=1\n\
             #SBATCH --ntasks=1\n#SBATCH --cpus-per-task={cores}\n\
             exec {} --cell \"$SLURM_ARRAY_TASK_ID\"\n",
            command.join(" ")
        ),
    )?;
    let mut script = format!(
        "#!/bin/sh\n# Submits the cells of '{suite}' that were left when this was written.\n\
         # Usage: sh {suite}.sh [options of sbatch]\nset -eu\nafter=\n"
    );
    for level in plan::levels(cells) {
        let left = level.into_iter().filter(|position| {
            let cell = cells.get(*position);
            !cell.is_some_and(|cell| is_done(&cell.id()))
        });
        let left: Vec<usize> = left.collect();
        if left.is_empty() {
            continue;
        }
        // `--kill-on-invalid-dep`: where a cell fails, what needs it ends too instead of waiting
        // for ever; scripts written again submit what is left.
        script += &format!(
            "job=$(sbatch --parsable --kill-on-invalid-dep=yes --output={} --array={} \
             ${{after:+\"$after\"}} \"$@\" {})\njob=${{job%%;*}}\n\
             echo \"submitted $job\"\nafter=--dependency=afterok:$job\n",
            quoted(&log.to_string_lossy()),
            ranges(&left),
            quoted(&task.to_string_lossy()),
        );
    }
    write_text(&submit, &script)?;
    Ok(submit)
}

/// A word as a POSIX shell reads it back, whatever is in it.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./=:,%+".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Ascending numbers as Slurm writes them: `0-2,5`.
fn ranges(numbers: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *number => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let text = |(first, last): &(usize, usize)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    runs.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_slurm_reads_them() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(ranges(&[4]), "4");
    }

    #[test]
    fn a_shell_reads_words_back() {
        for word in ["a b", "it's", "$HOME", "", "plain-1.0", "a\\b\"c"] {
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(word))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), word);
        }
    }
}
