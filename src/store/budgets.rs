//! What accounts at operators have used of the requests that they may make.
//!
//! Invariant: asked and counted in one transaction, so that of two who ask at once both are counted; an account has one
//! budget, however many operator entries use it.

use super::{OperatorRecord, Store, StoreError, json, read_json};
use chorus_providers::desec::{Budget, Limits};

impl Store {
    /// Looks at an account's budget, and stores what became of it.
    pub async fn with_budget<T: Send>(
        &self,
        account: &str,
        use_it: impl FnOnce(&mut Budget) -> T + Send,
    ) -> Result<T, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let mut budget = budget_of(&mut tx, account).await?;
        let outcome = use_it(&mut budget);
        sqlx::query(
            "INSERT INTO account_budgets (account, budget) VALUES ($1, $2)
             ON CONFLICT (account) DO UPDATE SET budget = excluded.budget",
        )
        .bind(account)
        .bind(json("budget", account, &budget)?)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// As it is now.
    pub async fn budget(&self, account: &str) -> Result<Budget, StoreError> {
        let mut connection = self.pool.acquire().await?;
        budget_of(&mut connection, account).await
    }

    /// How many requests a day an account may make.
    pub async fn requests_per_day(&self, account: &str) -> Result<u32, StoreError> {
        Ok(self.budget(account).await?.limits().user_per_day)
    }

    /// The account may make so many requests a day from now on.
    pub async fn set_requests_per_day(&self, account: &str, requests: u32) -> Result<(), StoreError> {
        self.with_budget(account, |budget| budget.set_limits(Limits::of(requests))).await
    }
}

async fn budget_of(connection: &mut sqlx::SqliteConnection, account: &str) -> Result<Budget, StoreError> {
    let row: Option<(String,)> = sqlx::query_as("SELECT budget FROM account_budgets WHERE account = $1")
        .bind(account)
        .fetch_optional(&mut *connection)
        .await?;
    if let Some((text,)) = row {
        return read_json("budget", account, &text);
    }
    // An earlier release counted for each operator entry by itself.
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT operators.name, operators.settings, budgets.budget FROM budgets
         JOIN operators ON operators.name = budgets.operator ORDER BY operators.name",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut budget = Budget::new(Limits::default());
    for (name, settings, counted) in rows {
        let operator: OperatorRecord = read_json("operator", &name, &settings)?;
        if operator.interface.account().as_deref() == Some(account) {
            budget.absorb(read_json("budget", &name, &counted)?);
        }
    }
    Ok(budget)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::Time;
    use crate::store::{Interface, MasterKey};
    use chorus_providers::desec::{Request, Share};

    const NOW: u64 = 1_800_000_000_000;

    async fn with_operators() -> Store {
        let store = Store::in_memory(MasterKey::from_octets([7; 32])).await.unwrap();
        for (name, account) in [("b", None), ("c", None), ("d", Some("other".to_owned()))] {
            let interface = Interface::Desec { url: "https://desec.io/api/v1/".into(), account };
            let operator =
                OperatorRecord { name: name.into(), interface, name_servers: Vec::new(), created_at: Time(0) };
            store.add_operator(&operator, b"token", [1; 24]).await.unwrap();
        }
        store
    }

    async fn account(store: &Store, operator: &str) -> String {
        store.operator(operator).await.unwrap().unwrap().interface.account().unwrap()
    }

    #[tokio::test]
    async fn two_operators_of_one_account_share_its_limit_and_another_account_has_its_own() {
        let store = with_operators().await;
        let (b, c, d) = (account(&store, "b").await, account(&store, "c").await, account(&store, "d").await);
        assert!(b == c && b != d, "{b} {d}");
        store.set_requests_per_day(&b, 20).await.unwrap();
        // 18 for the controller, and 2 for people.
        let writes = |count: usize| (0..count).map(|n| Request::Write { zone: n.to_string() }).collect::<Vec<_>>();
        let permit = async |account: &str, share: Share, count: usize| {
            store.with_budget(account, |budget| budget.permit_for(share, &writes(count), NOW).is_ok()).await.unwrap()
        };
        assert!(permit(&b, Share::Controller, 18).await);
        assert!(!permit(&c, Share::Controller, 1).await);
        assert!(permit(&c, Share::People, 2).await && !permit(&b, Share::People, 1).await);
        assert!(permit(&d, Share::Controller, 100).await);
        assert_eq!(store.requests_per_day(&c).await.unwrap(), 20);
    }

    #[tokio::test]
    async fn what_was_counted_for_each_operator_counts_for_their_account() {
        let store = with_operators().await;
        for operator in ["b", "c"] {
            let mut counted = Budget::new(Limits::default());
            counted.made(&vec![Request::Write { zone: operator.into() }; 900], NOW);
            sqlx::query("INSERT INTO budgets (operator, budget) VALUES ($1, $2)")
                .bind(operator)
                .bind(serde_json::to_string(&counted).unwrap())
                .execute(&store.pool)
                .await
                .unwrap();
        }
        let account = account(&store, "b").await;
        let permitted = |budget: &mut Budget| budget.permit(&[Request::Read], NOW + 1).is_ok();
        assert!(!store.with_budget(&account, permitted).await.unwrap(), "1800 of 1800 are made");
    }
}
