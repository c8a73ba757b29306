-- Numbers of versions that a rebuild found on an origin and could not take over, read when a title gets its next version:
-- nothing is ever written under a name that caches may have something else of.

-- The highest one of each title; all below it are taken too. The title itself may not be known.
create table taken_versions (
    tenant text not null,
    title text not null,
    version integer not null,
    primary key (tenant, title)
) strict, without rowid;
