-- Which origins proved to hold a package: viewers are pointed at it there.

-- Names, best first, as a JSON array. Those that were proven before had one origin and do not say which.
alter table packages add column proven_on text not null default '[]';

-- The title's pointers as they were stored when it was published: a JSON array of Object.
alter table packages add column pointers text not null default '[]';
