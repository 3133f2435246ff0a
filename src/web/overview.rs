//! `/`: what needs somebody first, then what is going on.

use super::here::{Answer, Here, Page, Place, html};
use super::markup;
use super::words;
use crate::api::wire::Overview;
use askama::Template;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    page: Page,
    overview: Overview,
    /// Whether there is an operator; those who may not see operators are not told to add one.
    operators: bool,
}

pub async fn show(here: Here) -> Answer {
    let overview = here.service.overview().await?;
    let page = here.page(Place::Overview, "Overview").live(None);
    let operators = match overview.zones == 0 && page.may_read_operators() {
        true => !here.service.operators().await?.operators.is_empty(),
        false => true,
    };
    html(&OverviewPage { page, overview, operators })
}
