-- Writes the row of a pending file. p_keep_for: microseconds from now, null for ever. p_grace: after how long the sweep
-- deletes it if it is pending still.
CREATE OR REPLACE FUNCTION @.begin_file(
    p_node text, p_incarnation bigint, p_call_id uuid, p_task_id uuid, p_attempt bigint, p_tenant text, p_user text,
    p_file_id uuid, p_app text, p_name text, p_size bigint, p_keep_for bigint, p_grace bigint, p_max_files bigint,
    p_max_bytes bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_owner_id bigint;
    v_now bigint;
BEGIN
    PERFORM @.check_file_source(
        p_node, p_incarnation, p_call_id, p_task_id, p_attempt, @.find_owner(p_tenant, p_user));
    v_owner_id := @.find_or_add_owner(p_tenant, p_user);
    PERFORM @.lock_shelf(v_owner_id, p_app);
    IF EXISTS (SELECT 1 FROM @.file f WHERE f.file_id = p_file_id) THEN PERFORM @.refuse('IM009'); END IF;
    PERFORM @.count_file(v_owner_id, p_app, -1, p_size, p_max_files, p_max_bytes);
    v_now := @.micros();
    INSERT INTO @.file (file_id, owner_id, app_id, state, node_id, incarnation, call_id, task_id, attempt, size,
        created_at, expires_at, due_at, name, content_type)
    VALUES (p_file_id, v_owner_id, p_app, 'pending', @.fence(p_node, p_incarnation), p_incarnation, p_call_id,
        p_task_id, p_attempt, p_size, v_now, CASE WHEN p_keep_for IS NOT NULL THEN @.later(v_now, p_keep_for) END,
        @.later(v_now, p_grace), p_name, '');
END $$;
