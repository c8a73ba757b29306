-- What a task cost, for people who plan capacity.

-- Processor time of the transcoder child whose result was accepted, in milliseconds.
alter table tasks add column cpu_ms integer not null default 0;
