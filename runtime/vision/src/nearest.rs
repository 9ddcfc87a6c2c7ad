//! "Did you mean" hints for mistyped names, the same in every error message.

/// The known name most like `given`, where one is alike enough to be worth naming.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Jaro-Winkler of unrelated words is commonly 0.4 to 0.6; clap draws the same line at 0.7.
    const ALIKE: f64 = 0.7;
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// ` (did you mean 'NAME'?)`, or nothing where no known name is alike.
pub fn hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map_or_else(String::new, |name| format!(" (did you mean '{name}'?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_alike_and_nothing_else() {
        assert_eq!(nearest("camra", ["camera", "model"]), Some("camera"));
        assert_eq!(nearest("zzz", ["camera", "model"]), None);
        assert_eq!(hint("zzz", ["camera"]), "");
    }
}
