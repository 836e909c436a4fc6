-- How many slots of a queue are taken. Never too low for a transaction that holds the queue's row.
CREATE OR REPLACE FUNCTION @.taken_slots(p_app text, p_queue text) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT count(*) FROM @.task WHERE app_id = p_app AND queue = p_queue AND state = 'running' AND NOT abandoned
$$;
