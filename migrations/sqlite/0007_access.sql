-- One log: what happened to zones and who did what, in order, each entry with a hash over itself and the one before. Entries
-- from before have none yet: src/store/audit.rs gives them theirs when the database is opened.
CREATE TABLE audit (
    sequence INTEGER NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    -- The account; `chorus` for what it did by itself.
    who TEXT NOT NULL,
    -- By which means: a session, which token.
    via TEXT NOT NULL,
    address TEXT,
    zone TEXT,
    operator TEXT,
    transition_id TEXT,
    hash TEXT NOT NULL
);

INSERT INTO audit (sequence, at, kind, text, who, via, zone, operator, transition_id, hash)
SELECT ROW_NUMBER() OVER (ORDER BY sequence), at, kind, text, 'chorus', '', zone, operator, transition_id, ''
FROM events ORDER BY sequence;

DROP TABLE events;

CREATE INDEX audit_of_zone ON audit (zone, sequence);
CREATE INDEX audit_of_who ON audit (who, sequence);

-- The last entry, so that a log that was cut off at its end is found.
CREATE TABLE audit_head (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    sequence BIGINT NOT NULL,
    hash TEXT NOT NULL
);

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit WHEN OLD.hash <> ''
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only ever added to');
END;

CREATE TRIGGER audit_is_never_cut BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only ever added to');
END;

-- `REPLACE` deletes without telling the trigger above.
CREATE TRIGGER audit_is_never_written_over BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE sequence = NEW.sequence)
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only ever added to');
END;

CREATE TABLE accounts (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    -- argon2id, as a PHC string; none before the one-time link was used.
    password TEXT,
    -- Sealed: see src/store/seal.rs.
    totp BLOB,
    -- The last time step whose code was used: no code is good twice.
    totp_step BIGINT NOT NULL DEFAULT 0,
    disabled BOOLEAN NOT NULL DEFAULT FALSE,
    -- SHA-256 of the one-time link's secret.
    link TEXT,
    link_until BIGINT,
    theme TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT
);

CREATE TABLE sessions (
    -- SHA-256 of what the cookie holds.
    id TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    record TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX sessions_of_account ON sessions (account);

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    label TEXT NOT NULL,
    account TEXT NOT NULL,
    -- SHA-256 of the token.
    hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    below TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked BOOLEAN NOT NULL DEFAULT FALSE
);

-- Answers to requests that may be sent again: see src/api/idempotency.rs.
CREATE TABLE answers (
    who TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request TEXT NOT NULL,
    status BIGINT,
    body TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (who, idempotency_key)
);
