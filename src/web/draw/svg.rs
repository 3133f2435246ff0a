//! SVG as it is written: elements that are closed, texts that are escaped, colours that pages can override.
//!
//! Invariant: every text and every attribute that is not a number goes through [`safe`]. What a drawing shows is not known
//! here.

use std::fmt::Write;

/// What something is painted for. Pages choose the colours by class; those here are for a drawing on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// Text and outlines.
    Ink,
    /// What is said beside.
    Muted,
    Line,
    Ground,
    Panel,
    /// The part of a panel that is looked at.
    Tint,
    /// In force, and as it should be.
    Good,
    /// There, and not in force.
    Calm,
    /// Not there, and should be.
    Bad,
    /// There, and should not be.
    Odd,
    /// Awaited, or out of date.
    Wait,
    /// Behind what is awaited.
    Haze,
}

impl Paint {
    const fn look(self) -> (&'static str, &'static str) {
        match self {
            Paint::Ink => ("ink", "#1b2430"),
            Paint::Muted => ("muted", "#566170"),
            Paint::Line => ("line", "#c3cbd6"),
            Paint::Ground => ("ground", "#ffffff"),
            Paint::Panel => ("panel", "#f5f7fa"),
            Paint::Tint => ("tint", "#e9eef5"),
            Paint::Good => ("good", "#0a6b4f"),
            Paint::Calm => ("calm", "#2556c2"),
            Paint::Bad => ("bad", "#b3261e"),
            Paint::Odd => ("odd", "#8f4a00"),
            Paint::Wait => ("wait", "#6a3bb0"),
            Paint::Haze => ("haze", "#f1eaff"),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Look {
    fill: Option<Fill>,
    stroke: Option<(Paint, f64)>,
    dashed: bool,
}

#[derive(Clone, Copy, Debug)]
enum Fill {
    Paint(Paint),
    /// A pattern of this drawing, by the end of its id.
    Pattern(&'static str),
}

impl Look {
    pub(super) fn fill(paint: Paint) -> Look {
        Look { fill: Some(Fill::Paint(paint)), ..Look::default() }
    }

    /// Hatched: out of date, or waited for.
    pub(super) fn hatch() -> Look {
        Look { fill: Some(Fill::Pattern("hatch")), ..Look::default() }
    }

    /// Hatched, and of less weight.
    pub(super) fn faint() -> Look {
        Look { fill: Some(Fill::Pattern("faint")), ..Look::default() }
    }

    pub(super) fn line(paint: Paint, width: f64) -> Look {
        Look { stroke: Some((paint, width)), ..Look::default() }
    }

    pub(super) fn and_line(self, paint: Paint, width: f64) -> Look {
        Look { stroke: Some((paint, width)), ..self }
    }

    pub(super) fn dashed(self) -> Look {
        Look { dashed: true, ..self }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text is set. Nothing is smaller than 12 px.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type {
    size: f64,
    bold: bool,
    paint: Paint,
    anchor: Anchor,
}

impl Type {
    pub(super) const fn plain(paint: Paint) -> Type {
        Type { size: 12.0, bold: false, paint, anchor: Anchor::Start }
    }

    pub(super) const fn bold(paint: Paint) -> Type {
        Type { size: 13.0, bold: true, paint, anchor: Anchor::Start }
    }

    pub(super) const fn at(self, anchor: Anchor) -> Type {
        Type { anchor, ..self }
    }

    /// How wide a text is at most, in px: fonts differ, and this is for one of the wider ones.
    pub(super) fn width(self, text: &str) -> f64 {
        let em = text.chars().map(|c| match c {
            ' ' | 'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.34,
            'f' | 't' | 'r' | '(' | ')' | '[' | ']' | '-' | '/' => 0.42,
            'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.97,
            'A'..='Z' | '0'..='9' => 0.68,
            c if c.is_ascii() || c == '·' => 0.62,
            '…' => 1.0,
            _ => 1.05,
        });
        em.sum::<f64>() * self.size * if self.bold { 1.1 } else { 1.0 }
    }

    /// Where a text of this width that is set at `x` begins.
    pub(super) fn left(self, x: f64, width: f64) -> f64 {
        match self.anchor {
            Anchor::Start => x,
            Anchor::Middle => x - width / 2.0,
            Anchor::End => x - width,
        }
    }

    /// As much of a text as has room, with an ellipsis for the rest.
    pub(super) fn cut(self, text: &str, room: f64) -> String {
        let text = visible(text);
        if self.width(&text) <= room {
            return text;
        }
        let mut kept = String::new();
        for c in text.chars() {
            kept.push(c);
            if self.width(&kept) + self.size > room {
                kept.pop();
                break;
            }
        }
        kept + "…"
    }

    /// A text in lines that have room; at most so many, the last one cut.
    pub(super) fn wrap(self, text: &str, room: f64, lines_max: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let text = visible(text);
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let is_last = lines.len() == lines_max;
            match lines.last_mut() {
                Some(line) if is_last || self.width(line) + self.width(word) + self.size * 0.34 <= room => {
                    line.push(' ');
                    line.push_str(word);
                }
                _ => lines.push(word.to_owned()),
            }
        }
        lines.into_iter().map(|line| self.cut(&line, room)).collect()
    }
}

pub(super) struct Svg {
    out: String,
    open: Vec<&'static str>,
    prefix: &'static str,
}

impl Svg {
    /// `prefix`: of the ids, which are those of the whole page. `about`: title and description.
    pub(super) fn new(prefix: &'static str, class: &str, width: f64, height: f64, about: (&str, &str)) -> Svg {
        let mut svg = Svg { out: String::new(), open: vec!["svg"], prefix };
        let (w, h) = (number(width), number(height));
        let _ = write!(
            svg.out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"d-svg {class}\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"none\" role=\"img\" \
             aria-labelledby=\"{prefix}-title {prefix}-desc\">\n<title id=\"{prefix}-title\">{}</title>\n\
             <desc id=\"{prefix}-desc\">{}</desc>\n<defs>",
            safe(about.0),
            safe(about.1)
        );
        svg.open.push("defs");
        for (id, ground, line) in [("hatch", Paint::Haze, Paint::Wait), ("faint", Paint::Panel, Paint::Muted)] {
            let _ = write!(
                svg.out,
                "<pattern id=\"{prefix}-{id}\" width=\"7\" height=\"7\" patternUnits=\"userSpaceOnUse\" \
                 patternTransform=\"rotate(45)\">"
            );
            svg.open.push("pattern");
            svg.shape("rect", Look::fill(ground), &[("width", 7.0), ("height", 7.0)]);
            svg.shape("rect", Look::fill(line), &[("width", 1.0), ("height", 7.0)]);
            svg.close();
        }
        svg.close();
        svg.shape("rect", Look::fill(Paint::Ground), &[("width", width), ("height", height)]);
        svg
    }

    /// A group; with a title, which is shown where one points at it.
    pub(super) fn group(&mut self, class: &str, title: &str) {
        let _ = write!(self.out, "<g class=\"{}\">", safe(class));
        self.open.push("g");
        if !title.is_empty() {
            let _ = write!(self.out, "<title>{}</title>", safe(title));
        }
    }

    pub(super) fn close(&mut self) {
        if let Some(tag) = self.open.pop() {
            let _ = writeln!(self.out, "</{tag}>");
        }
    }

    /// An element without content.
    pub(super) fn shape(&mut self, tag: &str, look: Look, at: &[(&str, f64)]) {
        let _ = write!(self.out, "<{tag}");
        for (name, value) in at {
            let _ = write!(self.out, " {name}=\"{}\"", number(*value));
        }
        self.look(look);
        self.out.push_str("/>\n");
    }

    pub(super) fn rect(&mut self, look: Look, (x, y): (f64, f64), (width, height): (f64, f64), round: f64) {
        self.shape("rect", look, &[("x", x), ("y", y), ("width", width), ("height", height), ("rx", round)]);
    }

    pub(super) fn line(&mut self, look: Look, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.shape("line", look, &[("x1", x1), ("y1", y1), ("x2", x2), ("y2", y2)]);
    }

    pub(super) fn circle(&mut self, look: Look, (cx, cy): (f64, f64), r: f64) {
        self.shape("circle", look, &[("cx", cx), ("cy", cy), ("r", r)]);
    }

    /// Straight from point to point; `closed`: and back.
    pub(super) fn path(&mut self, look: Look, points: &[(f64, f64)], closed: bool) {
        let _ = write!(self.out, "<path d=\"");
        for (nth, (x, y)) in points.iter().enumerate() {
            let _ = write!(self.out, "{}{} {}", if nth == 0 { "M" } else { "L" }, number(*x), number(*y));
        }
        self.out.push_str(if closed { "Z\"" } else { "\"" });
        self.look(look);
        self.out.push_str("/>\n");
    }

    /// A text, whole.
    pub(super) fn text(&mut self, set: Type, at: (f64, f64), text: &str) {
        self.written(set, at, text, None);
    }

    /// As much of a text as has room; the whole where one points at it.
    pub(super) fn text_in(&mut self, set: Type, at: (f64, f64), room: f64, text: &str) {
        let cut = set.cut(text, room);
        let whole = (cut != visible(text)).then_some(text);
        self.written(set, at, &cut, whole);
    }

    fn written(&mut self, set: Type, (x, y): (f64, f64), text: &str, whole: Option<&str>) {
        let _ = write!(self.out, "<text x=\"{}\" y=\"{}\"", number(x), number(y));
        self.look(Look::fill(set.paint));
        match set.anchor {
            Anchor::Start => {}
            Anchor::Middle => self.out.push_str(" text-anchor=\"middle\""),
            Anchor::End => self.out.push_str(" text-anchor=\"end\""),
        }
        if set.bold {
            let _ = write!(self.out, " font-size=\"{}\" font-weight=\"600\"", number(set.size));
        }
        self.out.push('>');
        if let Some(whole) = whole {
            let _ = write!(self.out, "<title>{}</title>", safe(whole));
        }
        let _ = writeln!(self.out, "{}</text>", safe(text));
    }

    fn look(&mut self, look: Look) {
        let class = |kind: &str, paint: Paint| format!("d-{kind}-{}", paint.look().0);
        let mut classes = Vec::new();
        let mut attributes = String::new();
        match look.fill {
            Some(Fill::Paint(paint)) => {
                classes.push(class("f", paint));
                let _ = write!(attributes, " fill=\"{}\"", paint.look().1);
            }
            Some(Fill::Pattern(id)) => {
                let _ = write!(attributes, " fill=\"url(#{}-{id})\"", self.prefix);
            }
            None => {}
        }
        if let Some((paint, width)) = look.stroke {
            classes.push(class("s", paint));
            let _ = write!(attributes, " stroke=\"{}\" stroke-width=\"{}\"", paint.look().1, number(width));
        }
        if look.dashed {
            attributes.push_str(" stroke-dasharray=\"4 3\"");
        }
        if !classes.is_empty() {
            let _ = write!(self.out, " class=\"{}\"", classes.join(" "));
        }
        self.out.push_str(&attributes);
    }

    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.out
    }
}

/// To a tenth of a px.
fn number(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    // Neither NaN nor infinity is a number in SVG; nor is -0 one that anybody wants to read.
    if tenths.is_finite() && tenths != 0.0 { tenths.to_string() } else { "0".into() }
}

/// A text with what cannot be seen, and what turns the direction of other text, as `U+XXXX`.
pub(super) fn visible(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => {
                let _ = write!(seen, "U+{:04X}", u32::from(c));
            }
            '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff0}'..='\u{ffff}'
            | '\u{e0000}'..='\u{e0fff}' => {
                let _ = write!(seen, "U+{:04X}", u32::from(c));
            }
            c => seen.push(c),
        }
    }
    seen
}

/// A text as XML has it, in content and attributes: the one way in for names that others chose.
pub(super) fn safe(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in visible(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
