//! The steps of a transition as `zone plan` counts them.

use super::decision::Step;

/// The steps of a join and of a leave: what is waited for belongs to the step that it allows.
const JOIN: [&[Step]; 5] = [
    &[Step::ShareKeys],
    &[Step::AskForDs],
    &[Step::AwaitDs],
    &[Step::AwaitOldKeysAndDs, Step::NameServers],
    &[Step::AwaitDelegation],
];
const ALGORITHM: [&[Step]; 6] = [
    &[Step::SignWithBoth],
    &[Step::ShareKeys],
    &[Step::AwaitOldKeysAndDs, Step::AskForDs],
    &[Step::AwaitDs, Step::AwaitLeaverKeys, Step::AwaitDsGone],
    &[Step::AwaitOldAlgorithm],
    &[Step::AwaitLeaverAnswers],
];
const LEAVE: [&[Step]; 5] = [
    &[Step::NameServers],
    &[Step::AwaitDelegation],
    &[Step::AwaitLastQuestion, Step::AwaitLeaverKeys],
    &[Step::AwaitDsGone],
    &[Step::AwaitLeaverAnswers],
];

/// The steps of a transition in their order, each with whether it belongs to a leave. `rolling`: to another algorithm.
pub fn way(joins: bool, leaves: bool, rolling: bool) -> Vec<(bool, &'static [Step])> {
    if rolling {
        return ALGORITHM.iter().map(|steps| (false, *steps)).collect();
    }
    let joining = JOIN.iter().filter(|_| joins).map(|steps| (false, *steps));
    joining.chain(LEAVE.iter().filter(|_| leaves).map(|steps| (true, *steps))).collect()
}
