//! Files of settings. What is accepted is written and read again as the same.

use parseye::config::Settings;
use std::path::Path;

/// Panics where the reader breaks that promise.
pub fn check(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let path = Path::new("settings.toml");
    let settings = match Settings::parse(text, path) {
        Ok(settings) => settings,
        Err(error) => {
            let line = error.to_string();
            assert!(
                line.starts_with("settings.toml") || line.starts_with("environment"),
                "{line}"
            );
            assert!(!line.contains('\n'), "{line}");
            return;
        }
    };
    let request = settings.camera.clone();
    assert!(request.width > 0 && request.height > 0 && request.frame_rate >= 1.0);
    assert!((0.3..=2.0).contains(&settings.eyes.crop_side));
    // Secrets are never written.
    if settings.web.token.is_some() || settings.mqtt.password.is_some() {
        return;
    }
    let written = toml::to_string(&settings).expect("settings are TOML");
    let again = Settings::parse(&written, path).expect("what was written can be read");
    assert_eq!(again, settings);
}
