//! How answers look in a pipe, against stored texts.

use crate::sample;
use chorus::api::wire::{OperatorList, ParentMode, ParentReport, SetAnswer};
use chorus::cli::render::{self, Look};
use insta::assert_snapshot;

#[test]
fn a_zone_in_the_middle_of_a_join() {
    assert_snapshot!(render::zone(&sample::zone(), &Look::PIPE));
}

#[test]
fn a_zone_at_rest_with_an_exposure_and_a_parent_told_by_hand() {
    assert_snapshot!(render::zone(&sample::zone_at_rest(), &Look::PIPE));
}

#[test]
fn a_list_of_zones() {
    assert_snapshot!(render::zones(&sample::zones(), &Look::PIPE));
}

#[test]
fn a_list_of_zones_on_a_terminal() {
    assert_snapshot!(render::zones(&sample::zones(), &Look { terminal: true, colour: false, width: 100 }));
}

#[test]
fn a_plan() {
    assert_snapshot!(render::plan(&sample::plan(), &Look::PIPE));
}

#[test]
fn a_plan_that_would_be_refused() {
    let mut plan = sample::plan();
    plan.refusals = sample::operator_test().checks;
    plan.steps.clear();
    assert_snapshot!(render::plan(&plan, &Look::PIPE));
}

#[test]
fn a_check_with_an_error_and_one_with_nothing_at_all() {
    let mut check = sample::zone_check();
    let refused = render::check(&check, &Look::PIPE);
    check.findings.clear();
    (check.refused, check.from) = (false, check.to.clone());
    assert_snapshot!([refused, render::check(&check, &Look::PIPE)].join("----\n"));
}

#[test]
fn what_an_operator_can_do_tried_and_not_yet_seen() {
    let [tried, unseen] =
        [true, false].map(|tried| render::capabilities(&sample::capabilities("b", tried), &Look::PIPE));
    assert_snapshot!([tried, unseen].join("----\n"));
}

#[test]
fn a_certificate() {
    assert_snapshot!(render::certificate(&sample::certificate(), &Look::PIPE));
}

#[test]
fn a_certificate_with_an_exposure() {
    let mut certificate = sample::certificate();
    certificate.verdict = "A resolver could have failed.".to_owned();
    certificate.exposures = vec![sample::exposure(), sample::exposure()];
    (certificate.smallest_slack_s, certificate.margin) = (None, None);
    certificate.not_looked_at = vec!["ns1.b.example of b does not answer since 2026-11-22T09:00:00Z".to_owned()];
    assert_snapshot!(render::certificate(&certificate, &Look::PIPE));
}

#[test]
fn a_history() {
    assert_snapshot!(render::history(&sample::history()));
}

#[test]
fn operators_and_their_test() {
    let list = OperatorList { operators: vec![sample::operator("a"), sample::operator("long-name")] };
    let texts = [
        render::operators(&list, &Look::PIPE),
        render::operator(&sample::operator("a")),
        render::operator_test(&sample::operator_test(), &Look::PIPE),
    ];
    assert_snapshot!(texts.join("----\n"));
}

#[test]
fn the_answer_to_a_set_and_a_policy() {
    let transition = Some(sample::zone().transition.unwrap());
    let mut answer = SetAnswer { zone: "example.org".to_owned(), desired: vec!["a".to_owned()], transition };
    let begun = render::set(&answer);
    answer.transition = None;
    assert_snapshot!([begun, render::set(&answer), render::policy(&sample::policy())].join("----\n"));
}

#[test]
fn parents_and_one_that_was_never_seen_to_act() {
    let mut parents = sample::parents();
    parents.parents.push(ParentReport {
        parent: "example".to_owned(),
        modes: vec![ParentMode::Scan, ParentMode::Manual],
        zones: 7,
        waiting: 0,
        measured: 0,
        took_p50_s: None,
        took_p90_s: None,
        took_max_s: None,
        last_acted_at: None,
        by_kind: Vec::new(),
        assumed_s: 172_800,
        takes: None,
    });
    let shown = render::parents(&parents, &Look::PIPE);
    let line = shown.lines().find(|line| line.starts_with("example")).unwrap();
    assert_eq!(line.matches("never seen").count(), 4, "no cell is left blank: {line}");
    assert_snapshot!(shown);
    parents.parents.clear();
    assert!(render::parents(&parents, &Look::PIPE).contains("chorus zone add"));
}

#[test]
fn statistics_with_and_without_anything_in_them() {
    let mut past = sample::statistics();
    assert_snapshot!(render::statistics(&past, &Look::PIPE));
    (past.steps, past.forecasts, past.forecast_error_p50_percent) = (Vec::new(), Vec::new(), None);
    let shown = render::statistics(&past, &Look::PIPE);
    assert!(shown.contains("no step was seen to its end") && shown.contains("no forecast has met its end yet"));
    for day in &mut past.days {
        (day.started, day.done) = (0, 0);
    }
    assert_eq!(render::statistics(&past, &Look::PIPE), "no transition began or ended in the last 2 days\n");
}
