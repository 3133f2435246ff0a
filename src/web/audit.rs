//! `/audit`: who did what, and whether the log is whole.

use super::forms::given;
use super::here::{Answer, Here, Page, Place, html};
use super::markup;
use crate::api::wire::{AuditPage, AuditQuery, AuditVerified};
use askama::Template;
use axum::extract::Query;
use serde::Deserialize;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Filter {
    who: String,
    kind: String,
    zone: String,
    by: String,
    before: String,
    /// Anything: the whole log is reckoned anew, which takes a while where it is long.
    verify: String,
}

impl Filter {
    fn query(&self) -> AuditQuery {
        AuditQuery {
            who: given(&self.who),
            kind: given(&self.kind),
            zone: given(&self.zone),
            by: given(&self.by),
            limit: None,
            before: self.before.trim().parse().ok(),
        }
    }

    fn is_set(&self) -> bool {
        [&self.who, &self.kind, &self.zone, &self.by].iter().any(|field| !field.trim().is_empty())
    }

    fn older(&self, next: &i64) -> String {
        let fields = [("who", &self.who), ("kind", &self.kind), ("zone", &self.zone), ("by", &self.by)];
        let given = fields.iter().filter(|(_, value)| !value.trim().is_empty());
        let pairs: String = given.map(|(name, value)| format!("{name}={}&", markup::encoded(value))).collect();
        format!("/audit?{pairs}before={next}")
    }
}

#[derive(Template)]
#[template(path = "audit.html")]
struct Shown {
    page: Page,
    filter: Filter,
    log: AuditPage,
    /// `None`: nobody asked for that.
    verified: Option<AuditVerified>,
}

pub async fn show(here: Here, Query(filter): Query<Filter>) -> Answer {
    let log = here.service.audit(filter.query()).await?;
    let verified = match filter.verify.is_empty() {
        true => None,
        false => Some(here.service.verify_audit().await?),
    };
    let page = here.page(Place::Audit, "Audit");
    html(&Shown { page, filter, log, verified })
}
