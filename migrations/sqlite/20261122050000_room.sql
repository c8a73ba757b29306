-- Room of the catalog's own on the disk, so that a full one can still be noted.

-- Empty but for moments: a row is written and deleted here so that its pages stay behind, free, for what has to be
-- written when the disk has no room left.
create table room (filler blob not null) strict;
