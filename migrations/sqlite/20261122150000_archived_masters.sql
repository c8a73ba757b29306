-- Masters are copied to an archive beside the life of their titles: what is there, and why a copy is missing.

-- Copies of masters that an archive holds. They outlive the packages that were made of them.
create table archived_masters (
    tenant text not null,
    sha256 text not null,
    -- Name of the archive, and the key there.
    origin text not null,
    key text not null,
    bytes integer not null,
    -- What the archive said when the copy was proven; a later look compares it.
    etag text,
    storage_class text,
    -- When it was last proven; null for one that was found by its key in a catalog that was rebuilt.
    proven_at integer,
    primary key (tenant, sha256)
) strict, without rowid;

-- Why the last try of a task failed: a code and a sentence. Forgotten when the task succeeds or starts over.
alter table tasks add column code text;
alter table tasks add column message text;
