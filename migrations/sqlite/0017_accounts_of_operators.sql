-- What an account has used of its requests, and how many it has. An account may have several operator entries; what was
-- counted for each of them is in `budgets`, and is taken over when the account is used first.
CREATE TABLE account_budgets (
    account TEXT NOT NULL PRIMARY KEY,
    budget TEXT NOT NULL
);
