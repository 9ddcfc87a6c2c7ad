//! Who may look: checks the host name that a browser asked for and the token, and sets the headers that
//! isolate the page from others.

use super::settings::{Token, WebSettings};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use std::{net::IpAddr, sync::Arc};
use subtle::ConstantTimeEq;

/// Nothing inline, nothing from elsewhere, in no frame.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
     img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// Headers of every response, refusals too.
const HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CACHE_CONTROL, "no-store"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=()",
    ),
];

/// The rules of one server.
#[derive(Debug)]
pub(super) struct Access {
    secret: Option<Secret>,
    hosts: Vec<String>,
}

#[derive(Debug)]
struct Secret {
    digest: [u8; 32],
    /// Browsers send cookies to all ports of a host, so each server has a name of its own.
    cookie_name: String,
    /// Made from the token so that an open page survives a restart, and not the token itself, so
    /// that it cannot be read out of a browser.
    cookie: String,
}

/// What a client's credentials allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credentials {
    /// No token is asked for, or the right token or cookie was sent.
    Accepted,
    /// The right token in the query: the client gets a cookie.
    AcceptedInQuery,
    /// None, or wrong ones.
    Rejected,
}

impl Access {
    pub(super) fn new(settings: &WebSettings, port: u16) -> Self {
        Self {
            secret: settings
                .token
                .as_ref()
                .map(|token| Secret::new(token, port)),
            hosts: settings.hosts.clone(),
        }
    }

    /// Returns whether the `Host` header names this machine. An address always does: rebinding needs a
    /// name. The port is not compared, since `ssh -L` changes it.
    fn knows_host(&self, host: &str) -> bool {
        let name = match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
            _ => host,
        };
        let unbracketed = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'))
            .unwrap_or(name);
        unbracketed.parse::<IpAddr>().is_ok()
            || name.eq_ignore_ascii_case("localhost")
            || self
                .hosts
                .iter()
                .any(|host| host.eq_ignore_ascii_case(name))
    }

    fn authorise(&self, headers: &HeaderMap, query: Option<&str>) -> Credentials {
        let Some(secret) = &self.secret else {
            return Credentials::Accepted;
        };
        let bearer = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "));
        if bearer.is_some_and(|token| secret.is_token(token)) || secret.in_cookies(headers) {
            return Credentials::Accepted;
        }
        let mut pairs = query.unwrap_or_default().split('&');
        match pairs.find_map(|pair| pair.strip_prefix("token=")) {
            Some(token) if secret.is_token(token) => Credentials::AcceptedInQuery,
            _ => Credentials::Rejected,
        }
    }
}

impl Secret {
    fn new(token: &Token, port: u16) -> Self {
        let cookie = Sha256::digest([b"parseye session of ", token.as_bytes()].concat());
        Self {
            digest: Sha256::digest(token.as_bytes()).into(),
            cookie_name: format!("parseye_{port}"),
            cookie: hex::encode(cookie),
        }
    }

    /// Compares in constant time; hashed first, so that not even the length shows in the time.
    fn is_token(&self, given: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(given.as_bytes()).into();
        given.ct_eq(&self.digest).into()
    }

    fn in_cookies(&self, headers: &HeaderMap) -> bool {
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .any(|(name, value)| {
                name == self.cookie_name && value.as_bytes().ct_eq(self.cookie.as_bytes()).into()
            })
    }

    fn set_cookie(&self) -> String {
        format!(
            "{}={}; HttpOnly; SameSite=Strict; Path=/",
            self.cookie_name, self.cookie
        )
    }
}

/// Lets through who may look, and puts the headers on every response.
pub(super) async fn guard(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = respond(&access, request, next).await;
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn respond(access: &Access, request: Request, next: Next) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    if !host.is_some_and(|host| access.knows_host(host)) {
        return refusal(
            StatusCode::MISDIRECTED_REQUEST,
            "This machine is not known by that name. Use its address, or add the name to web.hosts in the settings.\n",
        );
    }
    match access.authorise(request.headers(), request.uri().query()) {
        Credentials::Accepted => next.run(request).await,
        Credentials::AcceptedInQuery => {
            let mut response = next.run(request).await;
            let cookie = access.secret.as_ref().map(Secret::set_cookie);
            if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Credentials::Rejected => {
            let mut response = refusal(
                StatusCode::UNAUTHORIZED,
                "A token is needed: open the page once with ?token=TOKEN, or send the header Authorization: Bearer TOKEN.\n",
            );
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
    }
}

fn refusal(status: StatusCode, reason: &'static str) -> Response {
    (status, Body::from(reason)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(token: &str) -> Access {
        let settings = WebSettings {
            token: Some(token.to_owned().into()),
            hosts: vec!["pi.local".into()],
            ..WebSettings::default()
        };
        Access::new(&settings, 8080)
    }

    #[test]
    fn addresses_and_known_names_are_this_machine() {
        let access = access("0123456789abcdef0123");
        for host in [
            "127.0.0.1:8080",
            "localhost",
            "LOCALHOST:9",
            "[::1]:8080",
            "[fe80::1]",
            "192.168.1.2",
            "pi.local:8080",
        ] {
            assert!(access.knows_host(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "pi.local.evil.example:80",
            "pi.local:80x",
        ] {
            assert!(!access.knows_host(host), "{host}");
        }
    }

    #[test]
    fn only_the_token_or_its_cookie_opens() {
        let token = "0123456789abcdef0123";
        let access = access(token);
        let with = |name: HeaderName, value: &str| {
            HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
        };
        let authorise = |headers: &HeaderMap, query: Option<&str>| access.authorise(headers, query);
        let bearer = |token: &str| with(header::AUTHORIZATION, &format!("Bearer {token}"));
        assert_eq!(authorise(&bearer(token), None), Credentials::Accepted);
        assert_eq!(
            authorise(&bearer("0123456789abcdef0124"), None),
            Credentials::Rejected
        );
        assert_eq!(authorise(&bearer(""), None), Credentials::Rejected);
        let none = HeaderMap::new();
        assert_eq!(authorise(&none, None), Credentials::Rejected);
        let query = format!("a=b&token={token}");
        assert_eq!(authorise(&none, Some(&query)), Credentials::AcceptedInQuery);
        assert_eq!(authorise(&none, Some("token=")), Credentials::Rejected);
        let set = access.secret.as_ref().unwrap().set_cookie();
        assert!(!set.contains(token) && set.contains("HttpOnly; SameSite=Strict"));
        let cookie = set.split(';').next().unwrap();
        let with_cookie = |cookie: &str| authorise(&with(header::COOKIE, cookie), None);
        assert_eq!(
            with_cookie(&format!("other=1; {cookie}")),
            Credentials::Accepted
        );
        assert_eq!(
            with_cookie(&format!("parseye_8080={token}")),
            Credentials::Rejected
        );
        assert_eq!(with_cookie("parseye_8080="), Credentials::Rejected);
        assert_eq!(
            with_cookie(&cookie.replace("8080", "8081")),
            Credentials::Rejected
        );
    }
}
