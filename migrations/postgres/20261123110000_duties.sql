-- Who watches and who audits: work beside the queue that one process of all that share this database does at a time.
-- crates/headwater-catalog/src/statements/duties.rs takes, renews and leaves them; `headwater workers` shows them.
create table duties (
    -- headwater_model::worker::Duty: `watch`, `audit`.
    duty text collate "C" primary key,
    -- The process that has it: its instance, as in `workers`, though not every process with a duty is a worker.
    holder text collate "C" not null,
    -- It is free from then on, unless its holder has said again that it is there.
    until_at bigint not null
);
