-- What an operator's account has used of the requests that it may make, where they are counted.
CREATE TABLE budgets (
    operator TEXT NOT NULL PRIMARY KEY REFERENCES operators (name),
    budget TEXT NOT NULL
);
