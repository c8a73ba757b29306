-- What it took to find what is wrong with an object: an incident ends only by a look that does as much (0 or 1 each).

-- It was read; what the origin said about it may have been right.
alter table incidents add column by_reading integer not null default 0;

-- It was asked of the edge.
alter table incidents add column on_edge integer not null default 0;

update incidents set by_reading = 1
where json_extract(kind, '$.finding') in ('altered', 'listed-but-unreadable');

update incidents set on_edge = 1
where json_extract(kind, '$.finding') in ('not-on-edge', 'other-on-edge', 'edge-not-answered');
