//! The stylesheet, the script and the icon: parts of the program, so that it is one file.

use super::trouble::Trouble;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// The pages' rules, and those of the drawings.
const STYLE: &str = concat!(include_str!("../../static/chorus.css"), include_str!("draw/classes.css"));

const FILES: [(&str, &str, &str); 3] = [
    ("chorus.css", "text/css; charset=utf-8", STYLE),
    ("chorus.js", "text/javascript; charset=utf-8", include_str!("../../static/chorus.js")),
    ("chorus.svg", "image/svg+xml", include_str!("../../static/chorus.svg")),
];

/// Asked for again each time, and answered by 304 as long as the program is the same.
pub async fn file(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let Some((_, kind, text)) = FILES.iter().find(|(file, ..)| *file == name) else {
        return Trouble::not_here().into_response();
    };
    let digest = Sha256::digest(text.as_bytes());
    let tag: String = digest.iter().take(8).map(|octet| format!("{octet:02x}")).collect();
    let tag = format!("\"{tag}\"");
    let frame = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, "no-cache".to_owned())];
    if headers.get(header::IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED, frame).into_response();
    }
    (frame, [(header::CONTENT_TYPE, *kind)], *text).into_response()
}
