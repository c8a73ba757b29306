-- The catalog of a cluster, in the shape that `sqlite/` has come to; what columns mean is said there too.
--
-- It holds decisions (DESIGN R7). Chunks are rows only while their package is being made; from then on the inventory
-- object has them. Written by crates/headwater-catalog, which every role of Headwater reads through. Names are compared
-- byte by byte (`collate "C"`), as origins list them.

-- The form that builds have to know to work with this schema: postgres/schema.rs says when it changes.
create table schema_form (needs bigint not null);
insert into schema_form values (1);

-- What tasks have in common that decides who may do them and how much they are wanted; kept when it has none left.
create table lanes (
    id bigint generated always as identity primary key,
    -- 0 urgent, 1 normal, 2 low.
    priority bigint not null,
    tenant text collate "C" not null,
    role text collate "C" not null,
    -- Whether they make something again for titles that viewers have.
    healing boolean not null,
    -- What they take: a pool of workers, GStreamer factories as a JSON array, the format of the plan (0 without one), and
    -- memory in megabytes.
    pool text collate "C" not null,
    elements text collate "C" not null,
    plan bigint not null,
    memory_mb bigint not null,
    -- When a task of it was handed out last.
    claimed_at bigint not null default 0,
    unique (priority, tenant, role, healing, pool, elements, plan, memory_mb)
);

-- A film or an episode. Its state is that of its newest package.
create table titles (
    id bigint generated always as identity primary key,
    tenant text collate "C" not null,
    title text collate "C" not null,
    -- The newest version, in the making or finished.
    newest bigint not null,
    -- What viewers get, and since when.
    live bigint,
    live_since bigint,
    -- How much it is wanted, and whether nothing more of it is to be begun.
    priority bigint not null default 1,
    held boolean not null default false,
    -- When it was last asked for.
    queued_at bigint not null,
    created_at bigint not null,
    unique (tenant, title)
);

-- For `titles`: a tenant's titles, the one that was asked for last first.
create index titles_by_age on titles (tenant, queued_at, id);

-- One numbered version of a title's output.
create table packages (
    id bigint generated always as identity primary key,
    title_id bigint not null references titles on delete cascade,
    version bigint not null,
    -- TitleState by name; `rejected` and `failed` come with a code and a sentence.
    state text collate "C" not null,
    code text collate "C",
    message text,
    master_path text collate "C" not null,
    pipeline text collate "C" not null,
    -- The pool of workers that it is transcoded by.
    pool text collate "C" not null default 'cpu',
    -- Asked for although the master may be known.
    again boolean not null,
    -- A part that is made again: Remake as JSON; null where all of it is made.
    remake text,
    -- Known once Prepare is done: digests, what the probe found and what will be made, the last two as JSON.
    master text collate "C",
    pipeline_sha256 text collate "C",
    facts text,
    plan text,
    -- Totals of the plan, so that a list of titles need not read plans.
    spans bigint not null default 0,
    frames bigint not null default 0,
    duration_ms bigint not null default 0,
    -- Known once Seal is done.
    inventory text collate "C",
    objects bigint not null default 0,
    bytes bigint not null default 0,
    sealed_at bigint,
    -- Names of origins that proved to hold it, best first, as a JSON array.
    proven_on text not null default '[]',
    -- The title's pointers as they were stored when it was published: a JSON array of Object.
    pointers text not null default '[]',
    -- Renditions that came out as other bytes while it was healed, as a JSON array.
    differs text not null default '[]',
    -- Whether a package that viewers have is sealed once more, since its inventory is lost on every origin.
    reseals boolean not null default false,
    -- When viewers first got it, and when its deletion began.
    published_at bigint,
    condemned_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    unique (title_id, version)
);

-- For `packages_of` and `masters`: is this master known?
create index packages_by_master on packages (master, pipeline_sha256);

-- The queue. Ids give the order in which a package's tasks are handed out.
create table tasks (
    id bigint generated always as identity primary key,
    package_id bigint not null references packages on delete cascade,
    -- Null: the title is held.
    lane_id bigint references lanes,
    kind text collate "C" not null,
    number bigint not null,
    role text collate "C" not null,
    -- queued, leased, done, failed or cancelled. (A check would be read anew, as text, for each row that is written.)
    state text collate "C" not null,
    -- When it may be claimed: for a queued task the end of its back-off, for a leased one the end of its lease.
    due_at bigint not null,
    -- Fencing: grows with every claim, and only the bearer of the newest is believed.
    token bigint not null default 0,
    worker text,
    -- Claims, those given back unused not counted; those that reported a failure; those whose worker fell silent.
    tries bigint not null default 0,
    failures bigint not null default 0,
    losses bigint not null default 0,
    -- Frames of the picture that it makes, and how many of them are done in this try.
    frames bigint not null default 0,
    frames_done bigint not null default 0,
    -- Processor time of the transcoder child whose result was accepted, in milliseconds.
    cpu_ms bigint not null default 0,
    -- What the transcoder said last in the try that failed last, why that failed, and when.
    last_words text,
    code text,
    message text,
    failed_at bigint,
    -- When it was first claimed.
    started_at bigint,
    -- When it was done, failed for good or was cancelled. Null: the queue still has it.
    finished_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    unique (package_id, kind, number)
) with (
    -- A task's row is written every few seconds while it is worked on, and then never again. A renewal touches no column of
    -- an index, so with room in the page it leaves the indexes alone. What is left behind by thousands of claims in a second
    -- is cleared before claims have to wade through it.
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_cost_delay = 0
);

-- For `claim`: the open tasks of a lane in the order in which they are handed out.
create index tasks_in_lane on tasks (lane_id, package_id, id) where finished_at is null;

-- For `claim`: how much of a lane is under way. Without `due_at`, which each renewal changes.
create index tasks_leased on tasks (lane_id) where state = 'leased';

-- What was made of a package that is being made, a row for each span and track; deleted when viewers get it. The objects
-- of a span in one row, since a row for each would be most of the work of completing it.
create table made (
    -- Without `references`, here and in `events`: a check of each new row would lock the package and the title, and a
    -- thousand completions in a second would wait for these locks. crates/headwater-catalog deletes what has no package
    -- any more; titles are not deleted.
    package_id bigint not null,
    kind text collate "C" not null,
    number bigint not null,
    -- Object as JSON, an array of them.
    objects text not null,
    -- Their renditions, each with its RFC 6381 codec: a JSON array of pairs.
    codecs text not null,
    primary key (package_id, kind, number)
);

-- A title's history, one plain sentence a row.
create table events (
    id bigint generated always as identity primary key,
    title_id bigint not null,
    happened_at bigint not null,
    text text not null
);

-- For `events`: the history of a title in order.
create index events_by_title on events (title_id, id);

-- Files of watched folders that were submitted, so that a rescan does not submit them again.
create table seen_files (
    path text collate "C" primary key,
    bytes bigint not null,
    modified_ns bigint not null
);

-- What was found wrong with an object on an origin, until it is right again.
create table incidents (
    id bigint generated always as identity primary key,
    package_id bigint not null references packages on delete cascade,
    origin text collate "C" not null,
    object text collate "C" not null,
    -- FindingKind as JSON, of the last look that found it.
    kind text not null,
    first_seen_at bigint not null,
    last_seen_at bigint not null,
    -- What it took to find it: reading it, asking the edge.
    by_reading boolean not null default false,
    on_edge boolean not null default false,
    -- What was done about it last: How as JSON.
    mended text,
    -- When it was proven right again.
    closed_at bigint
);

-- One open incident for an object on an origin.
create unique index incidents_open on incidents (package_id, origin, object) where closed_at is null;

-- For `incidents` of a title, the closed ones included.
create index incidents_by_package on incidents (package_id, id);

-- For `incidents_of`: an object's open incidents.
create index incidents_by_object on incidents (object, origin) where closed_at is null;

-- What probes found out about origins, so that they are asked weekly and not at every start.
create table profiles (
    origin text collate "C" primary key,
    -- Where it was and how it was asked: a digest. With others, the profile is void.
    settings text not null,
    -- Profile as JSON.
    profile text not null,
    probed_at bigint not null
);

-- Where long work stands that goes on after a restart, such as an audit of the whole library.
create table checkpoints (
    name text collate "C" primary key,
    text text not null,
    kept_at bigint not null
);

-- Copies of masters that an archive holds. They outlive the packages that were made of them.
create table archived_masters (
    tenant text collate "C" not null,
    sha256 text collate "C" not null,
    -- Name of the archive, and the key there.
    origin text not null,
    key text not null,
    bytes bigint not null,
    -- What the archive said when the copy was proven; a later look compares it.
    etag text,
    storage_class text,
    -- When it was last proven; null for one that was found by its key in a catalog that was rebuilt.
    proven_at bigint,
    primary key (tenant, sha256)
);

-- Numbers of versions that a rebuild found on an origin and could not take over, the highest of each title.
create table taken_versions (
    tenant text collate "C" not null,
    title text collate "C" not null,
    version bigint not null,
    primary key (tenant, title)
);

-- Processes that do the work, by the name that they go by.
create table workers (
    name text collate "C" primary key,
    -- Tells a process from another of the same name.
    instance text not null,
    -- What it said of itself, as JSON.
    record text not null,
    state text collate "C" not null,
    since bigint not null,
    beat_at bigint not null
);
