-- One function for each write of the contract: one statement, one round trip, one transaction.
--
-- A function that refuses raises, and what it wrote is undone with it: IM001 fenced, IM002 settled,
-- IM003 unknown, IM004 too early, IM005 too many tasks. A unique violation is an id taken before.
--
-- Locks are taken in one order: node, call or task, owner. A writer holds its node's row FOR KEY
-- SHARE, which a renewal does not disturb; who ends a life takes the row FOR UPDATE first, and so
-- waits for writes under way and stops those to come.

CREATE FUNCTION @.micros() RETURNS bigint LANGUAGE sql VOLATILE
AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint $$;

-- Saturates at the last moment that programs can name.
CREATE FUNCTION @.later(p_now bigint, p_by bigint) RETURNS bigint LANGUAGE sql IMMUTABLE
AS $$ SELECT least(p_now + p_by, 253402207200999999) $$;

CREATE FUNCTION @.owner_key(p_tenant text, p_user text) RETURNS bytea LANGUAGE sql STABLE
AS $$ SELECT sha256(convert_to(octet_length(p_tenant) || ':' || p_tenant || p_user, 'UTF8')) $$;

CREATE FUNCTION @.node_key(p_node text) RETURNS bytea LANGUAGE sql STABLE
AS $$ SELECT sha256(convert_to(p_node, 'UTF8')) $$;

CREATE FUNCTION @.refuse(p_code text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = p_code;
END $$;

CREATE FUNCTION @.fence(p_node text, p_incarnation bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_node_id bigint;
BEGIN
    SELECT n.node_id INTO v_node_id FROM @.node n
    WHERE n.node_key = @.node_key(p_node) AND n.incarnation = p_incarnation AND n.lease_until IS NOT NULL
    FOR KEY SHARE;
    IF NOT FOUND THEN PERFORM @.refuse('IM001'); END IF;
    RETURN v_node_id;
END $$;

CREATE FUNCTION @.find_owner(p_tenant text, p_user text) RETURNS bigint LANGUAGE sql STABLE
AS $$ SELECT owner_id FROM @.owner WHERE owner_key = @.owner_key(p_tenant, p_user) $$;

CREATE FUNCTION @.find_or_add_owner(p_tenant text, p_user text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v_key bytea := @.owner_key(p_tenant, p_user);
    v_owner_id bigint;
BEGIN
    SELECT owner_id INTO v_owner_id FROM @.owner WHERE owner_key = v_key;
    IF NOT FOUND THEN
        INSERT INTO @.owner (owner_key, tenant_id, user_id) VALUES (v_key, p_tenant, p_user)
        ON CONFLICT (owner_key) DO NOTHING RETURNING owner_id INTO v_owner_id;
        -- Somebody else added it just now, and has committed.
        IF NOT FOUND THEN SELECT owner_id INTO STRICT v_owner_id FROM @.owner WHERE owner_key = v_key; END IF;
    END IF;
    RETURN v_owner_id;
END $$;

-- Takes the owner's next numbers and writes the turn under the last of them. Whoever else writes
-- for this owner waits from here to the commit, so numbers and times come in the order of commits.
CREATE FUNCTION @.write_turn(p_owner_id bigint, p_count int, p_turn_id uuid, p_body text) RETURNS @.stamp
LANGUAGE plpgsql AS $$
DECLARE v_stamp @.stamp;
BEGIN
    UPDATE @.owner SET head = head + p_count WHERE owner_id = p_owner_id
    RETURNING head, 0, owner_id, tenant_id, user_id INTO STRICT v_stamp;
    v_stamp.at := @.micros();
    INSERT INTO @.turn (turn_id, owner_id, seq, at, body)
    VALUES (p_turn_id, p_owner_id, v_stamp.seq, v_stamp.at, p_body);
    RETURN v_stamp;
END $$;

-- The task as it is now, under the owner's number.
CREATE FUNCTION @.write_task_event(p_task_id uuid, p_seq bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO @.task_event
        (owner_id, seq, task_id, state, percent, message, cancel_requested_at, finished_at, outcome_seq)
    SELECT owner_id, p_seq, task_id, state, percent, message, cancel_requested_at, finished_at, outcome_seq
    FROM @.task WHERE task_id = p_task_id
$$;

-- The row's hash in its owner's chain, over the same bytes as in the other backends: the hash before
-- it, the time, and each text behind its length. Texts are stored in bytea's escape format.
CREATE FUNCTION @.audit_hash(p_previous bytea, p_at bigint, p_audit text[]) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_said bytea := coalesce(p_previous, convert_to('imperal audit chain 1', 'UTF8')) || int8send(p_at);
    v_text text;
    v_bytes bytea;
BEGIN
    FOREACH v_text IN ARRAY p_audit LOOP
        IF v_text IS NULL THEN
            v_said := v_said || int8send(-1);
        ELSE
            v_bytes := decode(v_text, 'escape');
            v_said := v_said || int8send(octet_length(v_bytes)) || v_bytes;
        END IF;
    END LOOP;
    RETURN sha256(v_said);
END $$;

-- p_audit: tenant, user, actor, app, action, target, outcome, detail. The owner's row is locked
-- before the number is taken, so that an owner's later rows have higher numbers.
CREATE FUNCTION @.write_audit(p_audit text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_owner_id bigint := @.find_or_add_owner(p_audit[1], p_audit[2]);
    v_hash bytea;
    v_at bigint;
BEGIN
    SELECT audit_end INTO v_hash FROM @.owner WHERE owner_id = v_owner_id FOR NO KEY UPDATE;
    v_at := @.micros();
    v_hash := @.audit_hash(v_hash, v_at, p_audit);
    INSERT INTO @.audit (at, owner_id, actor, app_id, action, target, outcome, detail, hash)
    VALUES (v_at, v_owner_id, p_audit[3], p_audit[4], p_audit[5], p_audit[6], p_audit[7], p_audit[8], v_hash);
    UPDATE @.owner SET audit_end = v_hash WHERE owner_id = v_owner_id;
END $$;

-- Marks what an ended life leaves. The caller holds the node's row FOR UPDATE.
CREATE FUNCTION @.end_incarnation(p_node_id bigint, p_incarnation bigint) RETURNS void LANGUAGE sql AS $$
    UPDATE @.call SET state = 'left' WHERE node_id = p_node_id AND incarnation = p_incarnation AND state = 'open';
    UPDATE @.task SET abandoned = true WHERE node_id = p_node_id AND incarnation = p_incarnation AND state = 'running';
    UPDATE @.node SET lease_until = NULL WHERE node_id = p_node_id;
$$;

CREATE FUNCTION @.join_node(p_node text, p_lease bigint, OUT node_id bigint, OUT incarnation bigint)
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
    UPDATE @.node n SET incarnation = v_node.incarnation + 1, lease_until = @.later(@.micros(), p_lease)
    WHERE n.node_id = v_node.node_id;
END $$;

CREATE FUNCTION @.renew(p_node text, p_incarnation bigint, p_lease bigint) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
DECLARE v_node_id bigint;
BEGIN
    -- A renewal that a crash of the server undoes costs nothing.
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE @.node SET lease_until = @.later(@.micros(), p_lease)
    WHERE node_key = @.node_key(p_node) AND incarnation = p_incarnation AND lease_until IS NOT NULL
    RETURNING node_id INTO v_node_id;
    IF NOT FOUND THEN PERFORM @.refuse('IM001'); END IF;
    RETURN QUERY SELECT task_id FROM @.task
    WHERE node_id = v_node_id AND incarnation = p_incarnation AND state = 'running' AND cancel_requested_at IS NOT NULL;
END $$;

CREATE FUNCTION @.leave(p_node text, p_incarnation bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_node_id bigint;
BEGIN
    SELECT node_id INTO v_node_id FROM @.node
    WHERE node_key = @.node_key(p_node) AND incarnation = p_incarnation AND lease_until IS NOT NULL FOR UPDATE;
    IF FOUND THEN PERFORM @.end_incarnation(v_node_id, p_incarnation); END IF;
END $$;

CREATE FUNCTION @.accept_call(
    p_node text, p_incarnation bigint, p_call_id uuid, p_tenant text, p_user text, p_turn_id uuid, p_body text
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_stamp @.stamp := @.write_turn(@.find_or_add_owner(p_tenant, p_user), 1, p_turn_id, p_body);
BEGIN
    INSERT INTO @.call (call_id, owner_id, node_id, incarnation, turn_seq)
    VALUES (p_call_id, v_stamp.owner_id, v_node_id, p_incarnation, v_stamp.seq);
    RETURN v_stamp;
END $$;

-- p_reclaim: on behalf of an ended life.
CREATE FUNCTION @.reply(
    p_node text, p_incarnation bigint, p_call_id uuid, p_reclaim boolean, p_turn_id uuid, p_body text
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_call @.call;
BEGIN
    SELECT * INTO v_call FROM @.call WHERE call_id = p_call_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    IF p_reclaim THEN
        IF v_call.state = 'open' THEN PERFORM @.refuse('IM003'); END IF;
    ELSIF v_call.node_id <> v_node_id OR v_call.incarnation <> p_incarnation THEN
        PERFORM @.refuse('IM003');
    END IF;
    IF v_call.state = 'replied' THEN PERFORM @.refuse('IM002'); END IF;
    UPDATE @.call SET state = 'replied' WHERE call_id = p_call_id;
    RETURN @.write_turn(v_call.owner_id, 1, p_turn_id, p_body);
END $$;

-- p_names: app, function, name.
CREATE FUNCTION @.start_task(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_tenant text, p_user text, p_names text[],
    p_long_running boolean, p_cap bigint, p_max_running bigint,
    OUT created_at bigint, OUT deadline_at bigint, OUT owner_id bigint, OUT seq bigint
) LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_call @.call;
BEGIN
    SELECT * INTO v_call FROM @.call c WHERE c.call_id = p_call_id;
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

-- p_reclaim: on behalf of an ended life.
CREATE FUNCTION @.finish_task(
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
    IF p_reclaim THEN
        IF v_task.state = 'running' AND NOT v_task.abandoned THEN PERFORM @.refuse('IM003'); END IF;
    ELSIF v_task.node_id <> v_node_id OR v_task.incarnation <> p_incarnation THEN
        PERFORM @.refuse('IM001');
    END IF;
    IF v_task.state <> 'running' THEN PERFORM @.refuse('IM002'); END IF;
    IF NOT EXISTS (SELECT 1 FROM @.call WHERE call_id = v_task.call_id AND state = 'replied') THEN
        PERFORM @.refuse('IM004');
    END IF;
    v_stamp := @.write_turn(v_task.owner_id, 2, p_turn_id, p_body);
    UPDATE @.task SET state = p_state, finished_at = v_stamp.at, outcome_seq = v_stamp.seq WHERE task_id = p_task_id;
    PERFORM @.write_task_event(p_task_id, v_stamp.seq - 1);
    PERFORM @.write_audit(p_audit);
    RETURN v_stamp;
END $$;

CREATE FUNCTION @.note_progress(
    p_node text, p_incarnation bigint, p_task_ids uuid[], p_percents double precision[], p_messages text[], p_ats bigint[]
) RETURNS TABLE (task_id uuid, owner_id bigint, tenant_id text, user_id text) LANGUAGE plpgsql AS $$
DECLARE v_node_id bigint := @.fence(p_node, p_incarnation);
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    RETURN QUERY
    UPDATE @.task t
    SET percent = said.percent, message = said.message, progress_at = said.at, progress_no = t.progress_no + 1
    FROM (
        SELECT DISTINCT ON (u.task_id) u.* FROM unnest(p_task_ids, p_percents, p_messages, p_ats)
        WITH ORDINALITY AS u (task_id, percent, message, at, place) ORDER BY u.task_id, u.place DESC
    ) said, @.owner w
    WHERE t.task_id = said.task_id AND t.node_id = v_node_id AND t.incarnation = p_incarnation AND t.state = 'running'
        AND w.owner_id = t.owner_id
    RETURNING t.task_id, w.owner_id, w.tenant_id, w.user_id;
END $$;

CREATE FUNCTION @.ask_cancel(p_task_id uuid, p_audit text[]) RETURNS SETOF @.task_record LANGUAGE plpgsql AS $$
DECLARE
    v_task @.task;
    v_seq bigint;
BEGIN
    SELECT * INTO v_task FROM @.task WHERE task_id = p_task_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
    IF v_task.state = 'running' AND v_task.cancel_requested_at IS NULL THEN
        UPDATE @.owner SET head = head + 1 WHERE owner_id = v_task.owner_id RETURNING head INTO STRICT v_seq;
        UPDATE @.task SET cancel_requested_at = @.micros() WHERE task_id = p_task_id;
        PERFORM @.write_task_event(p_task_id, v_seq);
    END IF;
    PERFORM @.write_audit(p_audit);
    RETURN QUERY SELECT * FROM @.task_record r WHERE r.task_id = p_task_id;
END $$;

-- p_node is null without a fence; else one of p_call_id and p_task_id is not.
CREATE FUNCTION @.inject(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_tenant text, p_user text, p_turn_id uuid,
    p_body text, p_audit text[]
) RETURNS @.stamp LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint;
    v_owner_id bigint;
    v_call @.call;
    v_task @.task;
    v_stamp @.stamp;
BEGIN
    IF p_node IS NOT NULL THEN
        v_node_id := @.fence(p_node, p_incarnation);
        v_owner_id := @.find_owner(p_tenant, p_user);
        -- FOR SHARE: the work is not settled between this look and the commit.
        IF p_call_id IS NOT NULL THEN
            SELECT * INTO v_call FROM @.call WHERE call_id = p_call_id AND owner_id = v_owner_id FOR SHARE;
            IF NOT FOUND OR v_call.node_id <> v_node_id OR v_call.incarnation <> p_incarnation THEN
                PERFORM @.refuse('IM003');
            END IF;
            IF v_call.state = 'replied' THEN PERFORM @.refuse('IM002'); END IF;
        ELSE
            SELECT * INTO v_task FROM @.task WHERE task_id = p_task_id AND owner_id = v_owner_id FOR SHARE;
            IF NOT FOUND THEN PERFORM @.refuse('IM003'); END IF;
            IF v_task.node_id <> v_node_id OR v_task.incarnation <> p_incarnation THEN PERFORM @.refuse('IM001'); END IF;
            IF v_task.state <> 'running' THEN PERFORM @.refuse('IM002'); END IF;
        END IF;
    END IF;
    v_stamp := @.write_turn(@.find_or_add_owner(p_tenant, p_user), 1, p_turn_id, p_body);
    PERFORM @.write_audit(p_audit);
    RETURN v_stamp;
END $$;

-- Calls come with a null task and the user's turn as their body. A lapsed life that somebody
-- works on at this moment, to end it or under it, is left for the next look.
CREATE FUNCTION @.orphans(p_node text, p_incarnation bigint, p_limit bigint) RETURNS SETOF @.task_record
LANGUAGE plpgsql AS $$
DECLARE
    v_node_id bigint := @.fence(p_node, p_incarnation);
    v_lapsed record;
    v_calls bigint;
BEGIN
    FOR v_lapsed IN
        SELECT node_id, incarnation FROM @.node WHERE lease_until <= @.micros() AND node_id <> v_node_id
        ORDER BY lease_until LIMIT 64 FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM @.end_incarnation(v_lapsed.node_id, v_lapsed.incarnation);
    END LOOP;
    RETURN QUERY
    SELECT c.call_no, NULL::uuid, c.call_id, NULL, NULL, NULL, NULL, NULL::boolean, NULL::double precision,
           NULL, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, u.body,
           n.node, c.incarnation, w.tenant_id, w.user_id, c.owner_id, w.head, NULL::boolean
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
