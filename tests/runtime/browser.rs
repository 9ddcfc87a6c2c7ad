//! The web dashboard in a real browser: a drawn face that blinks is played live, and headless
//! Chromium must show its states change, without an error and without asking anybody else.
//!
//! `PARSEYE_BROWSER` may name the browser.

use crate::support::{
    chromium::{Page, chromium},
    live_run,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use parseye_test_needs::needs;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// Longest that a step may take before the test gives up; no result depends on it.
const PATIENCE: Duration = Duration::from_secs(300);

const SIZE: (u32, u32) = (1280, 1500);

/// Whether the page has come; the empty one before it is complete, too.
const THERE: &str = r#"location.protocol === "http:" && document.readyState === "complete""#;

/// Notes every state that the page shows, from its beginning. To look now and then is not enough: a
/// slow browser may see the clip at the same place each time.
const WATCH: &str = r##"
window.shown = { left: [], right: [] };
document.addEventListener("DOMContentLoaded", () => {
    for (const [side, states] of Object.entries(shown)) {
        const state = document.querySelector(`#${side} .state`);
        new MutationObserver(() => {
            if (!states.includes(state.textContent)) states.push(state.textContent);
        }).observe(state, { childList: true, characterData: true, subtree: true });
    }
});
"##;

/// What the page says: the states of both eyes so far, and figures that grow.
const SEEN: &str = r##"({
    left: shown.left,
    right: shown.right,
    frames: document.querySelector("#frames").textContent,
    blinks: document.querySelector("#blinks").textContent,
    connection: document.querySelector("#connection").textContent,
})"##;

/// Whether anything stands on each of the charts.
const DRAWN: &str = r#"[...document.querySelectorAll("canvas")].map((canvas) => canvas
    .getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((byte) => byte))"#;

/// Errors and warnings of the page, and of the browser about it.
fn faults(events: &[Value]) -> Vec<&Value> {
    let is_fault = |event: &&Value| match event["method"].as_str() {
        Some("Runtime.exceptionThrown") => true,
        Some("Runtime.consoleAPICalled") => {
            ["error", "warning", "assert"].contains(&event["params"]["type"].as_str().unwrap())
        }
        Some("Log.entryAdded") => {
            ["error", "warning"].contains(&event["params"]["entry"]["level"].as_str().unwrap())
        }
        _ => false,
    };
    events.iter().filter(is_fault).collect()
}

fn requests(events: &[Value]) -> BTreeSet<&str> {
    let urls = events
        .iter()
        .filter_map(|event| match event["method"].as_str() {
            Some("Network.requestWillBeSent") => event["params"]["request"]["url"].as_str(),
            Some("Network.webSocketCreated") => event["params"]["url"].as_str(),
            _ => None,
        });
    urls.collect()
}

#[needs(face_detector, browser)]
#[test]
fn the_page_shows_the_eyes_change_and_asks_nobody_else() {
    let program = chromium();
    let folder = tempfile::tempdir().unwrap();
    live_run::write_blinking_clip(folder.path());
    let served = live_run::serve(folder.path(), &["--preview"]);
    let origin = format!("http://{}/", served.address);
    let mut page = Page::open(&program, &folder.path().join("profile"), SIZE);
    page.order(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({ "source": WATCH }),
    );
    page.order("Page.navigate", json!({ "url": origin }));

    let begin = Instant::now();
    let mut states = [BTreeSet::new(), BTreeSet::new()];
    let mut figures = [BTreeSet::new(), BTreeSet::new()];
    let wanted = BTreeSet::from(["Open".to_owned(), "Closed".to_owned()]);
    let done = |states: &[BTreeSet<String>], figures: &[BTreeSet<String>]| {
        states.iter().all(|seen| seen.is_superset(&wanted))
            && figures.iter().all(|seen| seen.len() > 2)
    };
    while !done(&states, &figures) {
        assert_eq!(faults(&page.events), Vec::<&Value>::new());
        assert!(begin.elapsed() < PATIENCE, "{states:?} {figures:?}");
        if page.value(THERE) == true {
            let seen = page.value(SEEN);
            let text = |key: &str| seen[key].as_str().unwrap().to_owned();
            for (states, side) in states.iter_mut().zip(["left", "right"]) {
                let shown = seen[side].as_array().unwrap().iter();
                states.extend(shown.map(|state| state.as_str().unwrap().to_owned()));
            }
            figures[0].insert(text("frames"));
            figures[1].insert(text("blinks"));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(page.value(SEEN)["connection"], "live");
    assert_eq!(page.value(DRAWN), json!([true, true, true]));

    let screenshot = page.order("Page.captureScreenshot", json!({ "format": "png" }));
    let png = STANDARD
        .decode(screenshot["data"].as_str().unwrap())
        .unwrap();
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard.png");
    fs::write(&kept, &png).unwrap();
    println!("the page as the browser drew it: {}", kept.display());
    let picture = image::load_from_memory(&png)
        .expect("a whole PNG")
        .to_rgb8();
    assert!(
        picture.width() >= 1000 && picture.height() >= 1000,
        "{:?}",
        picture.dimensions()
    );
    let colours: BTreeSet<[u8; 3]> = picture.pixels().map(|pixel| pixel.0).collect();
    // A bare page has two or three; letters, bars, charts and the preview have hundreds.
    assert!(colours.len() > 200, "{} colours", colours.len());

    assert_eq!(faults(&page.events), Vec::<&Value>::new());
    let asked = requests(&page.events);
    for path in ["", "charts.js", "dashboard.js", "style.css", "events"] {
        assert!(
            asked.contains(format!("{origin}{path}").as_str()),
            "{path}: {asked:?}"
        );
    }
    let elsewhere: Vec<_> = asked
        .iter()
        .filter(|url| !url.starts_with(&origin))
        .collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}
