-- Whether a package that viewers have is sealed once more, since its inventory is lost on every origin (0 or 1). Its parts
-- are made again to be counted only, as rows of `objects`; what the inventory has to be stays in `inventory`.
alter table packages add column reseals integer not null default 0;
