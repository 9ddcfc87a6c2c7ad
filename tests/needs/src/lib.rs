//! The attribute [`needs`]: a test whose data or tools this machine lacks is reported as ignored, with the
//! reason, and counted, where it would otherwise return early and pass.
//!
//! What is there is looked for by `probe.sh` when the tests are built. `make test` builds them anew when that
//! has changed; after installing something by hand, `touch tests/needs/src/lib.rs` does the same.

use proc_macro::TokenStream;
use std::{
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
};

/// Names that tests may need, as `probe.sh` prints them, and what they stand for.
const NEEDS: [(&str, &str); 13] = [
    ("face_detector", "the face detector (make models)"),
    ("clips", "clips/ in PARSEYE_DATA"),
    ("crops", "eyes/ in PARSEYE_DATA"),
    ("browser", "Chromium, or PARSEYE_BROWSER"),
    ("jq", "jq"),
    ("mosquitto", "mosquitto and its clients"),
    ("terminal", "`script` of util-linux"),
    (
        "rtsp_server",
        "GStreamer's RTSP server and its Python bindings",
    ),
    ("small_disk", "the right to mount a tmpfs"),
    ("slurm", "slurm-wlm and munge"),
    ("root", "root"),
    ("font", "a font on this system"),
    ("no_camera", "a machine without a camera"),
];

/// Environment variables that `probe.sh` reads: a test is built anew when one changes.
const VARIABLES: [&str; 2] = ["PARSEYE_DATA", "PARSEYE_BROWSER"];

/// `#[needs(NAME, ...)]` above `#[test]`: the test is ignored where one of the named things is missing.
#[proc_macro_attribute]
pub fn needs(names: TokenStream, test: TokenStream) -> TokenStream {
    let names = names.to_string();
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    match ignored(&names, &test.to_string(), found()) {
        Ok(attribute) => {
            let mut all = parsed(&attribute);
            all.extend(test);
            for variable in VARIABLES {
                all.extend(parsed(&format!(
                    "const _: ::core::option::Option<&str> = ::core::option_env!({variable:?});"
                )));
            }
            all
        }
        Err(mistake) => parsed(&format!("::core::compile_error!({mistake:?});")),
    }
}

fn parsed(code: &str) -> TokenStream {
    code.parse().unwrap_or_default()
}

/// The attribute that a test gets, empty where all is there.
fn ignored(names: &[&str], test: &str, found: &[String]) -> Result<String, String> {
    // Whatever stands above `test` is gone when `test` is expanded.
    if !test.contains("test]") {
        return Err("`needs` must stand above `#[test]`".into());
    }
    let mut missing = Vec::new();
    for name in names {
        let Some((_, meaning)) = NEEDS.iter().find(|(known, _)| known == name) else {
            return Err(format!("nothing is known of '{name}'"));
        };
        if !found.iter().any(|found| found == name) {
            missing.push(*meaning);
        }
    }
    Ok(match &missing[..] {
        [] => String::new(),
        missing => format!("#[ignore = {:?}]", format!("needs {}", missing.join(", "))),
    })
}

/// What `probe.sh` prints; nothing on a system without a shell.
fn found() -> &'static [String] {
    static FOUND: OnceLock<Vec<String>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let probe = Path::new(env!("CARGO_MANIFEST_DIR")).join("probe.sh");
        let output = Command::new("sh").arg(probe).stdin(Stdio::null()).output();
        let text = output.map_or_else(|_| Vec::new(), |output| output.stdout);
        String::from_utf8_lossy(&text)
            .lines()
            .map(str::to_owned)
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST: &str = "#[test] fn works() {}";

    #[test]
    fn what_is_missing_is_the_reason() {
        let found = ["jq".to_owned()];
        assert_eq!(ignored(&["jq"], TEST, &found), Ok(String::new()));
        assert_eq!(
            ignored(&["jq", "root", "font"], TEST, &found).as_deref(),
            Ok("#[ignore = \"needs root, a font on this system\"]")
        );
    }

    #[test]
    fn mistakes_are_compile_errors() {
        assert!(ignored(&["jp"], TEST, &[]).unwrap_err().contains("'jp'"));
        assert!(
            ignored(&["jq"], "fn works() {}", &[])
                .unwrap_err()
                .contains("above")
        );
    }

    #[test]
    fn the_probe_prints_known_names_only() {
        for name in found() {
            assert!(NEEDS.iter().any(|(known, _)| known == name), "{name}");
        }
    }
}
