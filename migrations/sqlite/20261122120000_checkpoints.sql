-- Where long work stands that goes on after a restart, such as an audit of the whole library.

create table checkpoints (
    name text primary key,
    text text not null
) strict, without rowid;
