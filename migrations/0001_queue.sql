-- The queues, as PostgreSQL keeps them. Used by crates/queue; the product's own SQL calls two functions of it
-- within its transactions: queue.create(name) and queue.send(name, bodies, delays_ms).
--
-- A message is *ready* while `due` is null, and *waiting* (delayed, leased, or between two attempts) until `due`
-- otherwise. Ready messages go out in the order of their ids, without a look at any clock; waiting ones whose time
-- has come go first. Each of the two states has its own partial index, so a receive touches only rows that it takes,
-- however many others are leased or delayed.
create schema queue;

create table queue.queues (
    id         int generated always as identity primary key,
    name       text not null unique check (name ~ '^[A-Za-z0-9._-]{1,80}$'),
    created_at timestamptz not null default now()
);
comment on table queue.queues is 'The queues. A row is never changed or deleted: programs remember the ids.';

create table queue.messages (
    id          bigint generated always as identity primary key,
    enqueued_at timestamptz not null default clock_timestamp(),
    due         timestamptz,
    queue       int not null,
    received    int not null default 0,
    generation  int not null default 0,
    body        bytea not null
) with (
    -- Every message dies, soon: vacuum by the number of the dead, without pauses, and keep the file's tail.
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_analyze_threshold = 1000000,
    vacuum_truncate = off,
    toast.autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 20000,
    toast.autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_insert_threshold = -1,
    toast.vacuum_truncate = off
);
-- Compressing costs more processor time than it saves: a body is written once, read once and deleted.
alter table queue.messages alter column body set storage external;

create index messages_ready on queue.messages (queue, id) where due is null;
create index messages_waiting on queue.messages (queue, due) where due is not null;

comment on table queue.messages is 'Messages that are ready or waiting. No foreign key on queue: its check would lock the queue''s row at every send.';
comment on column queue.messages.due is 'When the message may be received (again); null: now, in the order of ids.';
comment on column queue.messages.received is 'How often the message was received.';
comment on column queue.messages.generation is 'Grows whenever a lease begins or ends; a lease is (id, generation) and outdated when this has moved on.';
comment on column queue.messages.body is 'Any bytes: also those that nobody can decode, so that they can be parked and looked at.';

create table queue.parked (
    id          bigint primary key,
    queue       int not null,
    received    int not null,
    enqueued_at timestamptz not null,
    parked_at   timestamptz not null default clock_timestamp(),
    why         text not null,
    body        bytea not null
);
create index parked_of_queue on queue.parked (queue, id);
comment on table queue.parked is 'Messages that could not be handled, with the reason, until a person replays or drops them.';

create function queue.create(name text) returns void language sql as $$
    insert into queue.queues (name) values ($1) on conflict do nothing
$$;
comment on function queue.create is 'Makes a queue; making one twice is no error.';

create function queue.send(name text, bodies bytea[], delays_ms bigint[]) returns void language plpgsql as $$
declare
    target int;
begin
    select q.id into target from queue.queues q where q.name = send.name;
    if not found then
        raise exception 'queue % does not exist', name using errcode = 'QU001';
    end if;
    insert into queue.messages (queue, due, body)
    select target, case when item.delay_ms > 0 then clock_timestamp() + item.delay_ms * interval '1 millisecond' end, item.body
    from unnest(bodies, delays_ms) as item (body, delay_ms);
    perform pg_notify('queue', name);
end
$$;
comment on function queue.send is 'Sends messages, durable and visible when the caller''s transaction commits; delays_ms is as long as bodies, 0 for none. Listeners of channel "queue" are told the name.';
