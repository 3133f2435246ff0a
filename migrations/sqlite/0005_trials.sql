-- What a zone's sets at an operator held before harmless records were placed there to see what the operator can do. A row
-- means that they may still be there.
CREATE TABLE trials (
    operator TEXT NOT NULL REFERENCES operators (name),
    zone TEXT NOT NULL,
    before TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    PRIMARY KEY (operator, zone)
);
