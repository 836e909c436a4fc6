-- The bytes of the owner's turns that were written on one day, and which day (since 1970, UTC).
ALTER TABLE owner ADD COLUMN stored INTEGER NOT NULL DEFAULT 0;
ALTER TABLE owner ADD COLUMN stored_day INTEGER NOT NULL DEFAULT 0;

CREATE INDEX task_of_call ON task (call_id);
