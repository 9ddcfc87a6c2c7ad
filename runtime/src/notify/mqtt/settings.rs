//! Where the broker is, and the name of this monitor there.

use parseye_vision::settings::SettingError;
use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;

/// An MQTT broker. Without one nothing is sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MqttSettings {
    /// Host, or host and port, such as `localhost:1883`. The connection is not encrypted: over a
    /// network that others use, reach the broker through a tunnel.
    pub broker: Option<String>,
    /// Name of this monitor in topics, `parseye/NAME/...`, and among the broker's clients, where no
    /// other may have it.
    pub name: String,
    /// User name at the broker.
    pub username: Option<String>,
    /// Password at the broker; the environment (`PARSEYE_MQTT__PASSWORD`) keeps it out of files.
    pub password: Option<Password>,
    /// First part of the topics where Home Assistant looks for devices; empty sends it nothing.
    pub discovery_prefix: String,
}

impl Default for MqttSettings {
    fn default() -> Self {
        Self {
            broker: None,
            name: "parseye".into(),
            username: None,
            password: None,
            discovery_prefix: "homeassistant".into(),
        }
    }
}

/// The port of MQTT without encryption (IANA).
const PORT: u16 = 1883;

/// Longest name accepted: brokers may refuse longer client names than 23 letters beyond
/// `parseye-` (MQTT 3.1.1, 3.1.3.1).
const LONGEST_NAME: usize = 23;

/// Host and port of a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BrokerAddress {
    /// Name or number, an IPv6 number without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl MqttSettings {
    /// Returns the broker, where one is given that [`Self::check`] accepted.
    #[cfg(feature = "mqtt")]
    pub(super) fn address(&self) -> Option<BrokerAddress> {
        self.broker.as_deref().and_then(parse_address)
    }

    /// Checks that every value means something.
    ///
    /// # Errors
    /// With the key, its value, and what is accepted.
    pub(crate) fn check(&self) -> Result<(), SettingError> {
        if let Some(broker) = &self.broker
            && parse_address(broker).is_none()
        {
            return Err(SettingError::new(
                "broker",
                format_args!("'{broker}'"),
                "HOST or HOST:PORT, such as localhost:1883",
            ));
        }
        let plain = |text: &str, more: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c) || more.contains(c))
        };
        if self.name.is_empty() || self.name.len() > LONGEST_NAME || !plain(&self.name, "") {
            return Err(SettingError::new(
                "name",
                format_args!("'{}'", self.name),
                format!("1 to {LONGEST_NAME} letters, digits, '-' or '_'"),
            ));
        }
        if !plain(&self.discovery_prefix, "/") {
            return Err(SettingError::new(
                "discovery_prefix",
                format_args!("'{}'", self.discovery_prefix),
                "letters, digits, '-', '_' or '/'",
            ));
        }
        if self.password.is_some() && self.username.is_none() {
            return Err(SettingError::new(
                "password",
                "set without username",
                "both",
            ));
        }
        Ok(())
    }
}

fn parse_address(text: &str) -> Option<BrokerAddress> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        (
            host,
            port.strip_prefix(':').or(port.is_empty().then_some(""))?,
        )
    } else {
        match text.split_once(':') {
            Some((_, port)) if port.contains(':') => (text, ""),
            Some((_, "")) => return None,
            Some(pair) => pair,
            None => (text, ""),
        }
    };
    let port = match port {
        "" => PORT,
        port => port.parse().ok().filter(|port| *port > 0)?,
    };
    let real = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/@".contains(c));
    real.then(|| BrokerAddress {
        host: host.into(),
        port,
    })
}

/// A password, which no message shows.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Password(String);

impl Password {
    /// Returns the password itself.
    #[cfg(any(feature = "mqtt", test))]
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PasswordVisitor)
    }
}

/// Takes text only. What else is given is not repeated in the error, as usual ones do: it may be
/// the password.
struct PasswordVisitor;

const NO_TEXT: &str = "not text; put it in quotes, in the environment in both kinds: '\"1234\"'";

impl de::Visitor<'_> for PasswordVisitor {
    type Value = Password;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text in quotes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Password, E> {
        Ok(Password(text.into()))
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Password, E> {
        Err(E::custom(NO_TEXT))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Password, E> {
        Err(E::custom(NO_TEXT))
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Password, E> {
        Err(E::custom(NO_TEXT))
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<Password, E> {
        Err(E::custom(NO_TEXT))
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<Password, E> {
        Err(E::custom(NO_TEXT))
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Password, E> {
        Err(E::custom(NO_TEXT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_perhaps_a_port() {
        let address = |text: &str| parse_address(text).map(|address| address.to_string());
        for (text, read) in [
            ("localhost", "localhost:1883"),
            ("localhost:1884", "localhost:1884"),
            ("192.0.2.7:99", "192.0.2.7:99"),
            ("::1", "[::1]:1883"),
            ("[::1]:1884", "[::1]:1884"),
            ("[::1]", "[::1]:1883"),
        ] {
            assert_eq!(address(text).as_deref(), Some(read), "{text}");
        }
        for wrong in [
            "",
            ":1883",
            "host:",
            "host:0",
            "host:99999",
            "mqtt://host",
            "a b",
            "[::1",
            "[::1]x",
        ] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn senseless_values_are_named() {
        assert_eq!(MqttSettings::default().check(), Ok(()));
        let of = |change: fn(&mut MqttSettings)| {
            let mut settings = MqttSettings::default();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        assert!(of(|s| s.broker = Some("host:x".into())).contains("broker is 'host:x'"));
        for name in [
            "",
            "a/b",
            "a+",
            "#",
            "über",
            "a b",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            let settings = MqttSettings {
                name: name.into(),
                ..MqttSettings::default()
            };
            assert!(
                settings
                    .check()
                    .unwrap_err()
                    .to_string()
                    .starts_with("name is"),
                "{name}"
            );
        }
        assert!(of(|s| s.discovery_prefix = "a#".into()).contains("discovery_prefix"));
        assert!(of(|s| s.password = Some(Password("x".into()))).contains("username"));
    }

    #[test]
    fn a_password_is_text_and_never_shown() {
        let read = |text: &str| toml::from_str::<MqttSettings>(text);
        let settings = read("password = \"0123\"").unwrap();
        assert_eq!(
            settings.password.as_ref().map(Password::reveal),
            Some("0123")
        );
        assert!(!format!("{settings:?}").contains("0123"));
        for number in ["4711", "-4711", "4711.5", "true"] {
            let error = read(&format!("password = {number}"))
                .unwrap_err()
                .message()
                .to_owned();
            assert!(
                !error.contains("4711") && error.contains("quotes"),
                "{error}"
            );
        }
    }
}
