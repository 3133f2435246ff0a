//! Reads a page as strictly as nobody else does: every tag closed where it belongs, every attribute in quotes, every id
//! once, every field with its label, and nothing that the policy of content forbids.

use std::collections::{BTreeMap, BTreeSet};

pub struct Element {
    pub name: String,
    pub attributes: BTreeMap<String, String>,
    /// Of all that is in it, with the entities as they stand.
    pub text: String,
    /// Indices of those that it is in, the outermost first.
    pub inside: Vec<usize>,
}

impl Element {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

pub struct Page {
    pub elements: Vec<Element>,
}

const VOID: [&str; 6] = ["meta", "link", "input", "br", "img", "hr"];

fn decoded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let end = rest[at..].find(';').unwrap_or_else(|| panic!("an ampersand by itself: {}", &rest[at..]));
        let entity = &rest[at + 1..at + end];
        out.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            "nbsp" => '\u{a0}',
            _ => entity.strip_prefix('#').and_then(|code| code.parse().ok()).and_then(char::from_u32).unwrap(),
        });
        rest = &rest[at + end + 1..];
    }
    out + rest
}

impl Page {
    pub fn read(html: &str) -> Page {
        let body = html.strip_prefix("<!doctype html>").unwrap_or_else(|| panic!("no doctype: {html:.200}"));
        let (mut elements, mut open): (Vec<Element>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut rest = body;
        while let Some(at) = rest.find('<') {
            let text = decoded(&rest[..at]);
            open.iter().for_each(|index| elements[*index].text.push_str(&text));
            let end = rest[at..].find('>').expect("a tag ends") + at;
            let tag = &rest[at + 1..end];
            rest = &rest[end + 1..];
            if let Some(name) = tag.strip_prefix('/') {
                let index = open.pop().unwrap_or_else(|| panic!("</{name}> closes nothing"));
                assert_eq!(elements[index].name, name, "closed before {}", rest.chars().take(80).collect::<String>());
                continue;
            }
            let (name, attributes) = read_tag(tag.trim_end_matches('/'));
            let closed = tag.ends_with('/') || VOID.contains(&name.as_str());
            elements.push(Element { name, attributes, text: String::new(), inside: open.clone() });
            if !closed {
                open.push(elements.len() - 1);
            }
        }
        assert!(open.is_empty(), "not closed: {}", elements[open[0]].name);
        Page { elements }
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements.iter().filter(move |element| element.name == name)
    }

    pub fn text(&self) -> &str {
        &self.all("main").next().expect("a page has a main part").text
    }

    /// The fields of the form that is sent there, as they stand.
    pub fn form(&self, action: &str) -> Vec<(String, String)> {
        let form = self.elements.iter().position(|e| e.name == "form" && e.get("action") == Some(action));
        let form = form.unwrap_or_else(|| panic!("no form for {action} on: {}", self.text()));
        let mut fields = Vec::new();
        for (index, element) in self.elements.iter().enumerate().filter(|(_, e)| e.inside.contains(&form)) {
            let Some(name) = element.get("name") else { continue };
            let checked = element.attributes.contains_key("checked");
            let value = match (element.name.as_str(), element.get("type")) {
                ("input", Some("checkbox" | "radio")) if !checked => continue,
                ("input", _) => element.get("value").unwrap_or_default().to_owned(),
                ("textarea", _) => element.text.clone(),
                ("select", _) => {
                    let options = self.elements.iter().filter(|e| e.name == "option" && e.inside.contains(&index));
                    let options: Vec<&Element> = options.collect();
                    let chosen = options.iter().find(|e| e.attributes.contains_key("selected")).or(options.first());
                    chosen.map(|e| e.get("value").unwrap_or(&e.text).to_owned()).unwrap_or_default()
                }
                _ => continue,
            };
            fields.push((name.to_owned(), value));
        }
        fields
    }

    /// Everything that is asked of every page.
    pub fn check(&self) {
        let mut ids = BTreeSet::new();
        for element in &self.elements {
            for (name, value) in &element.attributes {
                assert!(!name.starts_with("on") && name != "style", "{name} in <{}>", element.name);
                let script = value.trim_start().to_ascii_lowercase().starts_with("javascript:");
                assert!(!script, "{value} in <{}>", element.name);
            }
            if let Some(id) = element.get("id") {
                assert!(!id.is_empty() && ids.insert(id), "the id '{id}' is there twice");
            }
        }
        let labels: BTreeSet<&str> = self.all("label").filter_map(|label| label.get("for")).collect();
        for label in &labels {
            assert!(ids.contains(label), "a label for '{label}', which is not there");
        }
        for element in &self.elements {
            for name in ["aria-labelledby", "aria-describedby"] {
                for id in element.get(name).unwrap_or_default().split_whitespace() {
                    assert!(ids.contains(id), "{name} '{id}' leads nowhere");
                }
            }
            let is_field = matches!(element.name.as_str(), "input" | "select" | "textarea");
            if is_field && element.get("type") != Some("hidden") {
                let id = element.get("id").unwrap_or_else(|| panic!("a field without id: {:?}", element.attributes));
                assert!(labels.contains(id), "the field '{id}' has no label");
            }
            // Whoever is not signed in has no session that a token could be of.
            let outside = element.get("action").is_some_and(|to| to == "/sign-in" || to.starts_with("/welcome/"));
            if element.name == "form" && element.get("method") == Some("post") && !outside {
                let index = self.elements.iter().position(|other| std::ptr::eq(other, element)).unwrap();
                let mut inside = self.elements.iter().filter(|e| e.inside.contains(&index));
                assert!(inside.any(|e| e.get("name") == Some("form_token")), "a form without its token");
            }
        }
        assert_eq!(self.all("h1").count(), 1, "one heading of a page");
        assert_eq!(self.all("style").count(), 0);
        for script in self.all("script") {
            assert!(script.get("src").is_some() && script.text.is_empty(), "a script in the page");
        }
        self.nothing_is_empty();
    }

    /// Where a reason, a moment or a value belongs, there is one.
    fn nothing_is_empty(&self) {
        for element in &self.elements {
            let says = matches!(
                element.name.as_str(),
                "dd" | "dt" | "td" | "th" | "p" | "li" | "a" | "code" | "button" | "h1" | "h2" | "h3" | "h4" | "time"
            );
            let text = element.text.trim();
            if says && element.get("id") != Some("said") {
                let holds_a_field = self.elements.iter().any(|e| {
                    matches!(e.name.as_str(), "input" | "select" | "textarea" | "svg")
                        && e.inside.iter().any(|index| std::ptr::eq(&self.elements[*index], element))
                });
                assert!(!text.is_empty() || holds_a_field, "an empty <{}> {:?}", element.name, element.attributes);
            }
            if element.name == "p" {
                assert!(!text.ends_with("for:") && !text.ends_with("Until:"), "a wait without its reason: {text}");
            }
        }
    }
}

fn read_tag(tag: &str) -> (String, BTreeMap<String, String>) {
    let (name, mut rest) = tag.split_once(char::is_whitespace).unwrap_or((tag, ""));
    assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()), "a tag: <{tag}>");
    let mut attributes = BTreeMap::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return (name.to_owned(), attributes);
        }
        let end = rest.find(['=', ' ', '\n']).unwrap_or(rest.len());
        let key = &rest[..end];
        assert!(key.chars().all(|c| c.is_ascii_alphanumeric() || "-:".contains(c)), "an attribute: {key} in <{tag}>");
        rest = &rest[end..];
        let value = match rest.strip_prefix("=\"") {
            None => String::new(),
            Some(quoted) => {
                let close = quoted.find('"').expect("a quote ends");
                rest = &quoted[close + 1..];
                decoded(&quoted[..close])
            }
        };
        assert!(!rest.starts_with('='), "a value without quotes in <{tag}>");
        assert!(attributes.insert(key.to_owned(), value).is_none(), "{key} twice in <{tag}>");
    }
}

#[test]
#[should_panic(expected = "has no label")]
fn a_field_without_a_label_is_found() {
    let head = "<!doctype html><h1>x</h1>";
    Page::read(&format!("{head}<form method=\"get\"><input id=\"a\" name=\"a\"></form>")).check();
}

#[test]
#[should_panic(expected = "closed before")]
fn a_tag_that_is_closed_in_the_wrong_place_is_found() {
    Page::read("<!doctype html><p><b></p></b>");
}

#[test]
#[should_panic(expected = "an empty <dd>")]
fn an_empty_reason_is_found() {
    Page::read("<!doctype html><h1>x</h1><dl><dt>Why?</dt><dd> </dd></dl>").check();
}

/// `src/web/markup.rs` says what may go into a page as it is. Everything else is escaped.
#[test]
fn templates_take_nothing_as_it_is_but_moments_and_drawings() {
    fn files(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }
    let mut seen = 0;
    for path in files(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for part in text.split("{{").skip(1) {
            let expression = part.split("}}").next().unwrap().trim();
            let Some((taken, _)) = expression.split_once('|').filter(|(_, filter)| filter.contains("safe")) else {
                continue;
            };
            let moment = ["when", "until", "ago"].iter().any(|name| taken.starts_with(&format!("markup::{name}(")));
            let drawing = ["picture", "drawn", "bars", "forecasts"].contains(&taken);
            assert!(moment || drawing, "{}: {expression}", path.display());
            seen += 1;
        }
        assert!(!text.contains("{% filter"), "{}", path.display());
    }
    assert!(seen > 40, "{seen}");
}
