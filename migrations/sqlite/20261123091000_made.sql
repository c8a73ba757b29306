-- What was made of a package that is being made, a row for each span and track, in place of a row for each object; deleted
-- when viewers get it.
create table made (
    package_id integer not null references packages on delete cascade,
    kind text not null,
    number integer not null,
    -- Object as JSON, an array of them.
    objects text not null,
    -- Their renditions, each with its RFC 6381 codec: a JSON array of pairs.
    codecs text not null,
    primary key (package_id, kind, number)
) strict, without rowid;

-- Which task made an object was not written down: one row takes all of them, and what is made from now on goes before it.
insert into made (package_id, kind, number, objects, codecs)
select package_id, 'earlier', 0,
    json_group_array(json_patch(
        json_object('path', path, 'bytes', bytes, 'sha256', sha256, 'md5', md5), json(role))),
    (select json_group_array(json_array(rendition, codec)) from codecs c where c.package_id = objects.package_id)
from objects group by package_id;

drop table objects;
drop table codecs;
