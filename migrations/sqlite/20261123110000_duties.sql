-- Who watches and who audits: work beside the queue that one process of all that share a catalog does at a time. Processes
-- that share this file have a lock for that; the table is here so that both databases keep one contract.
create table duties (
    -- headwater_model::worker::Duty: `watch`, `audit`.
    duty text primary key,
    -- The process that has it: its instance, as in `workers`, though not every process with a duty is a worker.
    holder text not null,
    -- It is free from then on, unless its holder has said again that it is there.
    until_at integer not null
) strict, without rowid;
