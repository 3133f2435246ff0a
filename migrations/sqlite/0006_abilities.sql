-- What each operator was last seen to be able, or not able, to do.
CREATE TABLE abilities (
    operator TEXT NOT NULL REFERENCES operators (name),
    -- As in `ability.rs`: `add-dnskey`, ...
    ability TEXT NOT NULL,
    is_there BOOLEAN NOT NULL,
    evidence TEXT NOT NULL,
    zone TEXT NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (operator, ability)
);
