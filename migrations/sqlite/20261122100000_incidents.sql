-- Findings become incidents: they have a beginning and an end, and what was found once is remembered.

-- What was found wrong with an object on an origin, until it is right again.
create table incidents (
    id integer primary key,
    package_id integer not null references packages on delete cascade,
    origin text not null,
    object text not null,
    -- FindingKind as JSON, of the last look that found it.
    kind text not null,
    first_seen_at integer not null,
    last_seen_at integer not null,
    -- What was done about it last: How as JSON.
    mended text,
    -- When it was proven right again.
    closed_at integer
) strict;

-- One open incident for an object on an origin.
create unique index incidents_open on incidents (package_id, origin, object) where closed_at is null;

-- For `incidents` of a title, the closed ones included.
create index incidents_by_package on incidents (package_id, id);

-- What was found by the last proof of each package stays open.
insert into incidents (package_id, origin, object, kind, first_seen_at, last_seen_at)
select f.package_id, json_extract(f.finding, '$.origin'), json_extract(f.finding, '$.object'),
    json_remove(f.finding, '$.origin', '$.object'), p.updated_at, p.updated_at
from findings f join packages p on p.id = f.package_id
where true
on conflict do nothing;

drop table findings;
