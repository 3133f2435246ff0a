//! Asks the daemon: one request, one JSON answer, or a [`Failure`] with the exit code that the status means.
//!
//! Invariant: the token goes to a loopback address, or over TLS to the host that was named: no proxy, no redirect.

use super::exit::{Exit, Failure};
use super::render;
use crate::api::token::{self, Token, TokenError};
use crate::api::wire::Problem;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, StatusCode, Url, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use zeroize::Zeroizing;

/// Adopting a zone asks every address of it before it answers.
const ANSWER_MAX: Duration = Duration::from_secs(120);

pub struct Client {
    base: Url,
    authorization: HeaderValue,
    http: reqwest::Client,
}

impl Client {
    /// `ca_file`: the authority whose certificates are believed; else those that this host believes.
    pub fn new(url: &str, token_file: &Path, ca_file: Option<&Path>) -> Result<Client, Failure> {
        let base = confidential(url)?;
        let token = token::read(token_file).map_err(|error| unusable(&error))?;
        let tls = match (base.scheme(), ca_file) {
            ("https", Some(file)) => chorus_providers::http::trusting_only(file),
            ("https", None) => chorus_providers::http::trusting_this_machine(),
            _ => chorus_providers::http::trusting_nobody(),
        };
        let tls = tls.map_err(|error| Failure::new(Exit::Usage, error.to_string(), "Check --ca-file"))?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .timeout(ANSWER_MAX)
            .build()
            .map_err(|error| Failure::internal(&error))?;
        Ok(Client { base, authorization: bearer(&token)?, http })
    }

    pub async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.send(Method::GET, path, query, None).await
    }

    /// `path` below `/api/v1`, one segment each.
    pub async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<Value, Failure> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(["api", "v1"]).extend(path),
            Err(()) => return Err(Failure::internal(&"a URL without a path")),
        };
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.request(method, url).header(AUTHORIZATION, self.authorization.clone());
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_vec());
        }
        let answer = request.send().await.map_err(|error| self.no_answer(&error))?;
        let status = answer.status();
        let text = answer.bytes().await.map_err(|error| self.no_answer(&error))?;
        if status == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        if status.is_success() {
            return serde_json::from_slice(&text).map_err(|error| self.strange(&format!("no JSON: {error}")));
        }
        Err(match serde_json::from_slice::<Problem>(&text) {
            Ok(problem) => {
                let failure = Failure::told(exit_of(status), &problem.detail).with_fix(problem.fix);
                if status == StatusCode::SERVICE_UNAVAILABLE { failure.of_silence() } else { failure }
            }
            Err(_) => self.strange(&format!("{status}")),
        })
    }

    fn no_answer(&self, error: &reqwest::Error) -> Failure {
        let mut cause: &dyn std::error::Error = error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        let sentence = format!("no answer from the daemon at {}: {cause}", self.base);
        Failure::new(Exit::Error, sentence, "Start 'chorus serve', or say where it listens with --url").of_silence()
    }

    fn strange(&self, what: &str) -> Failure {
        let sentence = format!("what listens at {} does not answer like Chorus ({what})", self.base);
        Failure::new(Exit::Error, sentence, "Check --url")
    }
}

fn exit_of(status: StatusCode) -> Exit {
    match status.as_u16() {
        400 | 413 | 415 => Exit::Usage,
        401 | 403 => Exit::NotAuthorised,
        409 | 412 => Exit::Conflict,
        422 => Exit::Blocked,
        _ => Exit::Error,
    }
}

/// A URL that a token may be sent to.
fn confidential(url: &str) -> Result<Url, Failure> {
    let refused = |why: &str| {
        let sentence = format!("the URL '{url}' cannot be used: {why}");
        Failure::new(
            Exit::Usage,
            sentence,
            "Write http://127.0.0.1:8420, or https and the name in the daemon's certificate",
        )
    };
    let parsed = Url::parse(url).map_err(|error| refused(&error.to_string()))?;
    if !["http", "https"].contains(&parsed.scheme()) || !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(refused("the daemon speaks HTTP, and there is no user in the URL"));
    }
    if parsed.scheme() == "https" {
        return Ok(parsed);
    }
    let host = parsed.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    if host != "localhost" && !address.is_ok_and(|ip| ip.is_loopback()) {
        return Err(refused("without TLS the token may be sent to a loopback address only"));
    }
    Ok(parsed)
}

fn bearer(token: &Token) -> Result<HeaderValue, Failure> {
    let text = Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut value = HeaderValue::from_str(&text).map_err(|error| Failure::internal(&error))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unusable(error: &TokenError) -> Failure {
    let fix =
        "Start 'chorus serve', and name the file 'token' in its data directory with --token-file or CHORUS_TOKEN_FILE";
    Failure::new(Exit::NotAuthorised, error.to_string(), fix)
}

/// A request's body.
pub fn body(request: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, Failure> {
    serde_json::to_vec(request).map(Zeroizing::new).map_err(|error| Failure::internal(&error))
}

/// The typed form of an answer, every string in it made fit for a terminal.
pub fn understand<T: DeserializeOwned>(mut answer: Value) -> Result<T, Failure> {
    render::escape_all(&mut answer);
    serde_json::from_value(answer).map_err(|error| {
        let sentence = format!("the daemon's answer cannot be read: {error}");
        Failure::new(Exit::Error, sentence, "Use the same version of Chorus on both sides")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_sent_to_loopback_only_or_over_tls() {
        for url in ["https://chorus.example", "http://127.0.0.1:8420", "http://localhost:1/", "http://[::1]:8420"] {
            assert!(confidential(url).is_ok(), "{url}");
        }
        for url in [
            "http://192.0.2.1:8420",
            "https://user@chorus.example",
            "http://localhost.example.org",
            "http://127.0.0.1@evil.example",
            "daemon",
            "file:///etc/passwd",
        ] {
            assert_eq!(confidential(url).unwrap_err().exit, Exit::Usage, "{url}");
        }
    }
}
