//! One HTTP interface, for providers that are driven by requests: where it may be, what is sent, how much is taken.
//!
//! Invariants: no redirection is followed and no proxy is taken from the environment, so the key goes to the server that
//! was named; every address that its name resolves to is checked, and the connection goes to one of exactly these; time
//! and size of an answer are bounded; each request has a connection of its own, so that one that fails before it is made
//! was certainly not sent. What a status means for a zone is said by [`Http::judge`]; what a body means, by each provider.

mod error;
mod nets;
mod reach;

pub use error::{Interface, RestError};
pub use ipnet::IpNet;
pub use nets::AllowedNets;
pub use reach::{trusting_nobody, trusting_only, trusting_this_machine};

use crate::error::Doing;
use reach::{Checked, Refused, permitted};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, LINK, RETRY_AFTER};
use reqwest::{Method, Url, redirect};
use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// Long enough for a far server's handshakes with lost packets.
pub const CONNECT_TIMEOUT_MS: u64 = 10_000;

/// A server that rectifies a large zone with each change takes seconds for it.
pub const ANSWER_TIMEOUT_MS: u64 = 30_000;

/// No reason that a server gives is longer, but a page of HTML is.
const REASON_CHARS_MAX: usize = 300;

//----------- ApiKey ---------------------------------------------------------

/// A secret that goes into a header. It is wiped from memory when dropped, and cannot be printed.
#[derive(Clone)]
pub struct ApiKey(Zeroizing<String>);

/// Why a text is no API key. Says nothing of the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiKeyError {
    #[error("the API key is empty")]
    Empty,
    #[error("the API key has blanks, or characters that no header can hold")]
    NotPlain,
}

impl ApiKey {
    /// Blanks around it are not part of it.
    pub fn from_text(text: &str) -> Result<ApiKey, ApiKeyError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(ApiKeyError::Empty);
        }
        if !text.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(ApiKeyError::NotPlain);
        }
        Ok(ApiKey(Zeroizing::new(text.to_owned())))
    }

    fn header(&self, scheme: &str) -> Result<HeaderValue, reqwest::header::InvalidHeaderValue> {
        let text = Zeroizing::new(format!("{scheme}{}", self.0.as_str()));
        let mut value = HeaderValue::from_str(&text)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(hidden)")
    }
}

//----------- Settings -------------------------------------------------------

/// Where an interface is, and how it is reached.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Everything before the interface's own paths.
    pub url: String,
    pub key: ApiKey,
    pub nets: AllowedNets,
    pub connect_timeout_ms: u64,
    /// For the whole of a request and its answer.
    pub answer_timeout_ms: u64,
}

impl HttpConfig {
    pub fn new(url: &str, key: ApiKey, nets: AllowedNets) -> HttpConfig {
        HttpConfig {
            url: url.to_owned(),
            key,
            nets,
            connect_timeout_ms: CONNECT_TIMEOUT_MS,
            answer_timeout_ms: ANSWER_TIMEOUT_MS,
        }
    }
}

/// Why an interface cannot be used as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    #[error("{0:?} is not an http or https URL of a server")]
    NoUrl(String),
    /// It would be shown wherever the URL is.
    #[error("the URL holds a user name or a password: leave them out, the key is given by itself")]
    Credentials,
    #[error("the URL holds a query or a fragment: give what comes before the interface's own paths")]
    NotABase,
    #[error(transparent)]
    NotAllowed(#[from] Box<RestError>),
    #[error("TLS cannot be used: {0}")]
    NoTls(String),
}

//----------- Http -----------------------------------------------------------

pub(crate) struct Http {
    base: Url,
    /// Scheme, host and port.
    server: String,
    key: (HeaderName, HeaderValue),
    /// The key itself, to take it out of what a server says.
    secret: ApiKey,
    client: reqwest::Client,
    answer_timeout_ms: u64,
    interface: Interface,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("server", &self.server).finish_non_exhaustive()
    }
}

pub(crate) struct Reply {
    pub status: u16,
    /// Whether the content type says so.
    pub json: bool,
    /// Whether the content type says that it is a web page.
    pub html: bool,
    pub retry_after_s: Option<u32>,
    /// Where lists go on (RFC 8288), as it was sent.
    pub link: Option<String>,
    /// May hold keys: wiped when dropped, and never to be logged.
    pub body: Zeroizing<Vec<u8>>,
}

/// A request without an answer.
#[derive(Debug)]
pub(crate) struct NoReply {
    pub error: RestError,
    /// Whether the server can have had the request.
    pub sent: bool,
}

impl Http {
    /// `header` is the one that carries the key, after `scheme` (`"Token "`, or nothing).
    pub fn new(config: &HttpConfig, header: HeaderName, scheme: &str, interface: Interface) -> Result<Http, Unusable> {
        let no_url = || Unusable::NoUrl(config.url.clone());
        let base = Url::parse(&config.url).map_err(|_| Unusable::NoUrl(String::from("the given text")))?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(Unusable::Credentials);
        }
        let tls = match base.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(no_url()),
        };
        if base.query().is_some() || base.fragment().is_some() {
            return Err(Unusable::NotABase);
        }
        let host = base.host_str().ok_or_else(no_url)?;
        let server = base.origin().ascii_serialization();
        // What is an address already is not resolved, and so not checked when it is connected to.
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>()
            && let Err(refused) = permitted(&config.nets, address, tls)
        {
            return Err(Unusable::NotAllowed(Box::new(refused.error(&server))));
        }
        let key = config.key.header(scheme).map_err(|_| Unusable::NoTls(String::from("the key cannot be a header")))?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(if tls { trusting_this_machine() } else { Ok(trusting_nobody()?) }?)
            .https_only(tls)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(Checked { nets: config.nets.clone(), tls }))
            .connect_timeout(Duration::from_millis(config.connect_timeout_ms))
            .timeout(Duration::from_millis(config.answer_timeout_ms))
            .user_agent(concat!("chorus/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Unusable::NoTls(e.to_string()))?;
        let (key, secret) = ((header, key), config.key.clone());
        Ok(Http { base, server, key, secret, client, answer_timeout_ms: config.answer_timeout_ms, interface })
    }

    pub fn server(&self) -> &str {
        &self.server
    }

    /// `path` below the configured URL, one segment each.
    pub fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// One request, sent once. Answers with more than `octets_max` in their body are not taken.
    pub async fn send(
        &self,
        method: Method,
        url: Url,
        body: Option<Vec<u8>>,
        octets_max: usize,
    ) -> Result<Reply, NoReply> {
        let (name, value) = self.key.clone();
        let mut request = self.client.request(method, url).header(name, value);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let mut response = request.send().await.map_err(|e| self.no_reply(&e))?;
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let mut reply = Reply {
            status: response.status().as_u16(),
            json: header(CONTENT_TYPE).is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/json")),
            html: header(CONTENT_TYPE).is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html")),
            retry_after_s: header(RETRY_AFTER).and_then(|seconds| seconds.parse().ok()),
            link: header(LINK).map(str::to_owned),
            body: Zeroizing::new(Vec::new()),
        };
        while let Some(part) = response.chunk().await.map_err(|e| NoReply { sent: true, ..self.no_reply(&e) })? {
            if reply.body.len() + part.len() > octets_max {
                let error = self.malformed(format!("it is longer than {octets_max} octets"));
                return Err(NoReply { error, sent: true });
            }
            reply.body.extend_from_slice(&part);
        }
        Ok(reply)
    }

    pub fn malformed(&self, reason: String) -> RestError {
        RestError::Malformed { server: self.server.clone(), reason }
    }

    /// That `what` is JSON and cannot be read. The error of a parser repeats values: only where it stopped is told.
    pub fn unreadable(&self, what: &str, error: &serde_json::Error) -> RestError {
        let at = format!("(line {}, column {})", error.line(), error.column());
        self.malformed(match error.is_eof() {
            true => format!("{what} end before their JSON does, as if they had been cut off {at}"),
            false => format!("{what} are not as expected {at}"),
        })
    }

    /// That `what` should be JSON, and is not.
    pub fn not_json(&self, reply: &Reply, what: &str) -> RestError {
        let status = reply.status;
        self.malformed(match reply.html {
            true => format!("{what} should be JSON, and a web page came (HTTP {status}, text/html)"),
            false => format!("{what} should be JSON, and something else came (HTTP {status})"),
        })
    }

    /// What a status means. For a write, 5xx and 408 leave open whether it was done; all other errors are a no. The reason
    /// for it is the member `error` of an object.
    pub fn judge(&self, reply: &Reply, zone: &str, doing: Doing) -> Result<(), RestError> {
        self.judge_by(reply, zone, doing, |said| Some(said.get("error")?.as_str()?.to_owned()))
    }

    /// The same, where the reason is elsewhere in what the server says.
    pub fn judge_by(&self, reply: &Reply, zone: &str, doing: Doing, reason: ReasonIn) -> Result<(), RestError> {
        let (server, zone, status) = (self.server.clone(), zone.to_owned(), reply.status);
        Err(match status {
            // A proxy's sign-in page: the interface itself had no part in it.
            200..=299 if reply.html => self.not_json(reply, "the answer"),
            200..=299 => return Ok(()),
            300..=399 => RestError::Redirected { server, zone, doing, status },
            401 => RestError::KeyRefused { server, interface: self.interface },
            403 => RestError::Forbidden { server, zone, doing, interface: self.interface },
            404 => RestError::NoSuchZone { server, zone, doing, interface: self.interface },
            408 | 500..=599 => RestError::Failing { server, zone, doing, status },
            429 => RestError::TooManyRequests { server, retry_after_s: reply.retry_after_s },
            400..=499 if doing == Doing::Updating => {
                RestError::Rejected { server, zone, doing, status, reason: self.reason(reply, reason) }
            }
            _ => RestError::Status { server, zone, doing, status },
        })
    }

    /// What the server says to be the reason, if it says it in JSON, in printable characters and not at length. A server
    /// that repeats the request may repeat the key, which is left out.
    fn reason(&self, reply: &Reply, reason: ReasonIn) -> String {
        let said = if reply.json { serde_json::from_slice(&reply.body).ok() } else { None };
        let Some(said) = said.as_ref().and_then(reason) else { return String::from("it gives no reason") };
        let plain: String = said.replace(self.secret.0.as_str(), "…").chars().filter(|c| !c.is_control()).collect();
        let mut text: String = plain.chars().take(REASON_CHARS_MAX).collect();
        if text.len() < plain.len() {
            text.push('…');
        }
        text
    }

    fn no_reply(&self, error: &reqwest::Error) -> NoReply {
        let server = self.server.clone();
        if let Some(refused) = causes(error).find_map(|cause| cause.downcast_ref::<Refused>()) {
            return NoReply { error: refused.error(&server), sent: false };
        }
        // The TLS library's error is inside of others of the input and output kind, of which it is not the source.
        let inside = |cause: &'_ (dyn Error + 'static)| {
            let mut inner = cause;
            while let Some(outer) = inner.downcast_ref::<std::io::Error>() {
                inner = outer.get_ref()?;
            }
            inner.downcast_ref::<rustls::Error>().map(ToString::to_string)
        };
        // Later than that, a request may have been sent and carried out.
        if let Some(reason) = causes(error).find_map(inside).filter(|_| error.is_connect()) {
            return NoReply { error: RestError::Tls { server, reason }, sent: false };
        }
        // The innermost cause says it shortest; the outer ones repeat the URL.
        let reason = causes(error).last().map(ToString::to_string).unwrap_or_default();
        if error.is_connect() || error.is_builder() {
            let reason = if error.is_timeout() { String::from("not in time") } else { reason };
            return NoReply { error: RestError::Connection { server, reason }, sent: false };
        }
        let error = if error.is_timeout() {
            RestError::Timeout { server, after_ms: self.answer_timeout_ms }
        } else {
            RestError::Connection { server, reason: format!("it ended before the answer ({reason})") }
        };
        NoReply { error, sent: true }
    }
}

/// An error and what is behind it, from the outermost in.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |cause| (**cause).source())
}

/// Where the reason is in what a server says: JSON of an interface's own.
pub(crate) type ReasonIn = fn(&serde_json::Value) -> Option<String>;

#[cfg(test)]
mod tests {
    use super::*;

    fn http(url: &str, nets: AllowedNets) -> Result<Http, Unusable> {
        let key = ApiKey::from_text("do-not-print-me").unwrap();
        Http::new(&HttpConfig::new(url, key, nets), HeaderName::from_static("x-api-key"), "", Interface::PowerDns)
    }

    fn refused(url: &str) -> &'static str {
        match http(url, AllowedNets::public_only()).unwrap_err() {
            Unusable::NotAllowed(error) => error.code(),
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn an_address_in_the_url_is_checked_however_it_is_written() {
        for host in ["127.0.0.1", "0x7f.1", "2130706433", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254:80"] {
            assert_eq!(refused(&format!("https://{host}/")), "address-not-allowed", "{host}");
        }
        assert_eq!(refused("http://9.9.9.9/"), "without-tls");
        let loopback = || AllowedNets::with(vec!["127.0.0.0/8".parse().unwrap()]);
        assert_eq!(http("http://127.0.0.1:8081", loopback()).unwrap().server(), "http://127.0.0.1:8081");
    }

    #[test]
    fn a_url_with_a_password_or_without_a_server_is_refused_and_not_repeated() {
        let nets = AllowedNets::public_only;
        assert_eq!(http("https://user:hush@a.test/", nets()).unwrap_err(), Unusable::Credentials);
        for url in ["ftp://a.test", "file:///etc/passwd", "a.test", "", "https://"] {
            assert!(matches!(http(url, nets()), Err(Unusable::NoUrl(_))), "{url}");
        }
        assert_eq!(http("https://a.test/?key=hush", nets()).unwrap_err(), Unusable::NotABase);
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_refused_when_it_is_connected_to() {
        for (url, code) in
            [("https://localhost:1/", "address-not-allowed"), ("http://localhost:1/", "address-not-allowed")]
        {
            let http = http(url, AllowedNets::public_only()).unwrap();
            let failed = http.send(Method::GET, http.url(&["api"], &[]), None, 10).await.map(|_| ()).unwrap_err();
            assert_eq!((failed.error.code(), failed.sent), (code, false), "{failed:?}");
        }
    }

    #[test]
    fn paths_are_appended_to_what_the_url_has_and_cannot_climb_out_of_it() {
        let http = http("https://a.test/pdns/", AllowedNets::public_only()).unwrap();
        let url = http.url(&["zones", "a/../b?c", "keys"], &[("name", "x&y")]);
        assert_eq!(url.as_str(), "https://a.test/pdns/zones/a%2F..%2Fb%3Fc/keys?name=x%26y");
    }

    #[test]
    fn the_key_is_not_printed() {
        let key = ApiKey::from_text(" do-not-print-me\n").unwrap();
        let config = HttpConfig::new("https://a.test", key.clone(), AllowedNets::public_only());
        let http = Http::new(&config, HeaderName::from_static("x-api-key"), "Token ", Interface::Desec).unwrap();
        assert_eq!(http.key.1.to_str().unwrap(), "Token do-not-print-me");
        let shown = format!("{key:?} {config:#?} {http:?} {:?}", http.key);
        assert!(shown.contains("hidden") && !shown.contains("do-not"), "{shown}");
        assert_eq!(ApiKey::from_text(" \n").unwrap_err(), ApiKeyError::Empty);
        assert_eq!(ApiKey::from_text("a\r\nX-Evil: b").unwrap_err(), ApiKeyError::NotPlain);
    }

    /// The reason of a refused write.
    fn reason(json: bool, body: &str) -> String {
        let http = http("https://a.test", AllowedNets::public_only()).unwrap();
        let body = Zeroizing::new(body.as_bytes().to_vec());
        let reply = Reply { status: 422, json, html: false, retry_after_s: None, link: None, body };
        match http.judge(&reply, "b.test.", Doing::Updating).unwrap_err() {
            RestError::Rejected { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_reason_is_taken_from_json_only_and_not_at_length() {
        assert_eq!(reason(true, r#"{"error":"no\u001b[31m such"}"#), "no[31m such");
        for (json, body) in [(false, r#"{"error":"x"}"#), (true, "<html>"), (true, r#"{"errors":[]}"#)] {
            assert_eq!(reason(json, body), "it gives no reason");
        }
        let long = format!(r#"{{"error":"{}"}}"#, "ä".repeat(1000));
        assert_eq!(reason(true, &long).chars().count(), REASON_CHARS_MAX + 1);
    }

    #[test]
    fn a_reason_that_repeats_the_key_is_told_without_it() {
        assert_eq!(reason(true, r#"{"error":"bad: Token do-not-print-me!"}"#), "bad: Token …!");
    }
}
