//! The steps of a roll of all operators to another algorithm.

use super::{ForecastWait, Plan, listed};
use crate::model::dns::{Ds, RecordSet};
use crate::model::group::algorithm::{algorithm_name, algorithms_of, is_of, may_ask, may_retire, may_share};
use crate::model::group::decision::Step;
use crate::model::history::{Kind, Span};
use crate::model::time::Time;

impl Plan<'_, '_> {
    /// All operators from one algorithm to another, from wherever they are. What they do themselves is taken to be done at
    /// once.
    pub(super) fn algorithm(&mut self, to: u8) {
        let world = self.world;
        let name = algorithm_name(to);
        let of = |operator: &str| algorithms_of(world, operator);
        let lacking: Vec<&String> = world.members.keys().filter(|op| !of(op).contains(&to)).collect();
        if !lacking.is_empty() {
            let title = format!("{} sign everything with {name}, too, and keep their present keys", listed(&lacking));
            self.step(Step::SignWithBoth, &title, "operator", Vec::new());
        }
        let all_new: RecordSet =
            world.members.keys().flat_map(|op| world.own_keys(op)).filter(|k| is_of(k, to)).collect();
        let shared = |op: &String| all_new.is_subset(&world.served(op, Kind::Dnskey));
        // What is still ahead has not begun to make anything expire: then the whole time is ahead, too.
        let to_share = !lacking.is_empty() || !world.members.keys().all(shared);
        if to_share {
            let what = format!("answers that are not signed with {name}");
            let waits = self.wait(Kind::Data, &what, may_share(world, to).from);
            let title = format!("every operator serves the keys of {name} of all");
            self.step_after(Step::ShareKeys, &title, "chorus", Vec::new(), waits);
        }
        let of_others = |span: &Span| span.served.records.iter().filter_map(Ds::read).any(|ds| ds.algorithm != to);
        let to_ask =
            world.parent_servers.iter().any(|server| world.history.current(server, Kind::Ds).is_none_or(of_others));
        if to_ask {
            let from = may_ask(world, to).from.filter(|_| !to_share);
            let waits = self.wait(Kind::Dnskey, "DNSKEY RRsets without those keys", from);
            let title = format!("every operator asks for the DS of {name} in place of the present ones");
            self.step_after(Step::AskForDs, &title, "chorus", Vec::new(), waits);
            let parent = self.parent_acts();
            self.step(Step::AwaitDs, &format!("the parent has the DS of {name} and no other"), parent, Vec::new());
        }
        let all: Vec<&String> = world.members.keys().collect();
        let with_old: Vec<&String> =
            all.into_iter().filter(|op| of(op).iter().any(|used| *used != to) || lacking.contains(op)).collect();
        if !with_old.is_empty() {
            let from = may_retire(world, to).from.filter(|_| !to_ask);
            let waits = self.wait(Kind::Ds, "DS RRsets of other algorithms", from);
            let title = format!("{} take out their keys of other algorithms than {name}", listed(&with_old));
            self.step_after(Step::AwaitOldAlgorithm, &title, "operator", Vec::new(), waits);
        }
        let waits = self.wait(Kind::Data, "answers that those keys signed", None);
        let title = "the copies of those keys go at every operator";
        self.step_after(Step::AwaitLeaverAnswers, title, "chorus", Vec::new(), waits);
    }

    /// The wait for versions of one kind to expire: until `from` where the guard knows it, else for the whole time.
    fn wait(&mut self, kind: Kind, what: &str, from: Option<Time>) -> Vec<ForecastWait> {
        let lives = self.lives(kind);
        self.at = self.at.max(from.unwrap_or(self.at.plus(lives)));
        let lives = humantime::format_duration(lives);
        let text = format!("Waiting until {what} have expired from all caches, {lives} after they were last served");
        vec![ForecastWait { code: "guard-ttl", text, numbers: self.numbers(kind), until: from }]
    }
}
