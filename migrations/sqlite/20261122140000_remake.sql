-- A part of a title that is made again as a new version: Remake as JSON; null where all of it is made.

alter table packages add column remake text;
