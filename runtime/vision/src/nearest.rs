//! "Did you mean" hints for mistyped names, the same in every error message.

/// Returns the known name most similar to `given`, where one is similar enough to be worth naming.
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The Jaro-Winkler similarity of unrelated words is commonly 0.4 to 0.6; clap has the same limit.
    const SIMILAR: f64 = 0.7;
    known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(similarity, _)| *similarity > SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// Returns ` (did you mean 'NAME'?)`, or nothing where no known name is similar.
pub fn hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, known).map_or_else(String::new, |name| format!(" (did you mean '{name}'?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_similar_and_nothing_else() {
        assert_eq!(nearest("camra", ["camera", "model"]), Some("camera"));
        assert_eq!(nearest("zzz", ["camera", "model"]), None);
        assert_eq!(hint("zzz", ["camera"]), "");
    }
}
