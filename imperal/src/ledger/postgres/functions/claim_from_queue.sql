-- Takes up tasks of a queue: each free slot goes to the owner whom the queue has served longest ago. p_names: the durable
-- tasks of its extension that the program has. Takes none while another transaction serves the queue.
CREATE OR REPLACE FUNCTION @.claim_from_queue(
    p_node_id bigint, p_incarnation bigint, p_claim_id uuid, p_app text, p_queue text, p_at_most bigint,
    p_per_user bigint, p_names text[], p_program text, p_limit bigint, p_suspect boolean, p_max_running bigint,
    p_only_own boolean
) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    v_now bigint := @.micros();
    v_served bigint;
    v_free bigint;
    v_claimed uuid[] := '{}';
    v_suspect boolean := p_suspect;
    v_owners bigint[];
    v_slots bigint[];
    v_next record;
    v_any boolean := true;
BEGIN
    SELECT q.served INTO v_served FROM @.queue q WHERE q.app_id = p_app AND q.queue = p_queue FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN RETURN v_claimed; END IF;
    v_served := greatest(v_served, 0);
    -- Counted after the lock: the claims that were served before this one are seen.
    v_free := least(p_at_most - @.taken_slots(p_app, p_queue), p_limit);
    IF v_free <= 0 THEN RETURN v_claimed; END IF;
    SELECT coalesce(array_agg(w.owner_id ORDER BY w.served, w.first_ready_at, w.owner_id), '{}'),
        array_agg(w.slots ORDER BY w.served, w.first_ready_at, w.owner_id)
    INTO v_owners, v_slots FROM @.waiting_owners(p_app, p_queue, v_now, p_suspect) AS w;
    -- A round serves each owner once.
    WHILE v_any AND v_free > 0 LOOP
        v_any := false;
        FOR i IN 1 .. cardinality(v_owners) LOOP
            EXIT WHEN v_free <= 0;
            CONTINUE WHEN v_slots[i] >= p_per_user;
            SELECT * INTO v_next FROM @.claim_from_owner(
                p_node_id, p_incarnation, p_claim_id, p_app, p_queue, v_owners[i], p_names, p_program, v_suspect,
                p_max_running, p_only_own, v_now);
            IF v_next.outcome IN ('claimed', 'suspect') THEN
                v_suspect := v_suspect AND v_next.outcome = 'claimed';
                v_claimed := v_claimed || v_next.claimed_id;
                v_slots[i] := v_slots[i] + 1;
                v_free := v_free - 1;
                v_served := v_served + 1;
                v_any := true;
                INSERT INTO @.queue_owner AS o (app_id, queue, owner_id, served)
                VALUES (p_app, p_queue, v_owners[i], v_served)
                ON CONFLICT (app_id, queue, owner_id) DO UPDATE SET served = excluded.served;
            ELSE
                -- None of its tasks can be taken now.
                v_slots[i] := p_per_user;
            END IF;
        END LOOP;
    END LOOP;
    IF cardinality(v_claimed) > 0 THEN
        UPDATE @.queue q SET served = v_served WHERE q.app_id = p_app AND q.queue = p_queue;
    END IF;
    RETURN v_claimed;
END $$;
