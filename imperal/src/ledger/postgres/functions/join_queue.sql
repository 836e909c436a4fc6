-- Notes that an owner has tasks in a queue. The caller has locked the owner's row.
CREATE OR REPLACE FUNCTION @.join_queue(p_app text, p_queue text, p_owner_id bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- Looked at before: an insert would wait for a claim that has changed the row.
    IF NOT EXISTS (SELECT FROM @.queue q WHERE q.app_id = p_app AND q.queue = p_queue) THEN
        INSERT INTO @.queue AS q (app_id, queue) VALUES (p_app, p_queue) ON CONFLICT DO NOTHING;
    END IF;
    -- A new owner is before the one that the queue served last, and behind the others.
    IF NOT EXISTS (
        SELECT FROM @.queue_owner o WHERE o.app_id = p_app AND o.queue = p_queue AND o.owner_id = p_owner_id)
    THEN
        INSERT INTO @.queue_owner AS o (app_id, queue, owner_id, served)
        SELECT q.app_id, q.queue, p_owner_id, greatest(q.served - 1, 0) FROM @.queue q
        WHERE q.app_id = p_app AND q.queue = p_queue
        ON CONFLICT DO NOTHING;
    END IF;
END $$;
