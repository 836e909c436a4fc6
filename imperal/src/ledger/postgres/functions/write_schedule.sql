-- Writes a schedule if the stored one has the version before, with a call that begins (p_new_call with the turn), or a
-- turn alone, and the audit row. Returns no row if it did not. A node skips a schedule that another transaction writes.
-- p_most: the most schedules of the owner, for a new one. p_job: the job of a new one. p_job_step: what a node does to
-- the work of its job. p_files: files of an extension that are stored with it. IM019: one is not there; the error's
-- detail is its id.
CREATE OR REPLACE FUNCTION @.write_schedule(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_attempt bigint, p_tenant text, p_user text,
    p_schedule_id uuid, p_version bigint, p_wake_at bigint, p_body text, p_most bigint, p_audit text[],
    p_new_call uuid, p_turn_id uuid, p_turn text, p_max_stored bigint, p_job text, p_job_step text, p_job_call uuid,
    p_app text, p_files uuid[]
) RETURNS SETOF @.stamp LANGUAGE plpgsql AS $$
DECLARE
    v_owner_id bigint;
    v_found bigint;
    v_stamp @.stamp;
    v_now bigint := @.micros();
    v_missing uuid;
BEGIN
    PERFORM @.may_write_schedule(p_node, p_incarnation, p_call_id, p_task_id, p_attempt, p_tenant, p_user);
    v_owner_id := @.find_or_add_owner(p_tenant, p_user);
    -- The files are locked before the owner, as everywhere. They are claimed once it is clear that this writes.
    IF p_files IS NOT NULL THEN PERFORM @.lock_files(v_owner_id, p_files); END IF;
    IF p_version = 1 THEN
        -- Writers of one owner take turns, so that the limit holds.
        PERFORM FROM @.owner o WHERE o.owner_id = v_owner_id FOR NO KEY UPDATE;
        IF EXISTS (SELECT FROM @.schedule s WHERE s.schedule_id = p_schedule_id) THEN RETURN; END IF;
        IF (SELECT count(*) FROM @.schedule s WHERE s.owner_id = v_owner_id AND s.job IS NULL) >= p_most THEN
            RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM018', DETAIL = p_most::text;
        END IF;
        INSERT INTO @.schedule (schedule_id, owner_id, job, version, wake_at, created_at, updated_at, body)
        VALUES (p_schedule_id, v_owner_id, p_job, 1, p_wake_at, v_now, v_now, p_body)
        ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN RETURN; END IF;
    ELSE
        IF p_node IS NOT NULL AND p_call_id IS NULL AND p_task_id IS NULL THEN
            SELECT s.schedule_no INTO v_found FROM @.schedule s
            WHERE s.schedule_id = p_schedule_id AND s.owner_id = v_owner_id AND s.version = p_version - 1
            FOR UPDATE SKIP LOCKED;
        ELSE
            SELECT s.schedule_no INTO v_found FROM @.schedule s
            WHERE s.schedule_id = p_schedule_id AND s.owner_id = v_owner_id AND s.version = p_version - 1
            FOR UPDATE;
        END IF;
        IF NOT FOUND THEN RETURN; END IF;
        UPDATE @.schedule s SET version = p_version, wake_at = p_wake_at, updated_at = v_now, body = p_body
        WHERE s.schedule_no = v_found;
    END IF;
    IF p_files IS NOT NULL THEN
        v_missing := @.claim_files(v_owner_id, p_app, p_files);
        IF v_missing IS NOT NULL THEN
            RAISE EXCEPTION 'refused by the ledger''s rules' USING ERRCODE = 'IM019', DETAIL = v_missing::text;
        END IF;
    END IF;
    IF p_job_step IS NOT NULL THEN
        v_stamp.has_ready_tasks := @.write_job(p_node, p_incarnation, v_owner_id, p_job_step, p_job_call);
    END IF;
    IF p_new_call IS NOT NULL THEN
        v_stamp := @.accept_call(p_node, p_incarnation, p_new_call, p_tenant, p_user, p_turn_id, p_turn, p_max_stored);
    ELSIF p_turn IS NOT NULL THEN
        v_stamp := @.write_turn(v_owner_id, 1, p_turn_id, p_turn);
    END IF;
    IF p_audit IS NOT NULL THEN PERFORM @.write_audit(p_audit); END IF;
    RETURN NEXT v_stamp;
END $$;
