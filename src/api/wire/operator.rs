//! Operators on the wire: added with their secret, shown without it, tested against a zone.
//!
//! Invariant: a secret goes one way. [`SecretText`] can be read from a request and from nothing else, and
//! [`OperatorAdd::body`] is the one place that writes it, for the command line's request.

use super::At;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::net::SocketAddr;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use zeroize::Zeroizing;

/// A secret as text (TSIG: base64; an API key as it is). Wiped when dropped; cannot be printed or serialised.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    pub fn new(text: Zeroizing<String>) -> SecretText {
        SecretText(text)
    }

    /// The secret itself. Whoever calls this must neither log nor answer with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialSchema for SecretText {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .write_only(true)
            .description(Some("A secret: no answer ever has it"))
            .into()
    }
}

impl ToSchema for SecretText {}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SecretText, D::Error> {
        // The error of the standard implementation repeats the value.
        match String::deserialize(deserializer) {
            Ok(text) => Ok(SecretText(Zeroizing::new(text))),
            Err(_) => Err(serde::de::Error::custom("the secret has to be a string")),
        }
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// The TSIG algorithms that are in use (RFC 8945 §6): the SHA-2 ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum, ToSchema)]
pub enum TsigAlgorithm {
    #[serde(rename = "hmac-sha256")]
    #[value(name = "hmac-sha256")]
    HmacSha256,
    #[serde(rename = "hmac-sha384")]
    #[value(name = "hmac-sha384")]
    HmacSha384,
    #[serde(rename = "hmac-sha512")]
    #[value(name = "hmac-sha512")]
    HmacSha512,
}

impl TsigAlgorithm {
    pub fn name(self) -> &'static str {
        match self {
            TsigAlgorithm::HmacSha256 => "hmac-sha256",
            TsigAlgorithm::HmacSha384 => "hmac-sha384",
            TsigAlgorithm::HmacSha512 => "hmac-sha512",
        }
    }
}

/// One name server of an operator. No addresses: they are looked up. With addresses: exactly these are asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NameServer {
    pub host: String,
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<SocketAddr>,
}

#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TsigAdd {
    pub name: String,
    pub algorithm: TsigAlgorithm,
    /// Base64, as in the name server's own key file.
    pub secret: SecretText,
}

/// An interface that is driven over HTTP.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiAdd {
    /// Without the interface's own paths; of deSEC up to `/api/v1`, and not needed for desec.io.
    #[serde(default)]
    pub url: Option<String>,
    #[serde(default = "only_server")]
    pub server_id: String,
    /// `desec`: which of several accounts the token belongs to, in your own words. Operators without one at the same URL use
    /// the same account: its limits of requests are counted for all of them together.
    #[serde(default)]
    pub account: Option<String>,
    /// `desec`: how many requests a day the account may make, where deSEC has set another limit than its usual 2000.
    #[serde(default)]
    pub requests_per_day: Option<u32>,
    pub key: SecretText,
}

fn only_server() -> String {
    String::from("localhost")
}

/// `POST /operators`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorAdd {
    pub name: String,
    /// The kind of interface: `rfc2136`, with `update` and `tsig`, or `powerdns` or `desec`, with `api`.
    pub provider: String,
    /// Where updates are sent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub update: Option<SocketAddr>,
    #[serde(default)]
    pub tsig: Option<TsigAdd>,
    /// Deprecated and ignored: whether the server keeps its own keys apart from what updates change is found out by what it does.
    #[serde(default)]
    pub own_keys_apart: bool,
    #[serde(default)]
    pub api: Option<ApiAdd>,
    pub name_servers: Vec<NameServer>,
}

impl OperatorAdd {
    /// The JSON body that asks for this operator, the secret included; wiped when dropped.
    pub fn body(&self) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
        #[derive(Serialize)]
        struct Tsig<'a> {
            name: &'a str,
            algorithm: TsigAlgorithm,
            secret: &'a str,
        }
        #[derive(Serialize)]
        struct Api<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            url: Option<&'a str>,
            server_id: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            account: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            requests_per_day: Option<u32>,
            key: &'a str,
        }
        #[derive(Serialize)]
        struct Body<'a> {
            name: &'a str,
            provider: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            update: Option<SocketAddr>,
            #[serde(skip_serializing_if = "Option::is_none")]
            tsig: Option<Tsig<'a>>,
            #[serde(skip_serializing_if = "std::ops::Not::not")]
            own_keys_apart: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            api: Option<Api<'a>>,
            name_servers: &'a [NameServer],
        }
        let tsig = self.tsig.as_ref();
        let tsig = tsig.map(|t| Tsig { name: &t.name, algorithm: t.algorithm, secret: t.secret.expose() });
        let api = self.api.as_ref();
        let api = api.map(|a| Api {
            url: a.url.as_deref(),
            server_id: &a.server_id,
            account: a.account.as_deref(),
            requests_per_day: a.requests_per_day,
            key: a.key.expose(),
        });
        let (name, provider, name_servers) = (&self.name, &self.provider, &self.name_servers);
        let own_keys_apart = self.own_keys_apart;
        serde_json::to_vec(&Body { name, provider, update: self.update, tsig, own_keys_apart, api, name_servers })
            .map(Zeroizing::new)
    }
}

/// `PATCH /operators/{name}`: what is not named stays. Name servers are given all or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorChange {
    /// `rfc2136`: where updates are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub update: Option<SocketAddr>,
    /// Of an interface that is driven over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,
    /// `desec`: which of several accounts the token belongs to, in your own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// `desec`: how many requests a day the account may make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_day: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_servers: Option<Vec<NameServer>>,
}

/// `POST /operators/{name}/rotate`: a new credential, which is tried in the operator's zones before it is used.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorRotate {
    pub secret: SecretText,
    /// `rfc2136`: the name of the new key, if it is another.
    #[serde(default)]
    pub tsig_name: Option<String>,
    #[serde(default)]
    pub tsig_algorithm: Option<TsigAlgorithm>,
    /// One more zone to try it in.
    #[serde(default)]
    pub zone: Option<String>,
}

impl OperatorRotate {
    /// The JSON body that asks for this, the secret included; wiped when dropped.
    pub fn body(&self) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            secret: &'a str,
            tsig_name: &'a Option<String>,
            tsig_algorithm: Option<TsigAlgorithm>,
            zone: &'a Option<String>,
        }
        let OperatorRotate { secret, tsig_name, tsig_algorithm, zone } = self;
        let body = Body { secret: secret.expose(), tsig_name, tsig_algorithm: *tsig_algorithm, zone };
        serde_json::to_vec(&body).map(Zeroizing::new)
    }
}

/// What came of `POST /operators/{name}/rotate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperatorRotated {
    pub operator: String,
    /// The zones in which the new credential was tried, before it took the old one's place.
    pub tried_in: Vec<String>,
}

/// What came of `POST /key/rotate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KeyRotated {
    /// So many secrets were sealed with the new master key.
    pub resealed: u64,
}

/// `POST /operators/{name}/check`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorCheck {
    pub zone: String,
    /// Whether records may be placed in the zone, and taken away again. A zone whose parent has a DS is refused
    /// (`trial-zone-secure`), unless `test_zone` is set.
    #[serde(default)]
    pub write: bool,
    /// Whether this is a test zone: no user depends on it, and resolvers may fail in it while the trial lasts.
    #[serde(default)]
    pub test_zone: bool,
}

/// What an operator can do, as far as it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Capabilities {
    pub operator: String,
    pub provider: String,
    pub zone: String,
    /// `D`: by dynamic updates, `R`: by a REST API.
    pub way: String,
    /// Whether the interface takes writes for the zone with the credential and the settings that there are: tried by one
    /// that changes nothing.
    pub interface: Check,
    pub abilities: Vec<AbilityShow>,
    /// What the credential may change that Chorus never changes; absent where it was not, or cannot be, tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oversteps: Option<Vec<String>>,
}

/// One thing that an operator can do, or cannot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AbilityShow {
    /// `add-dnskey`, `remove-own-ns`, ...
    pub ability: String,
    pub text: String,
    /// Absent: not seen yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_there: Option<bool>,
    pub evidence: String,
    /// When it was seen last, or seen to fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_at: Option<At>,
}

/// A TSIG key without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TsigShow {
    pub name: String,
    pub algorithm: TsigAlgorithm,
}

/// An HTTP interface without its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiShow {
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_id: Option<String>,
    /// Which of several accounts at this URL, where the user told them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// How many requests a day the account may make, with all its operators together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_day: Option<u32>,
}

/// `GET /operators/{name}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperatorShow {
    pub name: String,
    pub provider: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub update: Option<SocketAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tsig: Option<TsigShow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiShow>,
    pub name_servers: Vec<NameServer>,
    /// The zones whose desired or present group it is in.
    pub zones: Vec<String>,
}

/// `GET /operators`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperatorList {
    pub operators: Vec<OperatorShow>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Pass,
    Warn,
    Fail,
    /// It could not be tried now, and says nothing.
    Untried,
}

/// One thing that was looked at, and what was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Check {
    /// A reason code.
    pub code: String,
    pub outcome: Outcome,
    pub text: String,
    /// What to do: there is one with everything that did not pass.
    #[serde(default)]
    pub fix: Option<String>,
}

/// `POST /operators/{name}/test?zone=`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OperatorTest {
    pub operator: String,
    pub zone: String,
    pub checks: Vec<Check>,
}
