//! deSEC's throttling, as its server does it: sliding windows, several rates per scope, and a daily rate for all.
//!
//! Written from what the server was seen to do, without a look at the budget that is tested against it.

use std::collections::BTreeMap;

const RATES: [(&str, &[(usize, u64)]); 3] = [
    ("dns_api_cheap", &[(10, 1), (50, 60)]),
    ("dns_api_expensive", &[(10, 1), (300, 60), (1000, 3600)]),
    ("dns_api_per_domain_expensive", &[(2, 1), (15, 60), (100, 3600), (300, 86_400)]),
];

pub struct Throttle {
    user_per_day: usize,
    /// When requests of a scope were admitted, per window: the server keeps them apart.
    histories: BTreeMap<(String, u64), Vec<u64>>,
}

impl Throttle {
    pub fn new(user_per_day: usize) -> Throttle {
        Throttle { user_per_day, histories: BTreeMap::new() }
    }

    /// Admits a request, or says for how many seconds not to come again.
    pub fn admit(&mut self, scope: &str, zone: Option<&str>, now_ms: u64) -> Result<(), u32> {
        let rates = RATES.iter().find(|(name, _)| *name == scope).unwrap().1;
        let bucket = format!("{scope}:{}", zone.unwrap_or_default());
        let user = [(self.user_per_day, 86_400)];
        // Both are always asked, and each that admits counts: also a request that the other one refuses.
        let waits = [self.count("user", &user, now_ms), self.count(&bucket, rates, now_ms)];
        match waits.into_iter().flatten().max() {
            None => Ok(()),
            Some(wait_ms) => Err(u32::try_from(wait_ms.div_ceil(1000)).unwrap().max(1)),
        }
    }

    /// The wait is that of the first rate that is exceeded, not of the longest.
    fn count(&mut self, bucket: &str, rates: &[(usize, u64)], now_ms: u64) -> Option<u64> {
        for (requests, window_s) in rates {
            let history = self.histories.entry((bucket.to_owned(), *window_s)).or_default();
            history.retain(|at| at + window_s * 1000 > now_ms);
            if history.len() >= *requests {
                return Some(history[0] + window_s * 1000 - now_ms);
            }
        }
        for (_, window_s) in rates {
            self.histories.get_mut(&(bucket.to_owned(), *window_s)).unwrap().push(now_ms);
        }
        None
    }
}
