//! The API's description in OpenAPI 3.1: what the handlers' annotations say, with what holds for all of them.
//!
//! An annotation names success, and the reason codes of its own refusals as the description of their status. From the
//! declaration come the permission, the tag, the parameters of the path and of headers, and the refusals that every such call
//! can have. Invariant: a call stands here because it is routed, and for no other reason.

use super::declared::{Reach, Route};
use super::tags::PASSING;
use serde_json::{Map, Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

#[derive(Default)]
pub(super) struct Document {
    schemas: Vec<(String, RefOr<Schema>)>,
    paths: Map<String, Value>,
}

const ABOUT: &str = "Chorus looks after DNSSEC zones that several operators sign at once (RFC 8901 model 2). \
    Within v1, fields, paths and states are only ever added: pass over those that you do not know. \
    Times are RFC 3339 in UTC; durations are whole seconds, with `_s` in their name. \
    docs/api.md in the sources has the rest.";

impl Document {
    pub fn define(&mut self, schemas: Vec<(String, RefOr<Schema>)>) {
        self.schemas.extend(schemas);
    }

    pub fn add(&mut self, route: &Route, operation: &Operation) {
        // What utoipa makes can be written as JSON; if not, the call is missing, which the tests see.
        let Ok(Value::Object(mut operation)) = serde_json::to_value(operation) else { return };
        complete(&mut operation, route);
        let path = self.paths.entry(route.path.clone()).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = Value::Object(operation);
    }

    pub fn finish(mut self) -> Value {
        let mut referenced = Vec::new();
        super::Problem::schemas(&mut referenced);
        self.schemas.extend(referenced);
        self.schemas.push((super::Problem::name().into_owned(), super::Problem::schema()));
        let schemas: Map<String, Value> = self
            .schemas
            .into_iter()
            .filter_map(|(name, schema)| serde_json::to_value(schema).ok().map(|schema| (name, schema)))
            .collect();
        let mut document = json!({
            "openapi": "3.1.0",
            "info": {"title": "Chorus", "version": "1", "description": ABOUT, "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"}},
            "servers": [{"url": "/api/v1"}],
            "paths": self.paths,
            "components": {
                "schemas": schemas,
                "parameters": parameters(),
                "headers": {
                    "ETag": {"description": tag_rule(), "required": true, "schema": {"type": "string"}},
                    "IdempotentReplayed": {
                        "description": "`true`: the answer is that of an earlier sending, and nothing was done now.",
                        "schema": {"type": "string", "enum": ["true"]},
                    },
                },
                "securitySchemes": {"bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API token, or the content of the file `token` in the daemon's data directory. \
                        What each call names is the permission that the token needs.",
                }},
            },
        });
        for_readers(&mut document);
        document
    }
}

fn tag_rule() -> String {
    let fields: Vec<String> = PASSING.iter().map(|field| format!("`{field}`")).collect();
    format!(
        "Over the whole answer but {}: what time's passing or somebody's looking changes. Equal tags say that nothing has \
         happened.",
        fields.join(", ")
    )
}

fn parameters() -> Value {
    let path = |name: &str, text: &str, example: &str| json!({"name": name, "in": "path", "required": true, "description": text, "schema": {"type": "string"}, "example": example});
    let header = |name: &str, text: &str, schema: Value| json!({"name": name, "in": "header", "required": false, "description": text, "schema": schema});
    json!({
        "zones": path("zone", "The zone's name, with or without the final dot, with either kind of labels.", "example.org"),
        "operators": path("name", "The operator's name.", "a"),
        "accounts": path("name", "The account's name.", "ann"),
        "tokens": path("id", "The token's id, which is no secret.", "tok_0011223344556677"),
        "IdempotencyKey": header(
            "Idempotency-Key",
            "1 to 200 visible ASCII characters, a new one for each request. Sent again within 24 hours by the same caller with the \
             same key, the request is not done again, and answered as it was. Answers of 500 and above are not kept.",
            json!({"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"}),
        ),
        "IfNoneMatch": header(
            "If-None-Match",
            "The `ETag` of an earlier answer: if it is still that, the answer is 304 without a body.",
            json!({"type": "string", "pattern": "^[ -~]*$"}),
        ),
        "IfMatch": header(
            "If-Match",
            "The `ETag` of what is to be changed, as it was seen. If it is another one by now, nothing is done (412). Without it \
             nothing is compared. It is compared before the change begins and not under its lock: of two who send at the very same \
             moment both may pass. Where that matters, send the transition's `version`, which is compared under the lock.",
            json!({"type": "string", "pattern": "^[ -~]*$"}),
        ),
    })
}

/// The refusals that every call of its kind can have.
fn common(route: &Route, has: &Has) -> Vec<(&'static str, &'static str)> {
    let mut common = vec![
        ("401", "`not-authorised`"),
        ("403", "`not-permitted`, `not-reached`, `not-over-the-proxy`"),
        ("500", "`internal`"),
        ("503", "`db-unavailable`"),
    ];
    match has.named {
        Some("zones") => common.extend([("400", "`bad-name`, `bad-request`"), ("404", "`unknown-zone`")]),
        Some("operators") => common.extend([("400", "`bad-request`"), ("404", "`unknown-operator`")]),
        Some("accounts") => common.extend([("400", "`bad-request`"), ("404", "`unknown-account`")]),
        Some("tokens") => common.extend([("400", "`bad-request`"), ("404", "`unknown-token`")]),
        _ => {}
    }
    if has.query {
        common.push(("400", "`bad-request`"));
    }
    if has.body {
        common.extend([("400", "`bad-request`"), ("413", "`bad-request`"), ("415", "`bad-request`")]);
    }
    if route.method != "GET" {
        common.extend([
            ("400", "`bad-idempotency-key`"),
            ("409", "`request-still-running`, `outcome-unknown`"),
            ("413", "`bad-request`"),
            ("422", "`idempotency-key-reused`"),
        ]);
    }
    common
}

struct Has<'a> {
    /// The segment before the one that is a parameter.
    named: Option<&'a str>,
    query: bool,
    body: bool,
}

fn complete(operation: &mut Map<String, Value>, route: &Route) {
    let kind = route.path.trim_start_matches('/').split('/').next().unwrap_or_default();
    let has = Has {
        named: route.path.contains('{').then_some(kind),
        query: operation.contains_key("parameters"),
        body: operation.contains_key("requestBody"),
    };
    operation.insert("tags".to_owned(), json!([kind]));
    // OpenAPI 3.1 has roles there, for schemes other than OAuth.
    operation.insert("security".to_owned(), json!([{"bearer": [route.permission.name()]}]));
    let reach = match route.reach {
        Reach::Named => "A token that is limited to some zones has to reach this one.",
        Reach::Filtered => "A token that is limited to some zones is told of those alone.",
        Reach::Everything => "Not for tokens that are limited to some zones.",
    };
    let own = operation.get("description").and_then(Value::as_str).filter(|text| !text.is_empty());
    let text = own.map(|own| format!("{own}\n\n")).unwrap_or_default();
    operation.insert("description".to_owned(), json!(format!("{text}Needs `{}`. {reach}", route.permission)));

    let responses = operation.entry("responses").or_insert_with(|| json!({}));
    let Value::Object(responses) = responses else { return };
    let common = common(route, &has);
    let (tagged, conditional) = (responses.contains_key("304"), responses.contains_key("412"));
    for (status, codes) in common {
        let response = responses.entry(status).or_insert_with(|| json!({"description": ""}));
        let mut all = response["description"].as_str().unwrap_or_default().to_owned();
        for code in codes.split(", ").filter(|code| !response["description"].as_str().is_some_and(|d| d.contains(code)))
        {
            all += if all.is_empty() { "" } else { ", " };
            all += code;
        }
        response["description"] = json!(all);
    }
    for (status, response) in responses.iter_mut() {
        if status.starts_with(['4', '5']) {
            let schema = json!({"$ref": "#/components/schemas/Problem"});
            response["content"] = json!({"application/problem+json": {"schema": schema}});
        }
        if tagged && (status == "200" || status == "304") {
            response["headers"]["ETag"] = json!({"$ref": "#/components/headers/ETag"});
        }
        // Of these none is kept.
        let fresh = status.starts_with('5') || ["401", "403"].contains(&status.as_str());
        if route.method != "GET" && !fresh {
            response["headers"]["Idempotent-Replayed"] = json!({"$ref": "#/components/headers/IdempotentReplayed"});
        }
        if status == "401" {
            response["headers"]["WWW-Authenticate"] = json!({"required": true, "schema": {"type": "string"}});
        }
    }

    let shared = [
        (has.named.is_some(), kind),
        (route.method != "GET", "IdempotencyKey"),
        (tagged, "IfNoneMatch"),
        (conditional, "IfMatch"),
    ];
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    let Value::Array(parameters) = parameters else { return };
    for (_, name) in shared.iter().filter(|(is_there, _)| *is_there) {
        parameters.push(json!({"$ref": format!("#/components/parameters/{name}")}));
    }
}

/// Descriptions are the comments of the sources, and are to be read by people who do not have these.
fn for_readers(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(text) if name == "description" || name == "summary" => {
                        *text = text
                            .replace("[`super::", "[`")
                            .replace("[`", "`")
                            .replace("`]", "`")
                            .replace("`None`", "`null`")
                            .replace(" \n", "\n");
                    }
                    other => for_readers(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(for_readers),
        _ => {}
    }
}
