//! Where the web dashboard listens, and who may look.

use parseye_vision::settings::{SettingError, check_range};
use serde::{Deserialize, Serialize, Serializer};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// The web dashboard and its metrics. Without an address nothing listens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebSettings {
    /// Address and port to listen on, such as `127.0.0.1:8080`; a port alone is one of this
    /// machine only, and port 0 any that is free.
    pub address: Option<String>,
    /// What a client must show, as `Authorization: Bearer TOKEN` or once as `?token=TOKEN`.
    /// Required for addresses that other machines can reach.
    pub token: Option<Token>,
    /// Whether the page shows the newest frame. Off: most who watch the metrics need no face.
    pub preview: bool,
    /// Names by which browsers may call this machine, beside `localhost` and its addresses. A
    /// request for any other name is refused: a hostile page could let a name of its own point
    /// here (DNS rebinding).
    pub hosts: Vec<String>,
    /// Most connections at a time; further ones are turned away. 64: some thirty open pages,
    /// with at most 0.5 MB of buffers each.
    pub clients: usize,
}

impl Default for WebSettings {
    fn default() -> Self {
        Self {
            address: None,
            token: None,
            preview: false,
            hosts: Vec::new(),
            clients: 64,
        }
    }
}

/// Most connections that may be asked for: each holds a file descriptor, of which a process
/// usually has 1024.
pub(super) const MOST_CLIENTS: usize = 512;

/// Connections that event streams leave free for other requests.
pub(super) const RESERVED: usize = 8;

/// Shortest token accepted, in characters: 80 bits in hexadecimal digits, more than can be guessed
/// over a network.
const SHORTEST_TOKEN: usize = 20;

/// A secret that is read and compared, but never shown or written.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Token(String);

/// What stands for a token wherever settings are printed. It is no token itself.
const HIDDEN: &str = "(hidden)";

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Token {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Token {
    #[cfg(feature = "web")]
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn check(&self) -> Result<(), SettingError> {
        // These need no escaping in a header, a query and a cookie.
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._~".contains(letter);
        if self.0.chars().count() < SHORTEST_TOKEN || !self.0.chars().all(plain) {
            // The token itself is shown by no message.
            return Err(SettingError::new(
                "token",
                "too short or holds unusual characters",
                format!(
                    "at least {SHORTEST_TOKEN} letters, digits or -._~, such as `openssl rand -hex 16` makes"
                ),
            ));
        }
        Ok(())
    }
}

impl WebSettings {
    /// Checks that every value means something, and that nobody is let in by mistake.
    ///
    /// # Errors
    /// With the key, its value, and what is accepted.
    pub fn check(&self) -> Result<(), SettingError> {
        if let Some(token) = &self.token {
            token.check()?;
        }
        check_range(
            "clients",
            self.clients,
            RESERVED + 1..=MOST_CLIENTS,
            format!("{} to {MOST_CLIENTS}", RESERVED + 1),
        )?;
        for host in &self.hosts {
            let plain = |letter: char| letter.is_ascii_alphanumeric() || "-.".contains(letter);
            if host.is_empty() || !host.chars().all(plain) {
                return Err(SettingError::new(
                    "hosts",
                    format_args!("a list with '{host}'"),
                    "names without port, such as \"pi.local\"",
                ));
            }
        }
        if let Some(address) = self.socket_address()?
            && !address.ip().is_loopback()
            && self.token.is_none()
        {
            return Err(SettingError::new(
                "address",
                format_args!("{address}, which other machines can reach"),
                format!(
                    "--token as well, or listen on 127.0.0.1:{} and reach it through `ssh -L`",
                    address.port()
                ),
            ));
        }
        Ok(())
    }

    /// Where to listen, where anything should.
    ///
    /// # Errors
    /// When the address is none.
    pub fn socket_address(&self) -> Result<Option<SocketAddr>, SettingError> {
        let Some(text) = &self.address else {
            return Ok(None);
        };
        let here = |port: &str| {
            let port = port.parse().ok()?;
            Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
        };
        let address = text
            .parse()
            .ok()
            .or_else(|| here(text))
            .or_else(|| here(text.strip_prefix("localhost:")?));
        match address {
            Some(address) => Ok(Some(address)),
            None => Err(SettingError::new(
                "address",
                format_args!("'{text}'"),
                "an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> WebSettings {
        WebSettings {
            address: Some(address.into()),
            ..WebSettings::default()
        }
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let read = |text: &str| at(text).socket_address().map(|address| address.unwrap());
        assert_eq!(read("8080").unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(read("localhost:0").unwrap().to_string(), "127.0.0.1:0");
        assert_eq!(read("[::1]:80").unwrap().to_string(), "[::1]:80");
        for wrong in ["", "127.0.0.1", "example.org:80", "127.0.0.1:99999", ":"] {
            assert!(
                read(wrong).unwrap_err().to_string().contains("such as"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn nobody_is_let_in_by_mistake() {
        assert_eq!(at("127.0.0.1:80").check(), Ok(()));
        assert_eq!(at("[::1]:80").check(), Ok(()));
        for open in ["0.0.0.0:80", "[::]:80", "192.168.1.5:80"] {
            let refused = at(open).check().unwrap_err().to_string();
            assert!(refused.contains("--token"), "{open}");
            let mut settings = at(open);
            settings.token = Some(Token("0123456789abcdef0123".into()));
            assert_eq!(settings.check(), Ok(()));
        }
        for bad in [
            "",
            "short",
            "with spaces that make it long",
            "0123456789abcdef01234;x",
        ] {
            let mut settings = at("127.0.0.1:80");
            settings.token = Some(Token(bad.into()));
            let refused = settings.check().unwrap_err().to_string();
            assert!(refused.starts_with("token"), "{bad}");
            let printed = format!("{settings:?} {}", serde_json::to_string(&settings).unwrap());
            assert!(bad.is_empty() || !printed.contains(bad), "{printed}");
        }
    }
}
