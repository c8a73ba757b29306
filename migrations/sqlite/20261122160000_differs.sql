-- What came out as other bytes while a package was healed: a JSON list of renditions. The heal task reads it to know that
-- what is still lost of them needs a new version; asking for healing anew forgets it.

alter table packages add column differs text not null default '[]';
