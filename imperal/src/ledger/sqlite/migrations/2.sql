-- What only one running task of an owner and an extension may have.
ALTER TABLE task ADD COLUMN key TEXT;

CREATE UNIQUE INDEX task_key ON task (owner_id, app_id, key) WHERE state = 'running' AND key IS NOT NULL;
