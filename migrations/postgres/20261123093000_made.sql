-- What is done a thousand times a second takes one way to the server: `PostgresCatalog::complete` of a span or a track.

-- Ends a span or a track of a package that viewers do not have yet, when it is not the last of its package: true. Where
-- anything is otherwise, nothing is changed: false, and crates/headwater-catalog decides, as it does for all other tasks.
--
-- Completions of a title need not wait for each other's commits, and yet the last of a package has to know that it is.
-- So a completion
--   1. locks its own task's number, which whoever holds that task open (3) makes it wait for;
--   2. shares the lock of its title, which all that changes a title in other ways has to itself;
--   3. looks for a task of its package that is still open, and holds it open: shares the lock of that task's number until
--      it is committed itself. A number that is locked is passed over: that task is just being completed.
-- The task that is held open is completed after this, and sees this one done: so this is not the last. Where there is
-- none to be had, the title is locked, which waits for all the others, and then what is committed is counted.
-- Nobody waits for such a lock with a task held open, so nobody waits in a circle.
--
-- Each statement of a function sees what was committed before it (read committed).
create function complete_made_1(
    the_task bigint,
    the_token bigint,
    -- The time, where it is not the server's.
    given_now bigint,
    spent_ms bigint,
    -- JSON for `made`.
    its_objects text, its_codecs text
) returns boolean language plpgsql as $$
declare
    -- Tells locks of tasks from others with two keys.
    of_tasks constant int := 1;
    -- Variables of their own: a record's shape would have to be found out at each call.
    its_package bigint;
    its_title bigint;
    its_name text;
    its_kind text;
    its_number bigint;
    its_tries bigint;
    state_before text;
    other bigint;
    now_ms bigint;
    held_open boolean := false;
begin
    perform pg_advisory_xact_lock(of_tasks, hashint8(the_task));
    select k.package_id, p.title_id, t.tenant || '/' || t.title into its_package, its_title, its_name
    from tasks k join packages p on p.id = k.package_id join titles t on t.id = p.title_id
    where k.id = the_task;
    if not found then
        return false;
    end if;
    perform pg_advisory_xact_lock_shared(hashtextextended(its_name, 0));
    now_ms := coalesce(given_now, cast(extract(epoch from clock_timestamp()) * 1000 as bigint));

    -- From the end, where what has not been claimed yet is found first.
    for other in
        select id from tasks
        where package_id = its_package and kind in ('audio', 'span') and finished_at is null and id <> the_task
        order by kind desc, number desc
    loop
        if pg_try_advisory_xact_lock_shared(of_tasks, hashint8(other)) then
            -- It may have been completed just before.
            held_open := exists (select 1 from tasks where id = other and finished_at is null);
            exit when held_open;
        end if;
    end loop;
    if not held_open then
        return false;
    end if;

    update tasks k
    set state = 'done', worker = null, frames_done = k.frames, finished_at = now_ms, updated_at = now_ms,
        cpu_ms = spent_ms, code = null, message = null
    from packages p
    where k.id = the_task and k.token = the_token and k.state = 'leased' and k.due_at > now_ms
        and k.kind in ('audio', 'span') and p.id = k.package_id and (p.published_at is null or p.inventory is null)
    returning k.kind, k.number, k.tries, p.state into its_kind, its_number, its_tries, state_before;
    if not found then
        return false;
    end if;

    insert into made (package_id, kind, number, objects, codecs)
    values (its_package, its_kind, its_number, its_objects, its_codecs)
    on conflict (package_id, kind, number) do update set objects = excluded.objects, codecs = excluded.codecs;

    -- `history::Line::Made`.
    insert into events (title_id, happened_at, text)
    values (its_title, now_ms, its_kind || ' ' || its_number + 1 || ' done'
        || case when its_tries > 1 then ' (attempt ' || its_tries || ')' else '' end);

    if state_before <> 'transcoding' then
        update packages set state = 'transcoding', code = null, message = null, updated_at = now_ms
        where id = its_package;
    end if;
    return true;
end
$$;

-- Half the work of compressing; where the server was built without it, its own way does.
do $$ begin
    alter table made alter column objects set compression lz4;
exception when feature_not_supported then
    null;
end $$;
