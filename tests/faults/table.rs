//! The table of `docs/faults.md` and the tests say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Names such as `f08_a_clock`, out of text.
fn numbered(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_one = |word: &&str| {
        let word = word.as_bytes();
        word.len() > 4 && word[0] == b'f' && word[1].is_ascii_digit() && word[2].is_ascii_digit() && word[3] == b'_'
    };
    words.filter(is_one).map(str::to_owned).collect()
}

/// The numbered tests of all files below a directory.
fn tests_in(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("table.rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            // A name in quotes is no test.
            let lines = text.lines().filter(|line| line.contains("fn f") || line.trim_start().starts_with('f'));
            found.extend(lines.flat_map(numbered));
        }
    }
}

#[test]
fn every_fault_has_its_tests_and_every_test_its_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(root.join("docs/faults.md")).unwrap();
    let mut tests = BTreeSet::new();
    tests_in(&root.join("tests"), &mut tests);
    tests_in(&root.join("providers/tests"), &mut tests);
    assert_eq!(numbered(&table), tests, "docs/faults.md, and the names of tests");

    let mut lines: BTreeMap<u32, BTreeSet<String>> = BTreeMap::new();
    for line in table.lines().filter(|line| line.starts_with("| F")) {
        let number = line[3..].split_once(' ').unwrap().0.parse().unwrap();
        assert!(lines.insert(number, numbered(line)).is_none(), "F{number} twice");
    }
    // F4 is of interfaces over HTTP, F15 of several controllers.
    let expected: Vec<u32> = (1..=25).filter(|number| ![4, 15].contains(number)).collect();
    assert_eq!(lines.keys().copied().collect::<Vec<_>>(), expected);
    for (number, tests) in lines {
        let prefix = format!("f{number:02}_");
        assert!(!tests.is_empty() && tests.iter().all(|test| test.starts_with(&prefix)), "F{number}: {tests:?}");
    }
}
