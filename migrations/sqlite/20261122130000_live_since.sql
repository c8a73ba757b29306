-- Since when viewers get what they get: what they got before may be collected some time after that.

alter table titles add column live_since integer;

update titles set live_since = (
    select p.published_at from packages p where p.title_id = titles.id and p.version = titles.live
);
