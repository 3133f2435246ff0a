-- The largest TTL of the listings since the first one that showed less than largest_ttl_s, and when that one was made.
ALTER TABLE zone_ttls ADD COLUMN lower_ttl_s BIGINT;
ALTER TABLE zone_ttls ADD COLUMN lower_since BIGINT;
