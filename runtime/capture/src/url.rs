//! Addresses of network cameras, and how they are shown: never with a user's name, a password or a query,
//! which may hold them.

use std::fmt;

/// Schemes that a network camera may have.
const SCHEMES: [&str; 4] = ["rtsp", "rtsps", "http", "https"];

/// What is wrong with a URL, in words without its secrets.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UrlError {
    #[error("'{scheme}' is no protocol that is read; known: {}", SCHEMES.join(", "))]
    UnknownProtocol { scheme: String },
    #[error("the URL names no host")]
    NoHost,
    #[error("the URL holds a space or a control character; write %20 for a space")]
    Unwritable,
}

/// The address of a network camera.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CameraUrl {
    full: String,
    shown: String,
}

impl CameraUrl {
    /// Parses the id of a camera; `None` where it is no URL.
    ///
    /// # Errors
    /// When it is one, and no camera's.
    pub(crate) fn parse(id: &str) -> Option<Result<Self, UrlError>> {
        let (scheme, rest) = id.split_once("://")?;
        let shown = without_credentials(id);
        let is_known = SCHEMES
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known));
        let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        let host = host.rsplit('@').next().unwrap_or(host);
        Some(if !is_known {
            Err(UrlError::UnknownProtocol {
                scheme: scheme.into(),
            })
        } else if host.is_empty() || host.starts_with(':') {
            Err(UrlError::NoHost)
        } else if id.chars().any(|c| c.is_control() || c == ' ') {
            Err(UrlError::Unwritable)
        } else {
            Ok(Self {
                full: id.into(),
                shown,
            })
        })
    }

    /// Borrows the URL with all its secrets, for the program that connects to it.
    pub(crate) fn reveal(&self) -> &str {
        &self.full
    }

    /// Borrows the URL as it may be shown.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    /// Returns whether it is of this protocol, encrypted or not.
    pub(crate) fn is(&self, protocol: &str) -> bool {
        let scheme = self.full.split("://").next().unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        scheme.strip_suffix('s').unwrap_or(&scheme) == protocol
    }

    /// Takes this URL's secrets, and those of any other, out of a message.
    pub(crate) fn clean(&self, message: &str) -> String {
        let mut message = without_credentials(&message.replace(&self.full, &self.shown));
        for secret in self.secrets() {
            message = message.replace(&secret, "...");
        }
        message
    }

    /// Returns the parts that must not be shown, as they stand and decoded. Short ones would be found in any
    /// text.
    fn secrets(&self) -> Vec<String> {
        const SHORTEST: usize = 4;
        let after = self.full.split_once("://").map_or("", |(_, rest)| rest);
        let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        let query = after.split_once('?').map(|(_, query)| query);
        let mut parts = Vec::new();
        parts.extend(user.map(str::to_owned));
        parts.extend(user.and_then(|user| Some(user.split_once(':')?.1.to_owned())));
        parts.extend(query.map(str::to_owned));
        let decoded: Vec<String> = parts.iter().map(|part| decoded(part)).collect();
        parts.extend(decoded);
        parts.retain(|part| part.len() >= SHORTEST);
        parts
    }
}

impl fmt::Debug for CameraUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Display for CameraUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// Takes user names, passwords and queries out of all URLs in a text.
pub(crate) fn without_credentials(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '<' | '>' | '|'))
            .unwrap_or(after.len());
        // What ends a clause is no part of a URL in a message.
        let end = after[..end].trim_end_matches([':', ',', ';', ')']).len();
        let (url, following) = after.split_at(end);
        let path_at = url.find(['/', '?', '#']).unwrap_or(url.len());
        // A password with a slash in it makes a user's part of what looks like the host and its path.
        let user_end = match url[..path_at].rfind('@') {
            Some(at) => at + 1,
            None => url
                .split('?')
                .next()
                .and_then(|url| url.rfind('@'))
                .map_or(0, |at| at + 1),
        };
        let url = &url[user_end..];
        match url.split_once('?') {
            Some((path, _)) => {
                shown.push_str(path);
                shown.push_str("?...");
            }
            None => shown.push_str(url),
        }
        rest = following;
    }
    shown + rest
}

/// Decodes `%40` and its like.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |at: usize| {
            after
                .get(at)
                .and_then(|digit| char::from(*digit).to_digit(16))
        };
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((16 * high + low) as u8);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> CameraUrl {
        CameraUrl::parse(text).unwrap().unwrap()
    }

    #[test]
    fn credentials_are_never_shown() {
        for (full, shown) in [
            ("rtsp://cam.local/stream", "rtsp://cam.local/stream"),
            ("rtsp://admin:s3cret@cam:554/h264", "rtsp://cam:554/h264"),
            ("http://admin@cam/video", "http://cam/video"),
            ("rtsp://a:p@ss:w@rd@cam/1", "rtsp://cam/1"),
            ("rtsp://a:pass/word@cam/1", "rtsp://cam/1"),
            ("http://cam/cgi?user=admin&pwd=s3cret", "http://cam/cgi?..."),
            ("http://a:b@[fe80::1]:81/x?y#z", "http://[fe80::1]:81/x?..."),
        ] {
            assert_eq!(url(full).shown(), shown);
            assert_eq!(format!("{:?}", url(full)), shown);
        }
    }

    #[test]
    fn messages_are_cleaned_of_them_in_every_spelling() {
        let url = url("rtsp://admin:s3cr%40t@cam/x?key=abcdef");
        for (message, expected) in [
            (
                "rtsp://admin:s3cr%40t@cam/x?key=abcdef: 401",
                "rtsp://cam/x?...: 401",
            ),
            (
                "method DESCRIBE failed for admin:s3cr@t",
                "method DESCRIBE failed for ...",
            ),
            ("bad s3cr@t, or s3cr%40t", "bad ..., or ..."),
            (
                "redirect to http://u:p@other/y 'a'",
                "redirect to http://other/y 'a'",
            ),
            ("Connection refused", "Connection refused"),
        ] {
            let cleaned = url.clean(message);
            assert!(!cleaned.contains("s3cr"), "{cleaned}");
            assert_eq!(cleaned, expected);
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_said_without_its_secrets() {
        for (text, expected) in [
            ("rtmp://a:secret@b/c", "known: rtsp"),
            ("rtsp:///stream", "no host"),
            ("http://u:secret@:80/", "no host"),
            ("http://cam/a b", "%20"),
        ] {
            let error = CameraUrl::parse(text).unwrap().unwrap_err().to_string();
            assert!(
                error.contains(expected) && !error.contains("secret"),
                "{error}"
            );
        }
        for id in ["0", "/dev/video0", "BRIO", "pipe:cat a", "-", "a.mp4"] {
            assert!(CameraUrl::parse(id).is_none(), "{id}");
        }
        assert!(url("RTSPS://cam/").is("rtsp") && !url("http://cam/").is("rtsp"));
    }

    proptest! {
        #[test]
        fn no_password_survives(
            user in "[a-z]{1,8}", password in "[a-zA-Z0-9:@!$&*+,;=_.~%-]{6,20}", path in "[a-z/]{0,10}",
        ) {
            let full = format!("rtsp://{user}:{password}@cam/{path}");
            let url = url(&full);
            prop_assert_eq!(url.shown(), format!("rtsp://cam/{path}"));
            let message = url.clean(&format!("'{full}': {password} is wrong"));
            prop_assert!(!message.contains(&password), "{}", message);
        }

        #[test]
        fn any_text_is_cleaned(text in "(rtsp://)?.{0,40}(://)?.{0,20}") {
            let cleaned = without_credentials(&text);
            prop_assert_eq!(without_credentials(&cleaned), cleaned);
        }
    }
}
