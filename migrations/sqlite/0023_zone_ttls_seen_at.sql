-- When a listing showed the largest TTL last. 0: before this was recorded.
ALTER TABLE zone_ttls ADD COLUMN seen_at BIGINT NOT NULL DEFAULT 0;
