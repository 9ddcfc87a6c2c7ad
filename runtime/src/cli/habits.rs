//! Flags that other programs have and people try here, with what does the same in this one.

/// Flags and what to give instead.
const HABITS: &[(&[&str], &str)] = &[
    (
        &[
            "--device",
            "--cam",
            "--webcam",
            "--camera-id",
            "--camera-index",
            "--index",
            "-d",
        ],
        "the camera is chosen with `parseye monitor --camera ID`",
    ),
    (
        &[
            "--source", "--input", "--file", "--video", "--path", "--image", "--images", "--url",
            "-i",
        ],
        "a recording is named without a flag, as in `parseye replay FILE`, and a camera with `parseye monitor --camera ID`",
    ),
    (
        &["--width", "--height", "--resolution", "--size", "--imgsz"],
        "the camera's frame size is a setting, as in `PARSEYE_CAMERA__WIDTH=1280 PARSEYE_CAMERA__HEIGHT=720 parseye monitor`",
    ),
    (
        &[
            "--fps",
            "--framerate",
            "--frame-rate",
            "--rate",
            "--max-fps",
        ],
        "the camera's frame rate is a setting, as in `PARSEYE_CAMERA__FRAME_RATE=15 parseye monitor`; that of images is PARSEYE_RECORDING__IMAGE_RATE",
    ),
    (
        &[
            "--headless",
            "--no-display",
            "--no-gui",
            "--nogui",
            "--no-window",
            "--no-ui",
            "--no-show",
            "--no-tui",
            "--daemon",
            "--plain",
        ],
        "--no-terminal shows no dashboard; nothing opens a window",
    ),
    (
        &[
            "--display",
            "--gui",
            "--ui",
            "--show",
            "--window",
            "--view",
            "--view-img",
        ],
        "`parseye monitor --web 127.0.0.1:8080 --preview` shows the camera in a browser; `parseye replay FILE --annotate OUT.mp4` draws on a recording",
    ),
    (
        &["--output", "--out", "--save", "--save-dir", "--csv", "-o"],
        "events go to --log FILE; `parseye replay` writes its summary to --summary FILE and a video to --annotate FILE",
    ),
    (
        &[
            "--port", "--host", "--listen", "--bind", "--http", "--server", "-p",
        ],
        "the web dashboard is served with --web 127.0.0.1:PORT",
    ),
    (
        &[
            "--threshold",
            "--thresh",
            "--conf",
            "--confidence",
            "--ear",
            "--closed-threshold",
            "--blink-threshold",
        ],
        "thresholds are settings, as in `PARSEYE_TEMPORAL__CLOSED_ABOVE=0.6`; `parseye config --print` lists them",
    ),
    (
        &[
            "--alarm",
            "--alert",
            "--siren",
            "--beep",
            "--on-alert",
            "--exec",
            "--command",
        ],
        "--on-alarm COMMAND runs a command on alarms",
    ),
    (
        &[
            "--on-blink",
            "--on-wink",
            "--on-double-blink",
            "--on-long-closure",
        ],
        "--on-event KIND=COMMAND runs a command on blinks, double blinks, winks and long closures",
    ),
    (
        &["--weights", "--onnx", "--network", "--net", "-m"],
        "the eye-state model is chosen with --model FILE",
    ),
    (
        &[
            "--gpu",
            "--cuda",
            "--cpu",
            "--threads",
            "--num-threads",
            "--workers",
        ],
        "it runs on the processor, one core for the frames; there is nothing to choose",
    ),
    (
        &["--timeout", "--time", "--seconds", "-t"],
        "--duration SECONDS ends a run after that time",
    ),
    (
        &["--settings", "--conf-file", "--cfg", "-c"],
        "settings are read from --config FILE",
    ),
    (
        &["--verbose", "--debug", "--trace", "-v"],
        "everything that is known of a frame is in the event log, --log FILE; -V prints the version",
    ),
    (
        &["--quiet", "--silent", "-q"],
        "the status line goes to standard error, which `2>/dev/null` leaves out",
    ),
    (
        &["--log-file", "--logfile", "--events", "--record"],
        "events go to --log FILE",
    ),
    (
        &["--format", "--jsonl"],
        "--log FILE writes JSON lines; --json FILE is an output of `summarize`, `check` and `evaluate`",
    ),
];

/// Returns what does the same as a flag that is not known here.
pub(super) fn advice(flag: &str) -> Option<&'static str> {
    let is_it = |(flags, _): &&(&[&str], &str)| flags.contains(&flag);
    HABITS.iter().find(is_it).map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{USAGE, command, main};
    use std::process::ExitCode;

    /// All flags of the program.
    fn known() -> Vec<String> {
        let long = |command: &clap::Command| -> Vec<String> {
            let flags = command.get_arguments().filter_map(clap::Arg::get_long);
            flags.map(|flag| format!("--{flag}")).collect()
        };
        let command = command();
        let mut known = long(&command);
        known.extend(command.get_subcommands().flat_map(long));
        known
    }

    #[test]
    fn no_habit_is_a_flag_of_ours_and_every_flag_that_is_named_is() {
        let known = known();
        let mut seen = std::collections::BTreeSet::new();
        for (flags, advice) in HABITS {
            for flag in *flags {
                assert!(!known.iter().any(|ours| ours == flag), "{flag} is ours");
                assert!(seen.insert(flag), "{flag} twice");
            }
            let named = advice.split(|letter: char| !(letter.is_alphanumeric() || letter == '-'));
            for flag in named.filter(|word| word.starts_with("--")) {
                assert!(known.iter().any(|ours| ours == flag), "{flag} is none");
            }
        }
        assert_eq!(advice("--brightness"), None);
    }

    #[test]
    fn a_habit_is_a_mistake_all_the_same() {
        let arguments = ["parseye", "monitor", "--headless"];
        let code = main(arguments.map(Into::into));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(USAGE)));
    }
}
