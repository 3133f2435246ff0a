//! `/zones/{zone}`: the verdict first, then what is awaited, when it ends, what can be done, and what all that is from.

use super::draw;
use super::here::{Answer, Here, Page, Place, html};
use super::markup;
use super::ways::{self, Button, Done};
use super::words;
use crate::api::wire::{At, Event, Exposure, ParentMode, ServerShow, Timeline, TransitionShow, ZoneShow};
use askama::Template;
use axum::extract::Path;

/// So many events stand on the page itself.
const EVENTS: u32 = 20;

#[derive(Template)]
#[template(path = "zone.html")]
struct ZonePage {
    page: Page,
    zone: ZoneShow,
    unicode: Option<String>,
    picture: String,
    timeline: Option<Timeline>,
    /// As SVG.
    drawn: String,
    /// The newest first.
    events: Vec<Event>,
    more: bool,
    buttons: Vec<Button>,
    why_no_change: Option<&'static str>,
    done: Done,
    if_stopped: String,
    if_undone: String,
    switched_off: Option<(Vec<String>, At)>,
}

pub async fn show(here: Here, Path(name): Path<String>) -> Answer {
    let zone = here.service.zone(&name).await?;
    // The zone is the page; what is told beside it may be missing.
    let timeline = here.service.timeline(&name).await.ok();
    let (mut events, more) = match here.service.history(&name, EVENTS).await {
        Ok(history) => (history.events, history.more),
        Err(_) => (Vec::new(), false),
    };
    events.reverse();
    let page = here.page(Place::Zones, zone.zone.clone()).crumb("Zones", "/zones").live(Some(&zone.zone));
    html(&ZonePage {
        page,
        unicode: markup::unicode(&zone.zone),
        picture: draw::picture(&zone),
        drawn: timeline.as_ref().map(draw::timeline).unwrap_or_default(),
        timeline,
        events,
        more,
        buttons: ways::buttons(&zone),
        why_no_change: ways::why_no_change(&zone),
        done: ways::done(&zone),
        if_stopped: ways::if_stopped(&zone),
        if_undone: ways::if_undone(&zone),
        switched_off: ways::switched_off(&zone),
        zone,
    })
}

impl ZonePage {
    fn under_way(&self) -> Option<&TransitionShow> {
        ways::under_way(&self.zone)
    }

    /// Exposures that are not over.
    fn exposures(&self) -> impl Iterator<Item = &Exposure> {
        let now = self.zone.now;
        self.zone.exposures.iter().filter(move |exposure| exposure.until.is_none_or(|until| until > now))
    }

    /// Sent with every verb, so that of two people one wins.
    fn version(&self) -> i64 {
        self.zone.transition.as_ref().map_or(0, |transition| transition.version)
    }

    /// Sent beside it: each transition counts its versions for itself.
    fn transition(&self) -> &str {
        self.zone.transition.as_ref().map_or("", |transition| transition.id.as_str())
    }

    /// Only a transition that is over has one.
    fn has_certificate(&self) -> bool {
        self.zone.transition.is_some() && self.under_way().is_none()
    }

    fn servers(&self) -> Vec<&ServerShow> {
        self.zone.servers.iter().filter(|server| server.who != "parent").collect()
    }

    fn parent_mode(&self) -> &'static str {
        match self.zone.parent.mode {
            ParentMode::Scan => "It reads CDS, CDNSKEY and CSYNC",
            ParentMode::Manual => "A person hands DS and NS to the registrar",
        }
    }

    /// What a resolver of the visitor's own would be asked to see the same.
    fn kdig(&self, server: &ServerShow) -> String {
        let (what, zone) = match server.who.as_str() {
            "parent" => ("DS", &self.zone.zone),
            _ => ("DNSKEY", &self.zone.zone),
        };
        let (ip, port) = (server.address.ip(), server.address.port());
        let port = if port == 53 { String::new() } else { format!(" -p {port}") };
        format!("kdig +tcp +dnssec @{ip}{port} {} {what}", quoted(zone))
    }
}

/// A name as one word for a shell: its escapes have backslashes, and a name can hold anything.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.chars().all(plain) && !name.starts_with('-') {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_for_a_shell_whatever_it_holds() {
        assert_eq!(quoted("example.org"), "example.org");
        assert_eq!(quoted("a;rm\\032'.example"), "'a;rm\\032'\\''.example'");
        assert_eq!(quoted("-x.example"), "'-x.example'");
    }
}
