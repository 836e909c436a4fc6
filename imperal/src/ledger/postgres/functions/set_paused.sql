-- Pauses a durable task, or resumes it, with the audit row. Returns whether that changed anything.
CREATE OR REPLACE FUNCTION @.set_paused(p_app text, p_name text, p_paused boolean, p_audit text[]) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF p_paused THEN
        INSERT INTO @.paused AS p (app_id, task_name, since, paused_by)
        VALUES (p_app, p_name, @.micros(), p_audit[3]) ON CONFLICT DO NOTHING;
    ELSE
        DELETE FROM @.paused p WHERE p.app_id = p_app AND p.task_name = p_name;
    END IF;
    IF NOT FOUND THEN RETURN false; END IF;
    PERFORM @.write_audit(p_audit);
    RETURN true;
END $$;
