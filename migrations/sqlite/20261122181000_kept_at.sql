-- When long work wrote down where it stands: what an audit saw longer ago than a round may take vouches for nothing.

-- Of those that were written down before, nobody knows.
alter table checkpoints add column kept_at integer not null default 0;
