//! What an operator can do, tried on a real server: whatever happens, it is left as it was.

use hickory_proto::rr::RecordType;

use crate::lab::{CHILD, in_own_network};
use crate::stage::{Cast, KNOT, LIMIT, Stage};

const TYPES: [RecordType; 5] =
    [RecordType::DNSKEY, RecordType::CDS, RecordType::CDNSKEY, RecordType::CSYNC, RecordType::NS];

/// The daemon dies in the middle of a trial; the next one puts back what was there.
#[test]
fn what_a_trial_left_behind_is_taken_away_at_the_next_start() {
    in_own_network(LIMIT, || async {
        let mut stage = Stage::set("trial-killed", Cast::bad_day(&[KNOT])).await;
        let before = TYPES.map(|rtype| stage.operators[0].served(rtype));
        {
            let arguments = ["operator", "check", "a", "--zone", CHILD, "--write"];
            let check = stage.chorus.cli(&arguments);
            let (operator, foreign) = (&stage.operators[0], before[0].len());
            tokio::select! {
                output = check => panic!("it was not interrupted: {}", output.stdout),
                () = crate::lab::until("a foreign key is there", LIMIT, || operator.served(TYPES[0]).len() > foreign) => {}
            }
        }
        stage.chorus.restart(&[]).await;
        let operator = &stage.operators[0];
        crate::lab::until("all is as it was", LIMIT, || TYPES.map(|rtype| operator.served(rtype)) == before).await;
    });
}
