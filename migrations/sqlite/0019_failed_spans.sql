-- When an address gave no answer that a resolver can use, and how it failed (JSON): since the last good answer before, until
-- the first one after.
CREATE TABLE failed_spans (
    zone TEXT NOT NULL REFERENCES zones (name),
    who TEXT NOT NULL,
    host TEXT NOT NULL,
    address TEXT NOT NULL,
    kind TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    since BIGINT,
    until BIGINT,
    failure TEXT NOT NULL,
    PRIMARY KEY (zone, who, host, address, kind, first_seen)
);
