//! How answers look in a pipe, against stored texts.

use crate::sample;
use chorus::api::wire::{OperatorList, SetAnswer};
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
    certificate.smallest_slack_s = Some(-3700);
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
