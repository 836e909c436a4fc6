-- Retention, and leases that outlive a clock that was set back.

ALTER TABLE @.owner
    -- events up to this number are not kept any more; some turns among them may be
    ADD COLUMN pruned bigint NOT NULL DEFAULT 0,
    -- the hash of the last audit row that retention took, and how many it took
    ADD COLUMN audit_anchor bytea,
    ADD COLUMN audit_pruned bigint NOT NULL DEFAULT 0;

-- How long the lease was when it was given.
ALTER TABLE @.node ADD COLUMN lease bigint;

-- A call goes before its tasks, a task's events before the task. Who starts a task holds its call.
ALTER TABLE @.task DROP CONSTRAINT task_call_id_fkey;
ALTER TABLE @.task_event DROP CONSTRAINT task_event_task_id_fkey;

CREATE INDEX call_of ON @.call (owner_id, turn_seq);

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
    incarnation := v_node.incarnation + 1;
    UPDATE @.node n SET incarnation = v_node.incarnation + 1, lease_until = @.later(@.micros(), p_lease), lease = p_lease
    WHERE n.node_id = v_node.node_id;
END $$;

CREATE OR REPLACE FUNCTION @.renew(p_node text, p_incarnation bigint, p_lease bigint) RETURNS SETOF uuid
LANGUAGE plpgsql AS $$
DECLARE v_node_id bigint;
BEGIN
    -- A renewal that a crash of the server undoes costs nothing.
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE @.node SET lease_until = @.later(@.micros(), p_lease), lease = p_lease
    WHERE node_key = @.node_key(p_node) AND incarnation = p_incarnation AND lease_until IS NOT NULL
    RETURNING node_id INTO v_node_id;
    IF NOT FOUND THEN PERFORM @.refuse('IM001'); END IF;
    RETURN QUERY SELECT task_id FROM @.task
    WHERE node_id = v_node_id AND incarnation = p_incarnation AND state = 'running' AND cancel_requested_at IS NOT NULL;
END $$;

-- For nodes of a version without keys.
CREATE OR REPLACE FUNCTION @.start_task(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_tenant text, p_user text, p_names text[],
    p_long_running boolean, p_cap bigint, p_max_running bigint,
    OUT created_at bigint, OUT deadline_at bigint, OUT owner_id bigint, OUT seq bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_call @.call;
BEGIN
    -- Held to the commit: retention passes over a call that somebody holds.
    SELECT * INTO v_call FROM @.call c WHERE c.call_id = p_call_id FOR KEY SHARE;
    IF NOT FOUND OR v_call.node_id <> v_node_id OR v_call.incarnation <> p_incarnation
        OR v_call.owner_id IS DISTINCT FROM @.find_owner(p_tenant, p_user)
    THEN
        PERFORM @.refuse('IM003');
    END IF;
    owner_id := v_call.owner_id;
    -- The owner's row is locked before tasks are counted: no two starts count at once.
    UPDATE @.owner w SET head = head + 1 WHERE w.owner_id = v_call.owner_id RETURNING head INTO STRICT seq;
    IF EXISTS (SELECT 1 FROM @.task t WHERE t.task_id = p_task_id) THEN PERFORM @.refuse('IM002'); END IF;
    IF (SELECT count(*) FROM @.task t WHERE t.owner_id = v_call.owner_id AND t.state = 'running') >= p_max_running THEN
        PERFORM @.refuse('IM005');
    END IF;
    created_at := @.micros();
    deadline_at := @.later(created_at, p_cap);
    INSERT INTO @.task AS t (task_id, call_id, owner_id, node_id, incarnation, app_id, function, name, long_running,
                             created_at, deadline_at)
    VALUES (p_task_id, p_call_id, v_call.owner_id, v_node_id, p_incarnation, p_names[1], p_names[2], p_names[3],
            p_long_running, start_task.created_at, start_task.deadline_at);
    PERFORM @.write_task_event(p_task_id, seq);
END $$;

-- IM006: the key is taken; the detail is the running task's id, the hint its name.
CREATE OR REPLACE FUNCTION @.start_task(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_tenant text, p_user text, p_names text[],
    p_key text, p_long_running boolean, p_cap bigint, p_max_running bigint,
    OUT created_at bigint, OUT deadline_at bigint, OUT owner_id bigint, OUT seq bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_call @.call;
    v_other @.task;
BEGIN
    SELECT * INTO v_call FROM @.call c WHERE c.call_id = p_call_id FOR KEY SHARE;
    IF NOT FOUND OR v_call.node_id <> v_node_id OR v_call.incarnation <> p_incarnation
        OR v_call.owner_id IS DISTINCT FROM @.find_owner(p_tenant, p_user)
    THEN
        PERFORM @.refuse('IM003');
    END IF;
    owner_id := v_call.owner_id;
    -- The owner's row is locked before tasks are counted: no two starts count at once.
    UPDATE @.owner w SET head = head + 1 WHERE w.owner_id = v_call.owner_id RETURNING head INTO STRICT seq;
    IF EXISTS (SELECT 1 FROM @.task t WHERE t.task_id = p_task_id) THEN PERFORM @.refuse('IM002'); END IF;
    SELECT * INTO v_other FROM @.task t
    WHERE t.owner_id = v_call.owner_id AND t.state = 'running' AND t.app_id = p_names[1] AND t.key = p_key LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'refused by the ledger''s rules'
            USING ERRCODE = 'IM006', DETAIL = v_other.task_id::text, HINT = v_other.name;
    END IF;
    IF (SELECT count(*) FROM @.task t WHERE t.owner_id = v_call.owner_id AND t.state = 'running') >= p_max_running THEN
        PERFORM @.refuse('IM005');
    END IF;
    created_at := @.micros();
    deadline_at := @.later(created_at, p_cap);
    INSERT INTO @.task AS t (task_id, call_id, owner_id, node_id, incarnation, app_id, function, name, long_running,
                             created_at, deadline_at, key)
    VALUES (p_task_id, p_call_id, v_call.owner_id, v_node_id, p_incarnation, p_names[1], p_names[2], p_names[3],
            p_long_running, start_task.created_at, start_task.deadline_at, p_key);
    PERFORM @.write_task_event(p_task_id, seq);
END $$;

-- Calls come with a null task and the user's turn as their body. A lapsed life that somebody
-- works on at this moment, to end it or under it, is left for the next look.
CREATE OR REPLACE FUNCTION @.orphans(p_node text, p_incarnation bigint, p_limit bigint) RETURNS SETOF @.task_record
LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_lapsed record;
    v_calls bigint;
BEGIN
    -- Given before the clock was set back. Subtracted, since a sum may be beyond the largest number.
    UPDATE @.node SET lease_until = @.micros() + lease WHERE node_id IN (
        SELECT node_id FROM @.node WHERE lease_until - lease > @.micros() FOR NO KEY UPDATE SKIP LOCKED
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
    JOIN @.turn u ON u.owner_id = c.owner_id AND u.seq = c.turn_seq
    WHERE c.state = 'left' ORDER BY c.call_no LIMIT p_limit;
    GET DIAGNOSTICS v_calls = ROW_COUNT;
    RETURN QUERY
    SELECT * FROM @.task_record r WHERE r.state = 'running' AND r.abandoned
    ORDER BY r.task_no LIMIT p_limit - v_calls;
END $$;

-- Of an owner's turns between two numbers, the last one before the first young one.
CREATE FUNCTION @.last_old_turn(p_owner_id bigint, p_after bigint, p_before bigint, p_cut bigint, p_limit bigint)
RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT max(seq) FROM (
        SELECT seq, bool_and(at < p_cut) OVER (ORDER BY seq) AS old FROM (
            SELECT seq, at FROM @.turn
            WHERE owner_id = p_owner_id AND seq > p_after AND (p_before IS NULL OR seq < p_before)
            ORDER BY seq LIMIT p_limit
        ) AS behind
    ) AS judged WHERE old
$$;

-- Of the owner's oldest call that has no reply or a running task.
CREATE FUNCTION @.first_needed(p_owner_id bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT least(
        (SELECT min(turn_seq) FROM @.call WHERE owner_id = p_owner_id AND state = 'open'),
        (SELECT min(turn_seq) FROM @.call WHERE owner_id = p_owner_id AND state = 'left'),
        (SELECT min(c.turn_seq) FROM @.task t JOIN @.call c ON c.call_id = t.call_id
         WHERE t.owner_id = p_owner_id AND t.state = 'running')
    )
$$;

-- p_turns and the others are ages; null keeps for ever. An owner's row is locked for as long as its
-- rows go: who is there first is left alone, and nothing here waits for anybody.
CREATE FUNCTION @.prune(
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
        v_left := p_limit - turns - calls - tasks - events - audit;
        v_last := @.last_old_turn(
            v_owner.owner_id, v_owner.pruned, @.first_needed(v_owner.owner_id), v_now - p_events, v_left);
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
            UPDATE @.owner w SET audit_anchor = v_hash, audit_pruned = w.audit_pruned + v_count
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
