-- What was seen and heard of a part of a title while it was made: black pictures, silence, how loud it is. A row where
-- there is something to say. crates/headwater-catalog/src/statements/packages.rs writes it when the part is done; the seal
-- judges by all of them, and `headwater show` tells them afterwards.
create table seen (
    package_id integer not null references packages on delete cascade,
    kind text not null,
    number integer not null,
    -- headwater_model::quality::Seen as JSON.
    seen text not null,
    primary key (package_id, kind, number)
) strict, without rowid;
