-- Lanes: tasks that are alike in who may do them and how much they are wanted, so that a claim chooses among few (R8).

-- What tasks have in common; kept when it has none left, since there are few.
create table lanes (
    id integer primary key,
    -- 0 urgent, 1 normal, 2 low.
    priority integer not null,
    tenant text not null,
    role text not null,
    -- Whether they make something again for titles that viewers have (0 or 1).
    healing integer not null,
    -- What they take: a pool of workers, GStreamer factories as a JSON array, the format of the plan (0 without one), and
    -- memory in megabytes.
    pool text not null,
    elements text not null,
    plan integer not null,
    memory_mb integer not null,
    -- When a task of it was handed out last.
    claimed_at integer not null default 0,
    unique (priority, tenant, role, healing, pool, elements, plan, memory_mb)
) strict;

-- How much a title is wanted, and whether nothing more of it is to be begun (0 or 1).
alter table titles add column priority integer not null default 1;
alter table titles add column held integer not null default 0;

-- The pool of workers that a package is transcoded by.
alter table packages add column pool text not null default 'cpu';

-- Null: the title is held.
alter table tasks add column lane_id integer references lanes;

insert into lanes (priority, tenant, role, healing, pool, elements, plan, memory_mb)
select distinct 1, t.tenant, k.role, k.role in ('worker', 'verifier') and p.published_at is not null, 'cpu', '[]', 0, 0
from tasks k join packages p on p.id = k.package_id join titles t on t.id = p.title_id
where k.finished_at is null;

update tasks set lane_id = (
    select l.id from lanes l join packages p on p.id = tasks.package_id join titles t on t.id = p.title_id
    where l.tenant = t.tenant and l.role = tasks.role
      and l.healing = (tasks.role in ('worker', 'verifier') and p.published_at is not null))
where finished_at is null;

-- For `claim`: the open tasks of a lane in the order in which they are handed out.
create index tasks_in_lane on tasks (lane_id, package_id, id) where finished_at is null;

-- For `claim`: how much of a lane is under way.
create index tasks_leased on tasks (lane_id, due_at) where state = 'leased';

-- Processes that do the work, by the name that they go by.
create table workers (
    name text primary key,
    -- Tells a process from another of the same name.
    instance text not null,
    -- What it said of itself, as JSON.
    record text not null,
    state text not null,
    since integer not null,
    beat_at integer not null
) strict, without rowid;
