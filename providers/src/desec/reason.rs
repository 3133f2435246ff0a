//! What deSEC says to be wrong with a request, in one line.
//!
//! It says it in JSON of four shapes: `{"detail": "…"}`; an object of fields, each with a list of messages
//! (`non_field_errors` for those of none); a list with one such object per RRset of the request, in its order, empty where
//! that one is all right; and, for what only shows when it is saved, a flat list of messages. Texts may change: nothing here
//! decides anything.

use serde_json::Value;

/// `None` where nothing is said.
pub(super) fn reason(said: &Value) -> Option<String> {
    let text = match said {
        Value::Array(entries) => {
            let of_entry = |(n, entry): (usize, &Value)| match entry {
                Value::Object(_) => messages(entry).map(|text| format!("RRset {} of the request: {text}", n + 1)),
                other => messages(other),
            };
            joined(entries.iter().enumerate().filter_map(of_entry))
        }
        other => messages(other),
    };
    text.filter(|text| !text.is_empty())
}

fn messages(said: &Value) -> Option<String> {
    match said {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(said.to_string()),
        Value::Array(all) => joined(all.iter().filter_map(messages)),
        Value::Object(fields) => joined(fields.iter().filter_map(|(field, said)| {
            let text = messages(said)?;
            Some(match field.as_str() {
                "detail" | "non_field_errors" => text,
                _ => format!("{field}: {text}"),
            })
        })),
    }
}

fn joined(texts: impl Iterator<Item = String>) -> Option<String> {
    let all: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
    if all.is_empty() { None } else { Some(all.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_is_read_and_nothing_is_made_of_nothing() {
        let cases = [
            (r#"{"detail": "JSON parse error."}"#, Some("JSON parse error.")),
            (r#"{"ttl": ["Too small.", "No."], "type": ["Bad."]}"#, Some("ttl: Too small.; No.; type: Bad.")),
            (r#"{"non_field_errors": ["Cannot parse."]}"#, Some("Cannot parse.")),
            (
                r#"[{}, {"records": [{}, {"content": ["Bad."]}]}]"#,
                Some("RRset 2 of the request: records: content: Bad."),
            ),
            (r#"["DS not at the apex.", 7]"#, Some("DS not at the apex.; 7")),
            (r#"[{}, {}]"#, None),
            ("{}", None),
            ("[]", None),
            ("null", None),
            ("\"\"", None),
        ];
        for (said, expected) in cases {
            assert_eq!(reason(&serde_json::from_str(said).unwrap()).as_deref(), expected, "{said}");
        }
    }
}
