-- Marks unsettled work that no current incarnation holds: its state or its holder was damaged. Recovery then settles
-- calls and background tasks, and another process continues durable ones. A time that is never reached is now.
CREATE OR REPLACE FUNCTION @.find_lost_work() RETURNS TABLE (kind text, number bigint, why text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY UPDATE @.call c SET state = 'left'
    WHERE c.state NOT IN ('open', 'left', 'replied') AND c.reply_seq IS NULL AND NOT EXISTS (
        SELECT FROM @.node n
        WHERE n.node_id = c.node_id AND n.incarnation = c.incarnation AND n.lease_until IS NOT NULL)
    RETURNING 'call', c.call_no, 'state is not a known value';
    RETURN QUERY UPDATE @.task t SET state = 'running'
    WHERE t.state NOT IN (
            'running', 'queued', 'waiting', 'stuck', 'succeeded', 'failed', 'cancelled', 'timed_out', 'reclaimed')
        AND t.outcome_seq IS NULL AND NOT EXISTS (
        SELECT FROM @.node n
        WHERE n.node_id = t.node_id AND n.incarnation = t.incarnation AND n.lease_until IS NOT NULL)
    RETURNING 'task', t.task_no, 'state is not a known value';
    -- A claim finds the tasks of a queue by its row.
    INSERT INTO @.queue AS q (app_id, queue)
    SELECT DISTINCT t.app_id, t.queue FROM @.task t WHERE t.ready_at IS NOT NULL AND t.queue IS NOT NULL
    ON CONFLICT DO NOTHING;
    RETURN QUERY UPDATE @.task t SET ready_at = @.micros() WHERE t.ready_at > 253402207200999999
    RETURNING 'task', t.task_no, 'ready_at is out of range for a time';
    RETURN QUERY UPDATE @.call c SET state = 'left'
    WHERE c.state = 'open' AND NOT EXISTS (
        SELECT FROM @.node n
        WHERE n.node_id = c.node_id AND n.incarnation = c.incarnation AND n.lease_until IS NOT NULL)
    RETURNING 'call', c.call_no, 'no incarnation of a node holds it';
    RETURN QUERY UPDATE @.task t SET abandoned = true
    WHERE t.state = 'running' AND NOT t.abandoned AND t.task_name IS NULL AND NOT EXISTS (
        SELECT FROM @.node n
        WHERE n.node_id = t.node_id AND n.incarnation = t.incarnation AND n.lease_until IS NOT NULL)
    RETURNING 'task', t.task_no, 'no incarnation of a node holds it';
    RETURN QUERY UPDATE @.task t
    SET state = 'queued', waits_for = 'process', ready_at = @.micros(), deadline_at = NULL,
        untold_since = @.micros()
    WHERE t.state = 'running' AND t.task_name IS NOT NULL AND NOT EXISTS (
        SELECT FROM @.node n
        WHERE n.node_id = t.node_id AND n.incarnation = t.incarnation AND n.lease_until IS NOT NULL)
    RETURNING 'task', t.task_no, 'no incarnation of a node holds it';
END $$;
