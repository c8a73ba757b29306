-- Whether something is wrong with one object is asked for each copy of a master, whatever package it was found for.

-- For `incidents_of`: an object's open incidents.
create index incidents_by_object on incidents (object, origin) where closed_at is null;
