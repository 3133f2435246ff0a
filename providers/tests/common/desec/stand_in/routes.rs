//! The routes of the API and their rules.

use super::canonical::{KNOWN, MANAGED, canonical, compared};
use super::http::{Request, Response};
use super::{Key, State, Trouble, moment};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const TTL_MAX_S: u64 = 86_400;

pub fn answer(state: &mut State, request: &Request) -> Response {
    if !request.path.ends_with('/') {
        return Response::empty(301).with("Location", format!("{}/", request.path));
    }
    let path: Vec<&str> = request.path.trim_matches('/').split('/').collect();
    let ["api", "v1", "domains", path @ ..] = path.as_slice() else { return Response::html(404) };
    let Some(token) = token(state, request) else {
        return Response::detail(401, "Invalid token.").with("WWW-Authenticate", "Token");
    };
    if request.header("accept").is_some_and(|kinds| !kinds.contains("*/*") && !kinds.contains("json")) {
        return Response::detail(406, "Only JSON is spoken here.");
    }
    let reads = request.method == "GET";
    let known = path.is_empty() || path[0] == state.at.zone;
    // Sets of a zone that is not there are not counted; a zone that is not there is.
    if known || path.len() == 1 {
        let (scope, zone) = match reads {
            true => ("dns_api_cheap", None),
            false => ("dns_api_per_domain_expensive", path.first().copied()),
        };
        let now_ms = state.clock_ms();
        if let Some(Err(wait_s)) = state.throttle.as_mut().map(|throttle| throttle.admit(scope, zone, now_ms)) {
            let refused = Response::detail(429, &format!("Too much. Come again in {wait_s} seconds."));
            return if state.retry_after { refused.with("Retry-After", wait_s) } else { refused };
        }
    }
    if !known {
        return Response::detail(404, "Not found.");
    }
    if !reads && !request.body.is_empty() && request.header("content-type") != Some("application/json") {
        return Response::detail(415, "Unsupported media type.");
    }
    match (request.method.as_str(), path) {
        ("GET", []) => {
            let zone = state.at.zone.clone();
            let enclosing = |name: &str| name == zone || name.ends_with(&format!(".{zone}"));
            let there = request.query("owns_qname").is_none_or(enclosing);
            let Ok(Value::Object(mut zone)) = domain(state) else { return Response::html(500) };
            zone.remove("keys");
            Response::json(200, &if there { json!([zone]) } else { json!([]) })
        }
        ("GET", [_]) => domain(state).map_or_else(|()| Response::html(500), |zone| Response::json(200, &zone)),
        ("GET", [_, "rrsets"]) => list(state, request),
        (method @ ("POST" | "PATCH" | "PUT"), [_, "rrsets"]) => match serde_json::from_slice(&request.body) {
            Err(_) => Response::detail(400, "This is no JSON."),
            Ok(body) => write(state, &token, method, body, true),
        },
        (method, [_, "rrsets", subname, rtype]) => {
            let subname = if matches!(*subname, "@" | "...") { "" } else { subname };
            let key = (subname.to_owned(), (*rtype).to_owned());
            single(state, &token, method, key, &request.body)
        }
        (_, [_] | [_, "rrsets"]) => Response::detail(405, "Not allowed."),
        _ => Response::html(404),
    }
}

fn token(state: &State, request: &Request) -> Option<String> {
    let (scheme, token) = request.header("authorization")?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("token") && state.tokens.contains_key(token)).then(|| token.to_owned())
}

/// The zone with its keys: those of the signer, and the stored ones. An error when the signer is not there.
fn domain(state: &State) -> Result<Value, ()> {
    let (status, keys) = state.signer("GET", "/cryptokeys", "").ok_or(())?;
    if status != 200 {
        return Err(());
    }
    let keys: Vec<Value> = serde_json::from_str(&keys).map_err(|_| ())?;
    let mut shown = Vec::new();
    for key in keys.iter().filter(|key| key["published"] == true && key["active"] == true) {
        let kept = |ds: &&Value| matches!(ds.as_str().unwrap().split(' ').nth(2), Some("2" | "4"));
        let ds: Vec<&Value> = key["ds"].as_array().map(|all| all.iter().filter(kept).collect()).unwrap_or_default();
        let dnskey = key["dnskey"].as_str().unwrap();
        let sep = dnskey.starts_with("257 ");
        let ds = if sep { json!(ds) } else { json!([]) };
        shown.push(
            json!({ "dnskey": dnskey, "ds": ds, "flags": key["flags"], "keytype": key["keytype"], "managed": true }),
        );
    }
    let mut foreign = state.stored("DNSKEY").map(|set| set.records.clone()).unwrap_or_default();
    foreign.sort();
    for dnskey in foreign {
        shown.push(json!({ "dnskey": dnskey, "ds": [], "flags": null, "keytype": null, "managed": false }));
    }
    let touched_us = state.sets.values().map(|set| set.touched_us).chain([state.published_us]).max().unwrap();
    Ok(json!({
        "created": "2026-01-01T00:00:00Z", "published": moment(state.published_us), "touched": moment(touched_us),
        "name": state.at.zone, "minimum_ttl": state.minimum_ttl_s, "keys": shown,
    }))
}

/// Records in an order that differs from time to time.
fn shown(state: &mut State, key: &Key) -> Value {
    state.reads += 1;
    let set = &state.sets[key];
    let mut records = set.records.clone();
    let by = state.reads % records.len().max(1);
    records.rotate_left(by);
    let zone = &state.at.zone;
    let name = if key.0.is_empty() { format!("{zone}.") } else { format!("{}.{zone}.", key.0) };
    json!({
        "created": moment(set.created_us), "domain": zone, "subname": key.0, "name": name, "type": key.1, "ttl": set.ttl_s,
        "records": records, "touched": moment(set.touched_us),
    })
}

fn list(state: &mut State, request: &Request) -> Response {
    if request.query("type").is_some_and(|rtype| MANAGED.contains(&rtype)) {
        return Response::detail(403, "Those are managed.");
    }
    let fits = |of: Option<&str>, value: &str| of.is_none_or(|of| of == value);
    let of_request = |key: &&Key| fits(request.query("subname"), &key.0) && fits(request.query("type"), &key.1);
    let mut keys: Vec<Key> = state.sets.keys().filter(of_request).cloned().collect();
    keys.sort_by_key(|key| std::cmp::Reverse(state.sets[key].created_us));
    let filters: Vec<String> =
        request.query.iter().filter(|(n, _)| n != "cursor").map(|(n, v)| format!("{n}={v}")).collect();
    let link = |at: usize, relation: &str| {
        let query = [filters.clone(), vec![format!("cursor=p{at}")]].concat().join("&");
        let host = request.header("host").unwrap_or_default();
        format!("<http://{host}{}?{query}>; rel=\"{relation}\"", request.path)
    };
    let at = match request.query("cursor") {
        None if keys.len() > state.page => {
            return Response::detail(400, "Use pages.").with("Link", link(0, "first"));
        }
        None => None,
        Some("") => Some(0),
        Some(cursor) => match cursor.strip_prefix('p').and_then(|at| at.parse::<usize>().ok()) {
            Some(at) if at <= keys.len() => Some(at),
            _ => return Response::detail(404, "Invalid cursor."),
        },
    };
    let size = if at.is_some() { state.page } else { usize::MAX };
    let from = at.unwrap_or(0);
    let page: Vec<Value> = keys.iter().skip(from).take(size).map(|key| shown(state, key)).collect();
    let response = Response::json(200, &Value::Array(page));
    let Some(at) = at else { return response };
    let mut links = vec![link(0, "first")];
    if at > 0 {
        links.push(link(at.saturating_sub(size), "prev"));
    }
    if at + size < keys.len() {
        links.push(link(at + size, "next"));
    }
    response.with("Link", links.join(", "))
}

fn single(state: &mut State, token: &str, method: &str, key: Key, body: &[u8]) -> Response {
    let there = state.sets.contains_key(&key);
    match method {
        "GET" | "PATCH" | "PUT" if !there => Response::detail(404, "Not found."),
        "GET" => Response::json(200, &shown(state, &key)),
        "DELETE" => {
            let gone = json!([{ "subname": key.0, "type": key.1, "records": [] }]);
            let response = write(state, token, "PATCH", gone, true);
            if response.status == 200 { Response::empty(204) } else { response }
        }
        "PATCH" | "PUT" => {
            let Ok(Value::Object(mut entry)) = serde_json::from_slice(body) else {
                return Response::detail(400, "This is no JSON.");
            };
            if method == "PATCH" {
                entry.insert("subname".into(), json!(key.0));
                entry.insert("type".into(), json!(key.1));
            } else if entry.get("subname") != Some(&json!(key.0)) || entry.get("type") != Some(&json!(key.1)) {
                return Response::json(400, &json!({ "non_field_errors": ["Not that of the URL."] }));
            }
            let response = write(state, token, method, json!([entry]), false);
            if response.status == 200 && response.body == "[]" { Response::empty(204) } else { response }
        }
        _ => Response::detail(405, "Not allowed."),
    }
}

/// What an entry asks for.
struct Asked {
    key: Key,
    ttl_s: u64,
    /// Empty: that there be none.
    records: Vec<String>,
}

fn write(state: &mut State, token: &str, method: &str, body: Value, bulk: bool) -> Response {
    if let Some((status, kind, body)) = state.says.clone() {
        return Response { status, headers: vec![], kind, body };
    }
    let (entries, bulk) = match body {
        Value::Array(entries) => (entries, bulk),
        entry if method == "POST" => (vec![entry], false),
        _ => return Response::json(400, &json!({ "non_field_errors": ["Expected a list of items."] })),
    };
    let (mut asked, mut errors, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for entry in &entries {
        match entry_of(state, method, bulk, entry) {
            Ok(one) if !seen.insert(one.key.clone()) => errors.push(json!({ "non_field_errors": ["Must be unique."] })),
            Ok(one) => {
                errors.push(json!({}));
                asked.push(one);
            }
            Err(error) => errors.push(Value::Object(error)),
        }
    }
    if asked.len() < entries.len() {
        return Response::json(400, &if bulk { json!(errors) } else { errors[0].clone() });
    }
    // Of one entry, and for all.
    let may = |key: &Key| match &state.tokens[token] {
        None => true,
        Some(types) => key.0.is_empty() && types.contains(key.1.as_str()),
    };
    if !asked.iter().all(|one| may(&one.key)) {
        return Response::detail(403, "Insufficient token permissions.");
    }
    let misplaced = |key: &Key| match key.1.as_str() {
        "DS" | "CNAME" => key.0.is_empty(),
        "DNSKEY" => !key.0.is_empty(),
        _ => false,
    };
    if asked.iter().any(|one| misplaced(&one.key) && !one.records.is_empty()) {
        return Response::json(400, &json!(["Not at this name."]));
    }
    if state.conflicts > 0 || state.hanging {
        state.conflicts = state.conflicts.saturating_sub(1);
        return Response::detail(409, "duplicate key value violates unique constraint");
    }
    store(state, asked, if method == "POST" { 201 } else { 200 })
}

/// Stores and publishes what was found good.
fn store(state: &mut State, asked: Vec<Asked>, status: u16) -> Response {
    // What changes nothing goes no further than to what stores it.
    let is_change = |one: &Asked| match state.sets.get(&one.key) {
        None => !one.records.is_empty(),
        Some(set) => set.ttl_s != one.ttl_s || BTreeSet::from_iter(&set.records) != BTreeSet::from_iter(&one.records),
    };
    let trouble = state.trouble.filter(|_| asked.iter().any(is_change)).map(|(trouble, _)| trouble);
    if trouble.is_some() {
        state.trouble =
            state.trouble.and_then(|(trouble, times)| Some((trouble, times.checked_sub(1).filter(|n| *n > 0)?)));
    }
    if trouble == Some(Trouble::Primary) {
        return Response::html(500);
    }
    if trouble == Some(Trouble::RolledBack) {
        let (created_us, touched_us) = (state.tick_us(), state.tick_us());
        for Asked { key, ttl_s, records } in asked {
            let set = super::Set { ttl_s, records, created_us, touched_us };
            let set = Some(set).filter(|set| !set.records.is_empty());
            state.signer_has.insert(key.clone(), set);
            state.unpublished.insert(key);
        }
        return Response::html(500);
    }
    let (mut created, mut updated, mut changed) = (Vec::new(), Vec::new(), Vec::new());
    for Asked { key, ttl_s, records } in asked {
        let before = state.sets.get(&key).cloned();
        if records.is_empty() {
            if state.sets.remove(&key).is_some() {
                changed.push(key);
            }
            continue;
        }
        let as_set = |records: &[String]| records.iter().cloned().collect::<BTreeSet<_>>();
        match &before {
            Some(set) if set.ttl_s == ttl_s && as_set(&set.records) == as_set(&records) => {}
            _ => changed.push(key.clone()),
        }
        if before.is_some() {
            updated.push(key.clone())
        } else {
            created.push(key.clone())
        }
        // Also what is as it was is touched.
        state.put(key, ttl_s, records);
    }
    if !changed.is_empty() {
        changed.iter().for_each(|key| drop(state.signer_has.remove(key)));
        state.unpublished.extend(changed);
        if trouble == Some(Trouble::Distribution) {
            return Response::detail(500, "Internal error.");
        }
        if state.late {
            state.published_us = state.tick_us();
        } else {
            state.publish();
        }
    }
    let all: Vec<Value> = created.iter().chain(&updated).map(|key| shown(state, key)).collect();
    Response::json(status, &Value::Array(all))
}

fn entry_of(state: &State, method: &str, bulk: bool, entry: &Value) -> Result<Asked, Map<String, Value>> {
    let mut errors = Map::new();
    let mut wrong = |field: &str, text: &str| drop(errors.insert(field.to_owned(), json!([text])));
    let subname = match entry.get("subname") {
        None if !bulk => "",
        None => {
            wrong("subname", "This field is required.");
            ""
        }
        Some(Value::String(text)) => {
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | '*');
            if !text.chars().all(allowed) {
                wrong("subname", "Only lower case letters, digits, hyphens and underscores.");
            }
            text
        }
        Some(_) => {
            wrong("subname", "This field may not be null.");
            ""
        }
    };
    let rtype = entry.get("type").and_then(Value::as_str).unwrap_or_default();
    if MANAGED.contains(&rtype) || !KNOWN.contains(&rtype) {
        wrong("type", "That type cannot be written.");
    }
    let key = (subname.to_owned(), rtype.to_owned());
    let before = state.sets.get(&key);
    let empties = entry.get("records").is_some_and(|records| records == &json!([]));
    let partial = method == "PATCH" && (before.is_some() || empties);
    let ttl_s = match entry.get("ttl") {
        None if partial => before.map_or(TTL_MAX_S, |set| set.ttl_s),
        None => {
            wrong("ttl", "This field is required.");
            0
        }
        Some(ttl) => {
            let seconds = ttl.as_u64().or_else(|| ttl.as_str()?.parse().ok());
            match seconds {
                Some(ttl_s) if (state.minimum_ttl_s..=TTL_MAX_S).contains(&ttl_s) => ttl_s,
                _ => {
                    wrong("ttl", "Out of bounds.");
                    0
                }
            }
        }
    };
    let texts = match entry.get("records") {
        None if partial => before.map(|set| set.records.clone()).unwrap_or_default(),
        Some(Value::Array(all)) if all.iter().all(Value::is_string) => {
            all.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => {
            wrong("records", "This field is required.");
            Vec::new()
        }
    };
    if method == "POST" && texts.is_empty() {
        wrong("records", "This field must not be empty when using POST.");
    }
    if method == "POST" && before.is_some() {
        wrong("non_field_errors", "Another RRset with the same subdomain and type exists.");
    }
    let mut records = Vec::new();
    for text in &texts {
        match canonical(rtype, text) {
            Ok(record) => records.push(record),
            Err(reason) => wrong("non_field_errors", &reason),
        }
    }
    let distinct: BTreeSet<String> = records.iter().map(|record| compared(rtype, record)).collect();
    if distinct.len() < records.len() {
        wrong("records", "Duplicates.");
    }
    if errors.is_empty() { Ok(Asked { key, ttl_s, records }) } else { Err(errors) }
}
