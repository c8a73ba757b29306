-- Versions whose deletion has begun, read by whoever would give one to viewers again, heal it, or go on deleting.

-- When that was; null for all that stay.
alter table packages add column condemned_at integer;
