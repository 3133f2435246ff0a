-- Instants are milliseconds since the epoch; JSON is text; RDATA is hexadecimal text.

CREATE TABLE operators (
    name TEXT NOT NULL PRIMARY KEY,
    provider TEXT NOT NULL,
    settings TEXT NOT NULL,
    -- Sealed: see src/store/seal.rs.
    secret BLOB NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE zones (
    name TEXT NOT NULL PRIMARY KEY,
    parent TEXT NOT NULL,
    policy TEXT NOT NULL,
    -- The next moment at which something is to be done for the zone.
    due_at BIGINT NOT NULL,
    -- What the last turn found, for whoever asks.
    status TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX zones_due ON zones (due_at);

-- Operators that are in a zone: desired, or on their way out.
CREATE TABLE members (
    zone TEXT NOT NULL REFERENCES zones (name),
    operator TEXT NOT NULL REFERENCES operators (name),
    desired BOOLEAN NOT NULL,
    PRIMARY KEY (zone, operator)
);

-- What Chorus put, or was about to put, into an operator's zone. Committed before the write.
CREATE TABLE placements (
    zone TEXT NOT NULL REFERENCES zones (name),
    operator TEXT NOT NULL,
    kind TEXT NOT NULL,
    rdata TEXT NOT NULL,
    intended_at BIGINT NOT NULL,
    PRIMARY KEY (zone, operator, kind, rdata)
);

CREATE TABLE transitions (
    id TEXT NOT NULL PRIMARY KEY,
    zone TEXT NOT NULL REFERENCES zones (name),
    author TEXT NOT NULL,
    reason TEXT,
    from_group TEXT NOT NULL,
    to_group TEXT NOT NULL,
    state TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    certificate TEXT
);

CREATE INDEX transitions_of_zone ON transitions (zone, started_at);

-- One version at one address.
CREATE TABLE spans (
    zone TEXT NOT NULL REFERENCES zones (name),
    who TEXT NOT NULL,
    host TEXT NOT NULL,
    address TEXT NOT NULL,
    kind TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    since BIGINT,
    last_seen BIGINT NOT NULL,
    until BIGINT,
    served TEXT NOT NULL,
    PRIMARY KEY (zone, who, host, address, kind, first_seen)
);

-- The largest TTL that a zone transfer from an operator ever showed.
CREATE TABLE zone_ttls (
    zone TEXT NOT NULL REFERENCES zones (name),
    operator TEXT NOT NULL,
    largest_ttl_s BIGINT NOT NULL,
    PRIMARY KEY (zone, operator)
);

-- What happened, in order.
CREATE TABLE events (
    sequence INTEGER NOT NULL PRIMARY KEY,
    zone TEXT NOT NULL REFERENCES zones (name),
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    transition_id TEXT,
    operator TEXT
);

CREATE INDEX events_of_zone ON events (zone, sequence);
