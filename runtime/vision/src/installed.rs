//! The folder of installed data: `share/parseye` of the prefix that holds the program, such as
//! /usr/share/parseye for /usr/bin/parseye. A program that was built but not installed has none.

use std::path::{Path, PathBuf};

/// Returns the data folder of a program at this path, whether it exists or not.
pub(crate) fn share_of(program: &Path) -> Option<PathBuf> {
    Some(program.parent()?.parent()?.join("share/parseye"))
}

/// Returns the data folder of this program; `None` where the system does not tell the program's path.
pub fn share() -> Option<PathBuf> {
    share_of(&std::env::current_exe().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_lies_in_the_prefix_of_the_program() {
        let share = |program| share_of(Path::new(program));
        assert_eq!(share("/usr/bin/parseye"), Some("/usr/share/parseye".into()));
        assert_eq!(share("parseye"), None);
    }
}
