-- Rows whose state is none of its words: none, unless the file was damaged. A start looks for them here.
CREATE INDEX call_damaged ON call (call_no) WHERE state NOT IN ('open', 'left', 'replied');
CREATE INDEX task_damaged ON task (task_no)
    WHERE state NOT IN ('running', 'succeeded', 'failed', 'cancelled', 'timed_out', 'reclaimed');
