-- What probes found out about origins, so that it is asked weekly and not at every start.

create table profiles (
    origin text primary key,
    -- Where it was and how it was asked: a digest. With others, the profile is void.
    settings text not null,
    -- Profile as JSON.
    profile text not null,
    probed_at integer not null
) strict, without rowid;
