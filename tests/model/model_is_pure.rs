//! What keeps the model a function of its arguments: a file there that names I/O, a clock or randomness fails this.

use std::path::{Path, PathBuf};

const FORBIDDEN: [&str; 14] = [
    "tokio",
    "sqlx",
    "axum",
    "reqwest",
    "tracing",
    "async ",
    ".await",
    "rand::",
    "SystemTime",
    "Instant",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::env",
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(i, line)| (i + 1, line.split("//").next().unwrap_or("")))
}

fn files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/model"), &mut files);
    assert!(files.len() > 10, "the model has moved");
    files
}

#[test]
fn no_file_of_the_model_names_io_a_clock_or_randomness() {
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        for (line, code) in code(&text) {
            for word in FORBIDDEN {
                assert!(!code.contains(word), "{}:{line} names {word}", file.display());
            }
        }
    }
}

#[test]
fn dependencies_point_one_way_and_the_judge_does_not_know_the_planner() {
    let order = ["dns", "history", "chain", "group"];
    for file in files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let Some(own) = order.iter().position(|part| file.components().any(|c| c.as_os_str() == *part)) else {
            continue;
        };
        for (later, part) in order.iter().enumerate().skip(own + 1).map(|(i, part)| (i, *part)) {
            assert!(later > own && !text.contains(&format!("model::{part}")), "{} uses model::{part}", file.display());
        }
        if order[own] == "group" {
            assert!(!text.contains("model::chain"), "{}: the planner uses its judge", file.display());
        }
    }
}
