-- Functions that run for their users at times. What and when is in the body.
CREATE TABLE @.schedule (
    schedule_no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schedule_id uuid NOT NULL UNIQUE,
    owner_id bigint NOT NULL REFERENCES @.owner,
    -- The job of an extension that it belongs to; null for one that its user has.
    job text COLLATE "C",
    version bigint NOT NULL,
    -- When a node looks at it next; null for one that is not active.
    wake_at bigint,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    body text NOT NULL
) WITH (fillfactor = 70);

CREATE INDEX schedule_of ON @.schedule (owner_id, wake_at);
CREATE INDEX schedule_due ON @.schedule (wake_at, schedule_no) WHERE wake_at IS NOT NULL AND job IS NULL;
CREATE INDEX job_due ON @.schedule (wake_at, schedule_no) WHERE wake_at IS NOT NULL AND job IS NOT NULL;
CREATE INDEX job_of ON @.schedule (job, owner_id) WHERE job IS NOT NULL;

-- Users as last seen in a request: of any kind for an empty app_id, or in a call of the extension.
CREATE TABLE @.seen (
    owner_id bigint NOT NULL REFERENCES @.owner,
    app_id text COLLATE "C" NOT NULL,
    seen_at bigint NOT NULL,
    -- JSON: the user with the scopes of that request.
    seen_user text NOT NULL,
    PRIMARY KEY (owner_id, app_id)
) WITH (fillfactor = 70);

CREATE INDEX seen_of_app ON @.seen (app_id, seen_at);
CREATE INDEX seen_long_ago ON @.seen (seen_at);
