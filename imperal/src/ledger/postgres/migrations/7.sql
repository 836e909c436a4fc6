-- Rows that were damaged stop nobody. See "Damage" in the ledger's contract.

-- Rows whose state is none of its words: none, unless the database was damaged.
CREATE INDEX call_damaged ON @.call (call_no) WHERE state NOT IN ('open', 'left', 'replied');
CREATE INDEX task_damaged ON @.task (task_no)
    WHERE state NOT IN ('running', 'succeeded', 'failed', 'cancelled', 'timed_out', 'reclaimed');

-- The owner's latest number; null for one who has none.
CREATE FUNCTION @.head(p_tenant text, p_user text) RETURNS bigint LANGUAGE sql STABLE
AS $$ SELECT head FROM @.owner WHERE owner_key = @.owner_key(p_tenant, p_user) $$;

-- As before, and an epoch that was damaged is followed by one that no life can have had.
CREATE OR REPLACE FUNCTION @.join_node(p_node text, p_lease bigint, OUT node_id bigint, OUT incarnation bigint)
LANGUAGE plpgsql AS $$
DECLARE
    v_key bytea := @.node_key(p_node);
    v_node @.node;
BEGIN
    INSERT INTO @.node (node_key, node, incarnation) VALUES (v_key, p_node, 0) ON CONFLICT (node_key) DO NOTHING;
    SELECT * INTO STRICT v_node FROM @.node n WHERE n.node_key = v_key FOR UPDATE;
    IF v_node.lease_until IS NOT NULL THEN PERFORM @.end_incarnation(v_node.node_id, v_node.incarnation); END IF;
    node_id := v_node.node_id;
    incarnation := CASE WHEN v_node.incarnation BETWEEN 0 AND 9007199254740992 THEN v_node.incarnation + 1 ELSE @.micros() END;
    UPDATE @.node n
    SET incarnation = join_node.incarnation, lease_until = @.later(@.micros(), p_lease), lease = p_lease
    WHERE n.node_id = v_node.node_id;
END $$;

-- Marks unsettled work that no current life holds, so that it is settled. A task's key goes, which
-- another task may have taken meanwhile.
CREATE FUNCTION @.find_lost_work() RETURNS TABLE (kind text, number bigint, why text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY UPDATE @.call c SET state = 'left'
    WHERE c.state NOT IN ('open', 'left', 'replied') AND c.reply_seq IS NULL AND NOT EXISTS (
        SELECT FROM @.node n WHERE n.node_id = c.node_id AND n.incarnation = c.incarnation AND n.lease_until IS NOT NULL)
    RETURNING 'call', c.call_no, 'state is none of its words';
    RETURN QUERY UPDATE @.task t SET state = 'running', abandoned = true, key = NULL
    WHERE t.state NOT IN ('running', 'succeeded', 'failed', 'cancelled', 'timed_out', 'reclaimed')
        AND t.outcome_seq IS NULL AND NOT EXISTS (
        SELECT FROM @.node n WHERE n.node_id = t.node_id AND n.incarnation = t.incarnation AND n.lease_until IS NOT NULL)
    RETURNING 'task', t.task_no, 'state is none of its words';
    RETURN QUERY UPDATE @.call c SET state = 'left'
    WHERE c.state = 'open' AND NOT EXISTS (
        SELECT FROM @.node n WHERE n.node_id = c.node_id AND n.incarnation = c.incarnation AND n.lease_until IS NOT NULL)
    RETURNING 'call', c.call_no, 'no life of a node holds it';
    RETURN QUERY UPDATE @.task t SET abandoned = true
    WHERE t.state = 'running' AND NOT t.abandoned AND NOT EXISTS (
        SELECT FROM @.node n WHERE n.node_id = t.node_id AND n.incarnation = t.incarnation AND n.lease_until IS NOT NULL)
    RETURNING 'task', t.task_no, 'no life of a node holds it';
END $$;

-- Makes an owner's head and floor fit its rows, and says whether it had to. A number may be missing
-- here and there; a head that is further from the rows than that was damaged.
CREATE FUNCTION @.mend_numbers(p_owner_id bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    v_owner @.owner;
    v_first bigint;
    v_count bigint;
    v_last bigint;
    v_head bigint;
    v_floor bigint;
BEGIN
    SELECT * INTO v_owner FROM @.owner w WHERE w.owner_id = p_owner_id FOR NO KEY UPDATE;
    -- Each number is a row's or was pruned.
    IF NOT FOUND OR (v_owner.pruned >= 0 AND v_owner.head = greatest(
        v_owner.pruned,
        (SELECT max(seq) FROM @.turn WHERE owner_id = p_owner_id),
        (SELECT max(seq) FROM @.task_event WHERE owner_id = p_owner_id)))
    THEN
        RETURN false;
    END IF;
    SELECT min(seq), count(*) INTO v_first, v_count FROM (
        SELECT seq FROM @.turn WHERE owner_id = p_owner_id AND seq > 0
        UNION ALL SELECT seq FROM @.task_event WHERE owner_id = p_owner_id AND seq > 0
    ) AS rows;
    v_floor := v_owner.pruned;
    IF v_floor NOT BETWEEN 0 AND greatest(least(v_owner.head, 9007199254740992), v_count) + 10000 THEN
        v_floor := coalesce(v_first - 1, 0);
    END IF;
    SELECT count(*) INTO v_count FROM (
        SELECT seq FROM @.turn WHERE owner_id = p_owner_id AND seq > v_floor
        UNION ALL SELECT seq FROM @.task_event WHERE owner_id = p_owner_id AND seq > v_floor
    ) AS rows;
    SELECT max(seq) INTO v_last FROM (
        SELECT seq FROM @.turn WHERE owner_id = p_owner_id
        UNION ALL SELECT seq FROM @.task_event WHERE owner_id = p_owner_id
    ) AS rows WHERE seq <= v_floor + v_count + 10000;
    v_head := greatest(v_last, v_floor);
    IF v_owner.head BETWEEN v_head AND v_floor + v_count + 10000 THEN v_head := v_owner.head; END IF;
    UPDATE @.owner w SET head = v_head, pruned = v_floor
    WHERE w.owner_id = p_owner_id AND (w.head <> v_head OR w.pruned <> v_floor);
    RETURN FOUND;
END $$;

-- As before, and a task whose call is missing waits for no reply.
CREATE OR REPLACE FUNCTION @.finish_task(
    p_node text, p_incarnation bigint, p_task_id uuid, p_reclaim boolean, p_state text, p_turn_id uuid, p_body text,
    p_audit text[]
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_task @.task;
    v_stamp @.stamp;
BEGIN
    SELECT * INTO v_task FROM @.task WHERE task_id = p_task_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    IF v_task.outcome_seq IS NULL
        AND v_task.state NOT IN ('running', 'succeeded', 'failed', 'cancelled', 'timed_out', 'reclaimed')
    THEN
        -- Its state was damaged, and it has no end.
        v_task.state := 'running';
    END IF;
    IF p_reclaim THEN
        IF v_task.state = 'running' AND NOT v_task.abandoned THEN PERFORM @.refuse('IM003'); END IF;
    ELSIF v_task.node_id <> v_node_id OR v_task.incarnation <> p_incarnation THEN
        PERFORM @.refuse('IM001');
    END IF;
    IF v_task.state <> 'running' THEN PERFORM @.refuse('IM002'); END IF;
    IF EXISTS (
        SELECT 1 FROM @.call WHERE call_id = v_task.call_id AND state <> 'replied'
            AND (state IN ('open', 'left') OR reply_seq IS NULL))
    THEN
        PERFORM @.refuse('IM004');
    END IF;
    IF p_reclaim THEN PERFORM @.mend_numbers(v_task.owner_id); END IF;
    v_stamp := @.write_turn(v_task.owner_id, 2, p_turn_id, p_body);
    UPDATE @.task SET state = p_state, finished_at = v_stamp.at, outcome_seq = v_stamp.seq WHERE task_id = p_task_id;
    PERFORM @.write_task_event(p_task_id, v_stamp.seq - 1);
    PERFORM @.write_audit(p_audit);
    RETURN v_stamp;
END $$;

-- As before; a call whose turn is missing comes without a body. A lease whose length is lost ends after a
-- minute, unless its node renews it. Differences are numeric: damaged numbers may be as far apart as any.
CREATE OR REPLACE FUNCTION @.orphans(p_node text, p_incarnation bigint, p_limit bigint) RETURNS SETOF @.task_record
LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_lapsed record;
    v_calls bigint;
BEGIN
    -- Given before the clock was set back.
    UPDATE @.node SET lease_until = @.later(
        @.micros(), CASE WHEN lease BETWEEN 0 AND 253402207200999999 THEN lease ELSE 60000000 END)
    WHERE node_id IN (
        SELECT node_id FROM @.node
        WHERE lease_until::numeric - CASE WHEN lease BETWEEN 0 AND 253402207200999999 THEN lease ELSE 60000000 END
            > @.micros()
        FOR NO KEY UPDATE SKIP LOCKED
    );
    FOR v_lapsed IN
        SELECT node_id, incarnation FROM @.node WHERE lease_until <= @.micros() AND node_id <> v_node_id
        ORDER BY lease_until LIMIT 64 FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM @.end_incarnation(v_lapsed.node_id, v_lapsed.incarnation);
    END LOOP;
    RETURN QUERY
    SELECT c.call_no, NULL::uuid, c.call_id, NULL, NULL, NULL, NULL, NULL::boolean, NULL::double precision,
           NULL, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, u.body,
           n.node, c.incarnation, w.tenant_id, w.user_id, c.owner_id, w.head, NULL::boolean, NULL
    FROM @.call c
    JOIN @.owner w ON w.owner_id = c.owner_id
    JOIN @.node n ON n.node_id = c.node_id
    LEFT JOIN @.turn u ON u.owner_id = c.owner_id AND u.seq = c.turn_seq
    WHERE c.state = 'left' ORDER BY c.call_no LIMIT p_limit;
    GET DIAGNOSTICS v_calls = ROW_COUNT;
    RETURN QUERY
    SELECT * FROM @.task_record r WHERE r.state = 'running' AND r.abandoned
    ORDER BY r.task_no LIMIT p_limit - v_calls;
END $$;

-- As before, and numbers that were damaged do no harm. p_turns and the others are ages; null keeps for ever. An owner's row is locked for as long as its
-- rows go: who is there first is left alone, and nothing here waits for anybody.
CREATE OR REPLACE FUNCTION @.prune(
    p_turns bigint, p_tasks bigint, p_events bigint, p_audit bigint, p_from bigint, p_limit bigint,
    OUT turns bigint, OUT calls bigint, OUT tasks bigint, OUT events bigint, OUT audit bigint, OUT next bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_now bigint := @.micros();
    v_seen bigint := 0;
    v_left bigint;
    v_look record;
    v_owner @.owner;
    v_last bigint;
    v_hash bytea;
    v_count bigint;
BEGIN
    -- What a crash of the server undoes goes the next time.
    PERFORM set_config('synchronous_commit', 'off', true);
    turns := 0; calls := 0; tasks := 0; events := 0; audit := 0;
    FOR v_look IN
        SELECT w.owner_id,
            (SELECT u.at FROM @.turn u WHERE u.owner_id = w.owner_id AND u.seq > w.pruned ORDER BY u.seq LIMIT 1)
                < v_now - p_events IS TRUE
            OR (SELECT u.at FROM @.turn u WHERE u.owner_id = w.owner_id ORDER BY u.seq LIMIT 1) < v_now - p_turns IS TRUE
            OR (SELECT t.created_at FROM @.task t WHERE t.owner_id = w.owner_id ORDER BY t.task_no LIMIT 1)
                < v_now - p_tasks IS TRUE
            OR (SELECT a.at FROM @.audit a WHERE a.owner_id = w.owner_id ORDER BY a.audit_id LIMIT 1)
                < v_now - p_audit IS TRUE AS due
        FROM @.owner w WHERE w.owner_id > p_from ORDER BY w.owner_id LIMIT 1000
    LOOP
        v_seen := v_seen + 1;
        next := v_look.owner_id;
        CONTINUE WHEN NOT v_look.due;
        SELECT * INTO v_owner FROM @.owner w WHERE w.owner_id = v_look.owner_id FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND;
        IF v_owner.pruned NOT BETWEEN 0 AND greatest(v_owner.head, 0) THEN v_owner.pruned := 0; END IF;
        v_left := p_limit - turns - calls - tasks - events - audit;
        v_last := @.last_old_turn(
            v_owner.owner_id, v_owner.pruned,
            -- A row beyond the owner's latest number has lost its place.
            least(@.first_needed(v_owner.owner_id), least(v_owner.head, 9007199254740992) + 1),
            v_now - p_events, v_left);
        IF v_last IS NOT NULL THEN
            v_owner.pruned := v_last;
            UPDATE @.owner w SET pruned = v_last WHERE w.owner_id = v_owner.owner_id;
            DELETE FROM @.task_event e WHERE e.owner_id = v_owner.owner_id AND e.seq <= v_last;
            GET DIAGNOSTICS v_count = ROW_COUNT;
            events := events + v_count;
        END IF;
        v_last := @.last_old_turn(v_owner.owner_id, 0, v_owner.pruned + 1, v_now - p_turns, v_left);
        IF v_last IS NOT NULL THEN
            DELETE FROM @.turn u WHERE u.owner_id = v_owner.owner_id AND u.seq <= v_last;
            GET DIAGNOSTICS v_count = ROW_COUNT;
            turns := turns + v_count;
        END IF;
        IF p_turns IS NOT NULL THEN
            -- Also those that somebody held the last time.
            DELETE FROM @.call c WHERE c.call_id IN (
                SELECT k.call_id FROM @.call k
                WHERE k.owner_id = v_owner.owner_id AND k.turn_seq <= v_owner.pruned AND k.turn_seq < coalesce(
                    (SELECT min(u.seq) FROM @.turn u WHERE u.owner_id = v_owner.owner_id), v_owner.pruned + 1)
                FOR UPDATE SKIP LOCKED
            );
            GET DIAGNOSTICS v_count = ROW_COUNT;
            calls := calls + v_count;
        END IF;
        DELETE FROM @.task t WHERE t.task_id IN (
            SELECT k.task_id FROM (
                SELECT o.*, bool_and(o.created_at < v_now - p_tasks) OVER (ORDER BY o.task_no) AS old FROM (
                    SELECT i.task_id, i.task_no, i.created_at, i.finished_at, i.outcome_seq FROM @.task i
                    WHERE i.owner_id = v_owner.owner_id ORDER BY i.task_no LIMIT v_left
                ) AS o
            ) AS j JOIN @.task k ON k.task_id = j.task_id
            WHERE j.old AND k.finished_at < v_now - p_tasks AND k.outcome_seq <= v_owner.pruned
            FOR UPDATE OF k SKIP LOCKED
        );
        GET DIAGNOSTICS v_count = ROW_COUNT;
        tasks := tasks + v_count;
        SELECT j.audit_id, j.hash, j.place INTO v_last, v_hash, v_count FROM (
            SELECT o.audit_id, o.hash, row_number() OVER (ORDER BY o.audit_id) AS place,
                bool_and(o.at < v_now - p_audit) OVER (ORDER BY o.audit_id) AS old
            FROM (
                SELECT a.audit_id, a.at, a.hash FROM @.audit a
                WHERE a.owner_id = v_owner.owner_id ORDER BY a.audit_id LIMIT v_left
            ) AS o
        ) AS j WHERE j.old ORDER BY j.audit_id DESC LIMIT 1;
        IF FOUND THEN
            UPDATE @.owner w SET audit_anchor = v_hash, audit_pruned = v_count
                + CASE WHEN w.audit_pruned BETWEEN 0 AND 9007199254740992 THEN w.audit_pruned ELSE 0 END
            WHERE w.owner_id = v_owner.owner_id;
            DELETE FROM @.audit a WHERE a.owner_id = v_owner.owner_id AND a.audit_id <= v_last;
            audit := audit + v_count;
        END IF;
        IF turns + calls + tasks + events + audit >= p_limit THEN
            -- The same owner again: there may be more.
            next := v_owner.owner_id - 1;
            RETURN;
        END IF;
    END LOOP;
    IF v_seen < 1000 THEN next := NULL; END IF;
END $$;

-- As before, and a number that was damaged counts for none.
CREATE OR REPLACE FUNCTION @.write_turn(p_owner_id bigint, p_count int, p_turn_id uuid, p_body text) RETURNS @.stamp
LANGUAGE plpgsql AS $$
DECLARE
    v_stamp @.stamp;
    v_day bigint := @.micros() / 86400000000;
BEGIN
    UPDATE @.owner SET head = head + p_count, stored_day = v_day,
        stored = CASE WHEN stored_day = v_day AND stored BETWEEN 0 AND 9007199254740992 THEN stored ELSE 0 END
            + octet_length(p_body)
    WHERE owner_id = p_owner_id
    RETURNING head, 0, owner_id, tenant_id, user_id INTO STRICT v_stamp;
    IF v_stamp.seq < p_count OR v_stamp.seq > 9007199254740992 THEN
        -- The node mends the numbers and asks again.
        RAISE EXCEPTION 'the number of the owner''s latest event was damaged' USING ERRCODE = '22003';
    END IF;
    v_stamp.at := @.micros();
    INSERT INTO @.turn (turn_id, owner_id, seq, at, body)
    VALUES (p_turn_id, p_owner_id, v_stamp.seq, v_stamp.at, p_body);
    RETURN v_stamp;
END $$;

-- As before, and a name that was damaged is mended: the owner is found by the hash of it.
CREATE OR REPLACE FUNCTION @.find_or_add_owner(p_tenant text, p_user text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_key bytea := @.owner_key(p_tenant, p_user);
    v_owner_id bigint;
    v_is_sound boolean;
BEGIN
    SELECT owner_id, tenant_id = p_tenant AND user_id = p_user INTO v_owner_id, v_is_sound
    FROM @.owner WHERE owner_key = v_key;
    IF NOT FOUND THEN
        INSERT INTO @.owner (owner_key, tenant_id, user_id) VALUES (v_key, p_tenant, p_user)
        ON CONFLICT (owner_key) DO NOTHING RETURNING owner_id INTO v_owner_id;
        -- Somebody else added it just now, and has committed.
        IF NOT FOUND THEN SELECT owner_id INTO STRICT v_owner_id FROM @.owner WHERE owner_key = v_key; END IF;
    ELSIF NOT v_is_sound THEN
        UPDATE @.owner SET tenant_id = p_tenant, user_id = p_user WHERE owner_id = v_owner_id;
    END IF;
    RETURN v_owner_id;
END $$;

-- As before, and whoever settles what an ended life left mends the owner's numbers first.
CREATE OR REPLACE FUNCTION @.reply(
    p_node text, p_incarnation bigint, p_call_id uuid, p_reclaim boolean, p_turn_id uuid, p_body text
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_call @.call;
    v_stamp @.stamp;
BEGIN
    SELECT * INTO v_call FROM @.call WHERE call_id = p_call_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    IF p_reclaim THEN
        IF v_call.state = 'open' THEN PERFORM @.refuse('IM003'); END IF;
    ELSIF v_call.node_id <> v_node_id OR v_call.incarnation <> p_incarnation THEN
        PERFORM @.refuse('IM003');
    END IF;
    IF v_call.state = 'replied' THEN PERFORM @.refuse('IM002'); END IF;
    IF p_reclaim THEN PERFORM @.mend_numbers(v_call.owner_id); END IF;
    v_stamp := @.write_turn(v_call.owner_id, 1, p_turn_id, p_body);
    UPDATE @.call SET state = 'replied', reply_seq = v_stamp.seq WHERE call_id = p_call_id;
    RETURN v_stamp;
END $$;
