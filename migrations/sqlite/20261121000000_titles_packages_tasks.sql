-- The catalog's first shape: what is known of titles, the packages that were made of them, and the queue of work.
--
-- It holds decisions (DESIGN R7). Chunks are rows only while their package is being made; from then on the inventory
-- object has them. Written by crates/headwater-catalog, which every role of Headwater reads through.

-- A film or an episode. Its state is that of its newest package.
create table titles (
    id integer primary key,
    tenant text not null,
    title text not null,
    -- The newest version, in the making or finished.
    newest integer not null,
    -- What viewers get.
    live integer,
    -- When it was last asked for.
    queued_at integer not null,
    created_at integer not null,
    unique (tenant, title)
) strict;

-- For `titles`: a tenant's titles, the one that was asked for last first.
create index titles_by_age on titles (tenant, queued_at, id);

-- One numbered version of a title's output.
create table packages (
    id integer primary key,
    title_id integer not null references titles on delete cascade,
    version integer not null,
    -- TitleState by name; `rejected` and `failed` come with a code and a sentence.
    state text not null,
    code text,
    message text,
    master_path text not null,
    pipeline text not null,
    -- Asked for although the master may be known (0 or 1).
    again integer not null,
    -- Known once Prepare is done: digests, what the probe found and what will be made, the last two as JSON.
    master text,
    pipeline_sha256 text,
    facts text,
    plan text,
    -- Totals of the plan, so that a list of titles need not read plans.
    spans integer not null default 0,
    frames integer not null default 0,
    duration_ms integer not null default 0,
    -- Known once Seal is done.
    inventory text,
    objects integer not null default 0,
    bytes integer not null default 0,
    sealed_at integer,
    -- When viewers first got it.
    published_at integer,
    created_at integer not null,
    updated_at integer not null,
    unique (title_id, version)
) strict;

-- For `packages_of`: is this master known?
create index packages_by_master on packages (master, pipeline_sha256);

-- RFC 6381 codec of each rendition, as the tasks report it.
create table codecs (
    package_id integer not null references packages on delete cascade,
    rendition text not null,
    codec text not null,
    primary key (package_id, rendition)
) strict, without rowid;

-- The queue. Ids give the order in which a package's tasks are handed out.
create table tasks (
    id integer primary key,
    package_id integer not null references packages on delete cascade,
    kind text not null,
    number integer not null,
    role text not null,
    state text not null check (state in ('queued', 'leased', 'done', 'failed', 'cancelled')),
    -- When it may be claimed: for a queued task the end of its back-off, for a leased one the end of its lease.
    due_at integer not null,
    -- Fencing: grows with every claim, and only the bearer of the newest is believed.
    token integer not null default 0,
    worker text,
    -- Claims, those given back unused not counted.
    tries integer not null default 0,
    -- Tries that reported a failure.
    failures integer not null default 0,
    -- Tries whose worker fell silent.
    losses integer not null default 0,
    -- Frames of the picture that it makes, and how many of them are done in this try.
    frames integer not null default 0,
    frames_done integer not null default 0,
    -- What the transcoder said last in the try that failed last, and when that was; the reason is in the history.
    last_words text,
    failed_at integer,
    -- When it was first claimed.
    started_at integer,
    -- When it was done, failed for good or was cancelled. Null: the queue still has it.
    finished_at integer,
    created_at integer not null,
    updated_at integer not null,
    unique (package_id, kind, number)
) strict;

-- For `claim`: the open tasks in the order in which they are handed out.
create index tasks_open on tasks (package_id, id) where finished_at is null;

-- Objects of a package that is being made; deleted in the transaction that accepts its inventory.
create table objects (
    package_id integer not null references packages on delete cascade,
    path text not null,
    bytes integer not null,
    sha256 text not null,
    md5 text not null,
    -- ObjectRole as JSON.
    role text not null,
    primary key (package_id, path)
) strict, without rowid;

-- What the last proof of a package found wrong, in the order in which it was found.
create table findings (
    package_id integer not null references packages on delete cascade,
    position integer not null,
    -- Finding as JSON.
    finding text not null,
    primary key (package_id, position)
) strict, without rowid;

-- A title's history, one plain sentence a row.
create table events (
    id integer primary key,
    title_id integer not null references titles on delete cascade,
    happened_at integer not null,
    text text not null
) strict;

-- For `events`: the history of a title in order.
create index events_by_title on events (title_id, id);

-- Files of watched folders that were submitted, so that a rescan does not submit them again.
create table seen_files (
    path text primary key,
    bytes integer not null,
    modified_ns integer not null
) strict, without rowid;
