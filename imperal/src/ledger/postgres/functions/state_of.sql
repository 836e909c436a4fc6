-- A task's state. A damaged one counts as running as long as the task has no outcome.
CREATE OR REPLACE FUNCTION @.state_of(p_task @.task) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_task.outcome_seq IS NULL AND p_task.state NOT IN (
        'running', 'queued', 'waiting', 'stuck', 'succeeded', 'failed', 'cancelled', 'timed_out', 'reclaimed'
    ) THEN 'running' ELSE p_task.state END
$$;
