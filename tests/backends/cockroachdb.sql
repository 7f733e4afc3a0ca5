-- migration
CREATE SCHEMA IF NOT EXISTS perdure;

CREATE TABLE IF NOT EXISTS perdure.migration (
	id SMALLINT NOT NULL,
	holder TEXT,
	held_until TIMESTAMP WITH TIME ZONE,
	PRIMARY KEY (id)
);

INSERT INTO perdure.migration (id) SELECT 1
WHERE 1 = 1 ON CONFLICT DO NOTHING;

CREATE TABLE perdure.perdure_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT perdure_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE IF NOT EXISTS "perdure".workflows (
    workflow_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'enqueued',
    queue TEXT NOT NULL DEFAULT 'default',
    shard SMALLINT NOT NULL DEFAULT 0,
    priority INTEGER NOT NULL DEFAULT 0,
    run_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    input TEXT,
    output TEXT,
    error TEXT,
    error_message TEXT,
    owner TEXT,
    epoch BIGINT NOT NULL DEFAULT 0,
    wake BIGINT NOT NULL DEFAULT 0,
    wake_at BIGINT,
    awaited BOOLEAN NOT NULL DEFAULT FALSE,
    recoveries INTEGER NOT NULL DEFAULT 0,
    strikes INTEGER NOT NULL DEFAULT 0,
    cancel_requested_at TIMESTAMP WITH TIME ZONE,
    cancel_reason TEXT,
    parent_id TEXT,
    deadline TIMESTAMP WITH TIME ZONE,
    code_version TEXT,
    attributes TEXT NOT NULL DEFAULT '{}',
    created_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    started_at TIMESTAMP WITH TIME ZONE,
    completed_at TIMESTAMP WITH TIME ZONE
);

CREATE TABLE IF NOT EXISTS "perdure".workflow_steps (
    workflow_id TEXT NOT NULL,
    branch TEXT NOT NULL DEFAULT '',
    step_seq INTEGER NOT NULL,
    step_name TEXT NOT NULL,
    kind TEXT NOT NULL DEFAULT 'step',
    status TEXT NOT NULL,
    output TEXT,
    error TEXT,
    error_message TEXT,
    attempts INTEGER NOT NULL DEFAULT 1,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    completed_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    epoch BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (workflow_id, branch, step_seq)
);

CREATE TABLE IF NOT EXISTS "perdure".waits (
    workflow_id TEXT NOT NULL,
    branch TEXT NOT NULL DEFAULT '',
    step_seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    due TIMESTAMP WITH TIME ZONE NOT NULL,
    epoch BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (workflow_id, branch, step_seq)
);

CREATE TABLE IF NOT EXISTS "perdure".workers (
    worker_id TEXT NOT NULL PRIMARY KEY,
    host TEXT,
    pid INTEGER,
    code_version TEXT,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    lease_until TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    beat BIGINT NOT NULL DEFAULT 0,
    dead_at TIMESTAMP WITH TIME ZONE,
    known TEXT NOT NULL DEFAULT '{}'
);

CREATE TABLE IF NOT EXISTS "perdure".definitions (
    name TEXT NOT NULL PRIMARY KEY
);

CREATE INDEX IF NOT EXISTS workflows_ready
    ON "perdure".workflows (shard, queue, name, priority, run_at, workflow_id)
    WHERE status = 'enqueued' AND strikes < 2;

CREATE INDEX IF NOT EXISTS workflows_suspects
    ON "perdure".workflows (shard, queue, name, priority, run_at, workflow_id)
    WHERE status = 'enqueued' AND strikes >= 2;

CREATE INDEX IF NOT EXISTS workflows_owned
    ON "perdure".workflows (owner) WHERE status = 'running';

CREATE INDEX IF NOT EXISTS workflows_due
    ON "perdure".workflows (run_at) WHERE status IN ('delayed', 'waiting');

CREATE UNIQUE INDEX IF NOT EXISTS workers_life ON "perdure".workers (worker_id, dead_at);

INSERT INTO perdure.perdure_version (version_num) VALUES ('0001') RETURNING perdure.perdure_version.version_num;

-- Running upgrade 0001 -> 0002

ALTER TABLE "perdure".workflows ADD COLUMN IF NOT EXISTS detached BOOLEAN NOT NULL DEFAULT FALSE;

ALTER TABLE "perdure".workflows ADD COLUMN IF NOT EXISTS timeout DOUBLE PRECISION;

CREATE TABLE IF NOT EXISTS "perdure".messages (
    workflow_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    body TEXT,
    sender TEXT NOT NULL,
    position BIGINT NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    consumed_branch TEXT,
    consumed_seq INTEGER,
    PRIMARY KEY (workflow_id, message_id)
);

CREATE TABLE IF NOT EXISTS "perdure".wakeups (
    id UUID DEFAULT gen_random_uuid() PRIMARY KEY,
    workflow_id TEXT NOT NULL,
    n BIGINT NOT NULL,
    fan BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE TABLE IF NOT EXISTS "perdure".subscriptions (
    workflow_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    PRIMARY KEY (target_id, workflow_id)
);

CREATE TABLE IF NOT EXISTS "perdure".stream_items (
    workflow_id TEXT NOT NULL,
    stream TEXT NOT NULL,
    item_offset BIGINT NOT NULL,
    place TEXT NOT NULL DEFAULT '',
    attempt BIGINT NOT NULL DEFAULT 1,
    value TEXT,
    closes BOOLEAN NOT NULL DEFAULT FALSE,
    epoch BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (workflow_id, stream, item_offset)
);

CREATE INDEX IF NOT EXISTS messages_pending
    ON "perdure".messages (workflow_id, topic, sent_at, sender, position)
    WHERE consumed_seq IS NULL;

CREATE INDEX IF NOT EXISTS messages_by_sender
    ON "perdure".messages (workflow_id, topic, sender, position)
    WHERE consumed_seq IS NULL;

CREATE INDEX IF NOT EXISTS workflow_steps_events
    ON "perdure".workflow_steps (workflow_id, step_name, completed_at, branch, step_seq)
    WHERE kind = 'event';

CREATE INDEX IF NOT EXISTS workflows_children
    ON "perdure".workflows (parent_id) WHERE parent_id IS NOT NULL;

CREATE INDEX IF NOT EXISTS workflows_deadlines
    ON "perdure".workflows (deadline)
    WHERE deadline IS NOT NULL AND completed_at IS NULL AND cancel_requested_at IS NULL;

CREATE INDEX IF NOT EXISTS workflows_requests
    ON "perdure".workflows (owner)
    WHERE status = 'running' AND cancel_requested_at IS NOT NULL;

UPDATE perdure.perdure_version SET version_num='0002' WHERE perdure.perdure_version.version_num = '0001';

-- cancellation.ask False
WITH request AS MATERIALIZED
(SELECT request_item.workflow_id AS workflow_id, request_item.reason AS reason
FROM unnest(CAST(%(request_workflow_id)s AS TEXT[]), CAST(%(request_reason)s AS TEXT[])) AS request_item(workflow_id, reason)),
request_ids AS MATERIALIZED
(SELECT request.workflow_id AS workflow_id
FROM request),
free AS MATERIALIZED
(SELECT perdure.workflows.workflow_id AS workflow_id
FROM perdure.workflows
WHERE perdure.workflows.workflow_id IN (SELECT request_ids.workflow_id
FROM request_ids) AND CASE WHEN ((perdure.workflows.status NOT IN ('success', 'error', 'cancelled')) AND (perdure.workflows.cancel_requested_at IS NULL OR perdure.workflows.status = 'parked')) THEN true ELSE false END FOR NO KEY UPDATE SKIP LOCKED),
free_ids AS MATERIALIZED
(SELECT free.workflow_id AS workflow_id
FROM free),
ended AS
(UPDATE perdure.workflows SET status=CASE WHEN (perdure.workflows.status = 'parked' OR perdure.workflows.epoch = 0 AND perdure.workflows.status != 'running') THEN 'cancelled' WHEN (perdure.workflows.status = 'running') THEN perdure.workflows.status ELSE 'enqueued' END, run_at=CASE WHEN (NOT (perdure.workflows.status = 'parked' OR perdure.workflows.epoch = 0 AND perdure.workflows.status != 'running') AND perdure.workflows.status != 'running' AND perdure.workflows.run_at > now()) THEN now() ELSE perdure.workflows.run_at END, cancel_requested_at=coalesce(perdure.workflows.cancel_requested_at, now()), cancel_reason=coalesce(perdure.workflows.cancel_reason, request.reason), completed_at=CASE WHEN (perdure.workflows.status = 'parked' OR perdure.workflows.epoch = 0 AND perdure.workflows.status != 'running') THEN now() ELSE perdure.workflows.completed_at END FROM request WHERE perdure.workflows.workflow_id = request.workflow_id AND CASE WHEN ((perdure.workflows.status NOT IN ('success', 'error', 'cancelled')) AND (perdure.workflows.cancel_requested_at IS NULL OR perdure.workflows.status = 'parked')) THEN true ELSE false END AND perdure.workflows.workflow_id IN (SELECT free_ids.workflow_id
FROM free_ids) RETURNING perdure.workflows.workflow_id, perdure.workflows.status, perdure.workflows.parent_id, perdure.workflows.awaited),
told AS
(INSERT INTO perdure.wakeups (workflow_id, n, fan) SELECT ended.parent_id AS parent_id, count(*) AS count_1, false AS anon_1
FROM ended
WHERE ended.status IN ('success', 'error', 'cancelled') AND ended.parent_id IS NOT NULL GROUP BY ended.parent_id UNION ALL SELECT ended.workflow_id AS workflow_id, 1, true AS anon_2
FROM ended
WHERE ended.status IN ('success', 'error', 'cancelled') AND ended.awaited)
 SELECT ended.workflow_id
FROM ended

-- cancellation.ask True
WITH request AS MATERIALIZED
(SELECT request_item.workflow_id AS workflow_id, request_item.reason AS reason
FROM unnest(CAST(%(request_workflow_id)s AS TEXT[]), CAST(%(request_reason)s AS TEXT[])) AS request_item(workflow_id, reason)),
request_ids AS MATERIALIZED
(SELECT request.workflow_id AS workflow_id
FROM request),
ended AS
(UPDATE perdure.workflows SET status=CASE WHEN (perdure.workflows.status = 'parked' OR perdure.workflows.epoch = 0 AND perdure.workflows.status != 'running') THEN 'cancelled' WHEN (perdure.workflows.status = 'running') THEN perdure.workflows.status ELSE 'enqueued' END, run_at=CASE WHEN (NOT (perdure.workflows.status = 'parked' OR perdure.workflows.epoch = 0 AND perdure.workflows.status != 'running') AND perdure.workflows.status != 'running' AND perdure.workflows.run_at > now()) THEN now() ELSE perdure.workflows.run_at END, cancel_requested_at=coalesce(perdure.workflows.cancel_requested_at, now()), cancel_reason=coalesce(perdure.workflows.cancel_reason, request.reason), completed_at=CASE WHEN (perdure.workflows.status = 'parked' OR perdure.workflows.epoch = 0 AND perdure.workflows.status != 'running') THEN now() ELSE perdure.workflows.completed_at END FROM request WHERE perdure.workflows.workflow_id = request.workflow_id AND CASE WHEN ((perdure.workflows.status NOT IN ('success', 'error', 'cancelled')) AND (perdure.workflows.cancel_requested_at IS NULL OR perdure.workflows.status = 'parked')) THEN true ELSE false END AND perdure.workflows.workflow_id IN (SELECT request_ids.workflow_id
FROM request_ids) RETURNING perdure.workflows.workflow_id, perdure.workflows.status, perdure.workflows.parent_id, perdure.workflows.awaited),
told AS
(INSERT INTO perdure.wakeups (workflow_id, n, fan) SELECT ended.parent_id AS parent_id, count(*) AS count_1, false AS anon_1
FROM ended
WHERE ended.status IN ('success', 'error', 'cancelled') AND ended.parent_id IS NOT NULL GROUP BY ended.parent_id UNION ALL SELECT ended.workflow_id AS workflow_id, 1, true AS anon_2
FROM ended
WHERE ended.status IN ('success', 'error', 'cancelled') AND ended.awaited)
 SELECT ended.workflow_id
FROM ended

-- cancellation.overdue
SELECT perdure.workflows.workflow_id, perdure.workflows.deadline
FROM perdure.workflows
WHERE perdure.workflows.deadline IS NOT NULL AND perdure.workflows.completed_at IS NULL AND perdure.workflows.cancel_requested_at IS NULL AND perdure.workflows.deadline <= now() ORDER BY perdure.workflows.deadline
 LIMIT CAST(%(limit)s AS INTEGER)

-- cancellation.requests
SELECT perdure.workflows.workflow_id, coalesce(perdure.workflows.cancel_reason, '') AS coalesce_1
FROM perdure.workflows
WHERE perdure.workflows.owner = CAST(%(me)s AS TEXT) AND perdure.workflows.status = 'running' AND perdure.workflows.cancel_requested_at IS NOT NULL

-- cancellation.standing
SELECT perdure.workflows.workflow_id, perdure.workflows.status, CASE WHEN CASE WHEN ((perdure.workflows.status NOT IN ('success', 'error', 'cancelled')) AND (perdure.workflows.cancel_requested_at IS NULL OR perdure.workflows.status = 'parked')) THEN true ELSE false END THEN 1 ELSE 0 END AS anon_1
FROM perdure.workflows
WHERE perdure.workflows.workflow_id = ANY (CAST(%(ids)s AS TEXT[]))

-- claims.claim_shard False
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
candidate_ids AS MATERIALIZED
(SELECT candidate.workflow_id AS workflow_id
FROM perdure.workflows AS candidate
WHERE candidate.status = 'enqueued' AND candidate.strikes < 2 AND candidate.run_at <= now() AND candidate.queue = CAST(%(queue)s AS TEXT) AND candidate.name = CAST(%(name)s AS TEXT) AND candidate.shard = CAST(%(shard)s AS INTEGER) AND (EXISTS (SELECT fence.worker_id
FROM fence)) ORDER BY candidate.priority, candidate.run_at, candidate.workflow_id
 LIMIT CAST(%(limit)s AS INTEGER) FOR UPDATE SKIP LOCKED)
 UPDATE perdure.workflows SET status='running', owner=fence.worker_id, epoch=(perdure.workflows.epoch + 1), deadline=CASE WHEN (perdure.workflows.started_at IS NULL AND perdure.workflows.timeout IS NOT NULL AND (perdure.workflows.deadline IS NULL OR perdure.workflows.deadline > now() + perdure.workflows.timeout * INTERVAL '1 second')) THEN now() + perdure.workflows.timeout * INTERVAL '1 second' ELSE perdure.workflows.deadline END, started_at=coalesce(perdure.workflows.started_at, now()) FROM fence WHERE perdure.workflows.workflow_id IN (SELECT candidate_ids.workflow_id
FROM candidate_ids) AND fence.worker_id IS NOT NULL RETURNING perdure.workflows.workflow_id, perdure.workflows.name, perdure.workflows.queue, perdure.workflows.input, perdure.workflows.epoch, perdure.workflows.strikes, perdure.workflows.wake, perdure.workflows.parent_id, perdure.workflows.deadline, perdure.workflows.cancel_reason, perdure.workflows.created_at, perdure.workflows.priority, perdure.workflows.run_at

-- claims.claim_shard True
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
candidate_ids AS MATERIALIZED
(SELECT candidate.workflow_id AS workflow_id
FROM perdure.workflows AS candidate
WHERE candidate.status = 'enqueued' AND candidate.strikes >= 2 AND candidate.run_at <= now() AND candidate.queue = CAST(%(queue)s AS TEXT) AND candidate.name = CAST(%(name)s AS TEXT) AND candidate.shard = CAST(%(shard)s AS INTEGER) AND (EXISTS (SELECT fence.worker_id
FROM fence)) ORDER BY candidate.priority, candidate.run_at, candidate.workflow_id
 LIMIT CAST(%(limit)s AS INTEGER) FOR UPDATE SKIP LOCKED)
 UPDATE perdure.workflows SET status='running', owner=fence.worker_id, epoch=(perdure.workflows.epoch + 1), deadline=CASE WHEN (perdure.workflows.started_at IS NULL AND perdure.workflows.timeout IS NOT NULL AND (perdure.workflows.deadline IS NULL OR perdure.workflows.deadline > now() + perdure.workflows.timeout * INTERVAL '1 second')) THEN now() + perdure.workflows.timeout * INTERVAL '1 second' ELSE perdure.workflows.deadline END, started_at=coalesce(perdure.workflows.started_at, now()) FROM fence WHERE perdure.workflows.workflow_id IN (SELECT candidate_ids.workflow_id
FROM candidate_ids) AND fence.worker_id IS NOT NULL RETURNING perdure.workflows.workflow_id, perdure.workflows.name, perdure.workflows.queue, perdure.workflows.input, perdure.workflows.epoch, perdure.workflows.strikes, perdure.workflows.wake, perdure.workflows.parent_id, perdure.workflows.deadline, perdure.workflows.cancel_reason, perdure.workflows.created_at, perdure.workflows.priority, perdure.workflows.run_at

-- claims.heads False
SELECT 0, head_0.priority, head_0.run_at, head_0.workflow_id
FROM (SELECT candidate_0.priority AS priority, candidate_0.run_at AS run_at, candidate_0.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_0
WHERE candidate_0.status = 'enqueued' AND candidate_0.strikes < 2 AND candidate_0.run_at <= now() AND candidate_0.queue = CAST(%(queue)s AS TEXT) AND candidate_0.name = CAST(%(name)s AS TEXT) AND candidate_0.shard = 0 ORDER BY candidate_0.priority, candidate_0.run_at, candidate_0.workflow_id
 LIMIT 1) AS head_0 UNION ALL SELECT 1, head_1.priority, head_1.run_at, head_1.workflow_id
FROM (SELECT candidate_1.priority AS priority, candidate_1.run_at AS run_at, candidate_1.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_1
WHERE candidate_1.status = 'enqueued' AND candidate_1.strikes < 2 AND candidate_1.run_at <= now() AND candidate_1.queue = CAST(%(queue)s AS TEXT) AND candidate_1.name = CAST(%(name)s AS TEXT) AND candidate_1.shard = 1 ORDER BY candidate_1.priority, candidate_1.run_at, candidate_1.workflow_id
 LIMIT 1) AS head_1 UNION ALL SELECT 2, head_2.priority, head_2.run_at, head_2.workflow_id
FROM (SELECT candidate_2.priority AS priority, candidate_2.run_at AS run_at, candidate_2.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_2
WHERE candidate_2.status = 'enqueued' AND candidate_2.strikes < 2 AND candidate_2.run_at <= now() AND candidate_2.queue = CAST(%(queue)s AS TEXT) AND candidate_2.name = CAST(%(name)s AS TEXT) AND candidate_2.shard = 2 ORDER BY candidate_2.priority, candidate_2.run_at, candidate_2.workflow_id
 LIMIT 1) AS head_2 UNION ALL SELECT 3, head_3.priority, head_3.run_at, head_3.workflow_id
FROM (SELECT candidate_3.priority AS priority, candidate_3.run_at AS run_at, candidate_3.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_3
WHERE candidate_3.status = 'enqueued' AND candidate_3.strikes < 2 AND candidate_3.run_at <= now() AND candidate_3.queue = CAST(%(queue)s AS TEXT) AND candidate_3.name = CAST(%(name)s AS TEXT) AND candidate_3.shard = 3 ORDER BY candidate_3.priority, candidate_3.run_at, candidate_3.workflow_id
 LIMIT 1) AS head_3 UNION ALL SELECT 4, head_4.priority, head_4.run_at, head_4.workflow_id
FROM (SELECT candidate_4.priority AS priority, candidate_4.run_at AS run_at, candidate_4.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_4
WHERE candidate_4.status = 'enqueued' AND candidate_4.strikes < 2 AND candidate_4.run_at <= now() AND candidate_4.queue = CAST(%(queue)s AS TEXT) AND candidate_4.name = CAST(%(name)s AS TEXT) AND candidate_4.shard = 4 ORDER BY candidate_4.priority, candidate_4.run_at, candidate_4.workflow_id
 LIMIT 1) AS head_4 UNION ALL SELECT 5, head_5.priority, head_5.run_at, head_5.workflow_id
FROM (SELECT candidate_5.priority AS priority, candidate_5.run_at AS run_at, candidate_5.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_5
WHERE candidate_5.status = 'enqueued' AND candidate_5.strikes < 2 AND candidate_5.run_at <= now() AND candidate_5.queue = CAST(%(queue)s AS TEXT) AND candidate_5.name = CAST(%(name)s AS TEXT) AND candidate_5.shard = 5 ORDER BY candidate_5.priority, candidate_5.run_at, candidate_5.workflow_id
 LIMIT 1) AS head_5 UNION ALL SELECT 6, head_6.priority, head_6.run_at, head_6.workflow_id
FROM (SELECT candidate_6.priority AS priority, candidate_6.run_at AS run_at, candidate_6.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_6
WHERE candidate_6.status = 'enqueued' AND candidate_6.strikes < 2 AND candidate_6.run_at <= now() AND candidate_6.queue = CAST(%(queue)s AS TEXT) AND candidate_6.name = CAST(%(name)s AS TEXT) AND candidate_6.shard = 6 ORDER BY candidate_6.priority, candidate_6.run_at, candidate_6.workflow_id
 LIMIT 1) AS head_6 UNION ALL SELECT 7, head_7.priority, head_7.run_at, head_7.workflow_id
FROM (SELECT candidate_7.priority AS priority, candidate_7.run_at AS run_at, candidate_7.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_7
WHERE candidate_7.status = 'enqueued' AND candidate_7.strikes < 2 AND candidate_7.run_at <= now() AND candidate_7.queue = CAST(%(queue)s AS TEXT) AND candidate_7.name = CAST(%(name)s AS TEXT) AND candidate_7.shard = 7 ORDER BY candidate_7.priority, candidate_7.run_at, candidate_7.workflow_id
 LIMIT 1) AS head_7 UNION ALL SELECT 8, head_8.priority, head_8.run_at, head_8.workflow_id
FROM (SELECT candidate_8.priority AS priority, candidate_8.run_at AS run_at, candidate_8.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_8
WHERE candidate_8.status = 'enqueued' AND candidate_8.strikes < 2 AND candidate_8.run_at <= now() AND candidate_8.queue = CAST(%(queue)s AS TEXT) AND candidate_8.name = CAST(%(name)s AS TEXT) AND candidate_8.shard = 8 ORDER BY candidate_8.priority, candidate_8.run_at, candidate_8.workflow_id
 LIMIT 1) AS head_8 UNION ALL SELECT 9, head_9.priority, head_9.run_at, head_9.workflow_id
FROM (SELECT candidate_9.priority AS priority, candidate_9.run_at AS run_at, candidate_9.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_9
WHERE candidate_9.status = 'enqueued' AND candidate_9.strikes < 2 AND candidate_9.run_at <= now() AND candidate_9.queue = CAST(%(queue)s AS TEXT) AND candidate_9.name = CAST(%(name)s AS TEXT) AND candidate_9.shard = 9 ORDER BY candidate_9.priority, candidate_9.run_at, candidate_9.workflow_id
 LIMIT 1) AS head_9 UNION ALL SELECT 10, head_10.priority, head_10.run_at, head_10.workflow_id
FROM (SELECT candidate_10.priority AS priority, candidate_10.run_at AS run_at, candidate_10.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_10
WHERE candidate_10.status = 'enqueued' AND candidate_10.strikes < 2 AND candidate_10.run_at <= now() AND candidate_10.queue = CAST(%(queue)s AS TEXT) AND candidate_10.name = CAST(%(name)s AS TEXT) AND candidate_10.shard = 10 ORDER BY candidate_10.priority, candidate_10.run_at, candidate_10.workflow_id
 LIMIT 1) AS head_10 UNION ALL SELECT 11, head_11.priority, head_11.run_at, head_11.workflow_id
FROM (SELECT candidate_11.priority AS priority, candidate_11.run_at AS run_at, candidate_11.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_11
WHERE candidate_11.status = 'enqueued' AND candidate_11.strikes < 2 AND candidate_11.run_at <= now() AND candidate_11.queue = CAST(%(queue)s AS TEXT) AND candidate_11.name = CAST(%(name)s AS TEXT) AND candidate_11.shard = 11 ORDER BY candidate_11.priority, candidate_11.run_at, candidate_11.workflow_id
 LIMIT 1) AS head_11 UNION ALL SELECT 12, head_12.priority, head_12.run_at, head_12.workflow_id
FROM (SELECT candidate_12.priority AS priority, candidate_12.run_at AS run_at, candidate_12.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_12
WHERE candidate_12.status = 'enqueued' AND candidate_12.strikes < 2 AND candidate_12.run_at <= now() AND candidate_12.queue = CAST(%(queue)s AS TEXT) AND candidate_12.name = CAST(%(name)s AS TEXT) AND candidate_12.shard = 12 ORDER BY candidate_12.priority, candidate_12.run_at, candidate_12.workflow_id
 LIMIT 1) AS head_12 UNION ALL SELECT 13, head_13.priority, head_13.run_at, head_13.workflow_id
FROM (SELECT candidate_13.priority AS priority, candidate_13.run_at AS run_at, candidate_13.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_13
WHERE candidate_13.status = 'enqueued' AND candidate_13.strikes < 2 AND candidate_13.run_at <= now() AND candidate_13.queue = CAST(%(queue)s AS TEXT) AND candidate_13.name = CAST(%(name)s AS TEXT) AND candidate_13.shard = 13 ORDER BY candidate_13.priority, candidate_13.run_at, candidate_13.workflow_id
 LIMIT 1) AS head_13 UNION ALL SELECT 14, head_14.priority, head_14.run_at, head_14.workflow_id
FROM (SELECT candidate_14.priority AS priority, candidate_14.run_at AS run_at, candidate_14.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_14
WHERE candidate_14.status = 'enqueued' AND candidate_14.strikes < 2 AND candidate_14.run_at <= now() AND candidate_14.queue = CAST(%(queue)s AS TEXT) AND candidate_14.name = CAST(%(name)s AS TEXT) AND candidate_14.shard = 14 ORDER BY candidate_14.priority, candidate_14.run_at, candidate_14.workflow_id
 LIMIT 1) AS head_14 UNION ALL SELECT 15, head_15.priority, head_15.run_at, head_15.workflow_id
FROM (SELECT candidate_15.priority AS priority, candidate_15.run_at AS run_at, candidate_15.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_15
WHERE candidate_15.status = 'enqueued' AND candidate_15.strikes < 2 AND candidate_15.run_at <= now() AND candidate_15.queue = CAST(%(queue)s AS TEXT) AND candidate_15.name = CAST(%(name)s AS TEXT) AND candidate_15.shard = 15 ORDER BY candidate_15.priority, candidate_15.run_at, candidate_15.workflow_id
 LIMIT 1) AS head_15

-- claims.heads True
SELECT 0, head_0.priority, head_0.run_at, head_0.workflow_id
FROM (SELECT candidate_0.priority AS priority, candidate_0.run_at AS run_at, candidate_0.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_0
WHERE candidate_0.status = 'enqueued' AND candidate_0.strikes >= 2 AND candidate_0.run_at <= now() AND candidate_0.queue = CAST(%(queue)s AS TEXT) AND candidate_0.name = CAST(%(name)s AS TEXT) AND candidate_0.shard = 0 ORDER BY candidate_0.priority, candidate_0.run_at, candidate_0.workflow_id
 LIMIT 1) AS head_0 UNION ALL SELECT 1, head_1.priority, head_1.run_at, head_1.workflow_id
FROM (SELECT candidate_1.priority AS priority, candidate_1.run_at AS run_at, candidate_1.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_1
WHERE candidate_1.status = 'enqueued' AND candidate_1.strikes >= 2 AND candidate_1.run_at <= now() AND candidate_1.queue = CAST(%(queue)s AS TEXT) AND candidate_1.name = CAST(%(name)s AS TEXT) AND candidate_1.shard = 1 ORDER BY candidate_1.priority, candidate_1.run_at, candidate_1.workflow_id
 LIMIT 1) AS head_1 UNION ALL SELECT 2, head_2.priority, head_2.run_at, head_2.workflow_id
FROM (SELECT candidate_2.priority AS priority, candidate_2.run_at AS run_at, candidate_2.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_2
WHERE candidate_2.status = 'enqueued' AND candidate_2.strikes >= 2 AND candidate_2.run_at <= now() AND candidate_2.queue = CAST(%(queue)s AS TEXT) AND candidate_2.name = CAST(%(name)s AS TEXT) AND candidate_2.shard = 2 ORDER BY candidate_2.priority, candidate_2.run_at, candidate_2.workflow_id
 LIMIT 1) AS head_2 UNION ALL SELECT 3, head_3.priority, head_3.run_at, head_3.workflow_id
FROM (SELECT candidate_3.priority AS priority, candidate_3.run_at AS run_at, candidate_3.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_3
WHERE candidate_3.status = 'enqueued' AND candidate_3.strikes >= 2 AND candidate_3.run_at <= now() AND candidate_3.queue = CAST(%(queue)s AS TEXT) AND candidate_3.name = CAST(%(name)s AS TEXT) AND candidate_3.shard = 3 ORDER BY candidate_3.priority, candidate_3.run_at, candidate_3.workflow_id
 LIMIT 1) AS head_3 UNION ALL SELECT 4, head_4.priority, head_4.run_at, head_4.workflow_id
FROM (SELECT candidate_4.priority AS priority, candidate_4.run_at AS run_at, candidate_4.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_4
WHERE candidate_4.status = 'enqueued' AND candidate_4.strikes >= 2 AND candidate_4.run_at <= now() AND candidate_4.queue = CAST(%(queue)s AS TEXT) AND candidate_4.name = CAST(%(name)s AS TEXT) AND candidate_4.shard = 4 ORDER BY candidate_4.priority, candidate_4.run_at, candidate_4.workflow_id
 LIMIT 1) AS head_4 UNION ALL SELECT 5, head_5.priority, head_5.run_at, head_5.workflow_id
FROM (SELECT candidate_5.priority AS priority, candidate_5.run_at AS run_at, candidate_5.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_5
WHERE candidate_5.status = 'enqueued' AND candidate_5.strikes >= 2 AND candidate_5.run_at <= now() AND candidate_5.queue = CAST(%(queue)s AS TEXT) AND candidate_5.name = CAST(%(name)s AS TEXT) AND candidate_5.shard = 5 ORDER BY candidate_5.priority, candidate_5.run_at, candidate_5.workflow_id
 LIMIT 1) AS head_5 UNION ALL SELECT 6, head_6.priority, head_6.run_at, head_6.workflow_id
FROM (SELECT candidate_6.priority AS priority, candidate_6.run_at AS run_at, candidate_6.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_6
WHERE candidate_6.status = 'enqueued' AND candidate_6.strikes >= 2 AND candidate_6.run_at <= now() AND candidate_6.queue = CAST(%(queue)s AS TEXT) AND candidate_6.name = CAST(%(name)s AS TEXT) AND candidate_6.shard = 6 ORDER BY candidate_6.priority, candidate_6.run_at, candidate_6.workflow_id
 LIMIT 1) AS head_6 UNION ALL SELECT 7, head_7.priority, head_7.run_at, head_7.workflow_id
FROM (SELECT candidate_7.priority AS priority, candidate_7.run_at AS run_at, candidate_7.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_7
WHERE candidate_7.status = 'enqueued' AND candidate_7.strikes >= 2 AND candidate_7.run_at <= now() AND candidate_7.queue = CAST(%(queue)s AS TEXT) AND candidate_7.name = CAST(%(name)s AS TEXT) AND candidate_7.shard = 7 ORDER BY candidate_7.priority, candidate_7.run_at, candidate_7.workflow_id
 LIMIT 1) AS head_7 UNION ALL SELECT 8, head_8.priority, head_8.run_at, head_8.workflow_id
FROM (SELECT candidate_8.priority AS priority, candidate_8.run_at AS run_at, candidate_8.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_8
WHERE candidate_8.status = 'enqueued' AND candidate_8.strikes >= 2 AND candidate_8.run_at <= now() AND candidate_8.queue = CAST(%(queue)s AS TEXT) AND candidate_8.name = CAST(%(name)s AS TEXT) AND candidate_8.shard = 8 ORDER BY candidate_8.priority, candidate_8.run_at, candidate_8.workflow_id
 LIMIT 1) AS head_8 UNION ALL SELECT 9, head_9.priority, head_9.run_at, head_9.workflow_id
FROM (SELECT candidate_9.priority AS priority, candidate_9.run_at AS run_at, candidate_9.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_9
WHERE candidate_9.status = 'enqueued' AND candidate_9.strikes >= 2 AND candidate_9.run_at <= now() AND candidate_9.queue = CAST(%(queue)s AS TEXT) AND candidate_9.name = CAST(%(name)s AS TEXT) AND candidate_9.shard = 9 ORDER BY candidate_9.priority, candidate_9.run_at, candidate_9.workflow_id
 LIMIT 1) AS head_9 UNION ALL SELECT 10, head_10.priority, head_10.run_at, head_10.workflow_id
FROM (SELECT candidate_10.priority AS priority, candidate_10.run_at AS run_at, candidate_10.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_10
WHERE candidate_10.status = 'enqueued' AND candidate_10.strikes >= 2 AND candidate_10.run_at <= now() AND candidate_10.queue = CAST(%(queue)s AS TEXT) AND candidate_10.name = CAST(%(name)s AS TEXT) AND candidate_10.shard = 10 ORDER BY candidate_10.priority, candidate_10.run_at, candidate_10.workflow_id
 LIMIT 1) AS head_10 UNION ALL SELECT 11, head_11.priority, head_11.run_at, head_11.workflow_id
FROM (SELECT candidate_11.priority AS priority, candidate_11.run_at AS run_at, candidate_11.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_11
WHERE candidate_11.status = 'enqueued' AND candidate_11.strikes >= 2 AND candidate_11.run_at <= now() AND candidate_11.queue = CAST(%(queue)s AS TEXT) AND candidate_11.name = CAST(%(name)s AS TEXT) AND candidate_11.shard = 11 ORDER BY candidate_11.priority, candidate_11.run_at, candidate_11.workflow_id
 LIMIT 1) AS head_11 UNION ALL SELECT 12, head_12.priority, head_12.run_at, head_12.workflow_id
FROM (SELECT candidate_12.priority AS priority, candidate_12.run_at AS run_at, candidate_12.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_12
WHERE candidate_12.status = 'enqueued' AND candidate_12.strikes >= 2 AND candidate_12.run_at <= now() AND candidate_12.queue = CAST(%(queue)s AS TEXT) AND candidate_12.name = CAST(%(name)s AS TEXT) AND candidate_12.shard = 12 ORDER BY candidate_12.priority, candidate_12.run_at, candidate_12.workflow_id
 LIMIT 1) AS head_12 UNION ALL SELECT 13, head_13.priority, head_13.run_at, head_13.workflow_id
FROM (SELECT candidate_13.priority AS priority, candidate_13.run_at AS run_at, candidate_13.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_13
WHERE candidate_13.status = 'enqueued' AND candidate_13.strikes >= 2 AND candidate_13.run_at <= now() AND candidate_13.queue = CAST(%(queue)s AS TEXT) AND candidate_13.name = CAST(%(name)s AS TEXT) AND candidate_13.shard = 13 ORDER BY candidate_13.priority, candidate_13.run_at, candidate_13.workflow_id
 LIMIT 1) AS head_13 UNION ALL SELECT 14, head_14.priority, head_14.run_at, head_14.workflow_id
FROM (SELECT candidate_14.priority AS priority, candidate_14.run_at AS run_at, candidate_14.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_14
WHERE candidate_14.status = 'enqueued' AND candidate_14.strikes >= 2 AND candidate_14.run_at <= now() AND candidate_14.queue = CAST(%(queue)s AS TEXT) AND candidate_14.name = CAST(%(name)s AS TEXT) AND candidate_14.shard = 14 ORDER BY candidate_14.priority, candidate_14.run_at, candidate_14.workflow_id
 LIMIT 1) AS head_14 UNION ALL SELECT 15, head_15.priority, head_15.run_at, head_15.workflow_id
FROM (SELECT candidate_15.priority AS priority, candidate_15.run_at AS run_at, candidate_15.workflow_id AS workflow_id
FROM perdure.workflows AS candidate_15
WHERE candidate_15.status = 'enqueued' AND candidate_15.strikes >= 2 AND candidate_15.run_at <= now() AND candidate_15.queue = CAST(%(queue)s AS TEXT) AND candidate_15.name = CAST(%(name)s AS TEXT) AND candidate_15.shard = 15 ORDER BY candidate_15.priority, candidate_15.run_at, candidate_15.workflow_id
 LIMIT 1) AS head_15

-- claims.reconcile
WITH lost AS MATERIALIZED
(SELECT perdure.workflows.workflow_id AS workflow_id, perdure.workflows.epoch AS epoch
FROM perdure.workflows
WHERE perdure.workflows.status = 'running' AND perdure.workflows.owner = CAST(%(me)s AS TEXT) AND NOT (perdure.workflows.workflow_id = ANY (CAST(%(known)s AS TEXT[]))) FOR NO KEY UPDATE SKIP LOCKED),
fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
lost_ids AS MATERIALIZED
(SELECT lost.workflow_id AS workflow_id
FROM lost)
 UPDATE perdure.workflows SET status='enqueued', owner=NULL FROM lost, fence WHERE perdure.workflows.workflow_id = lost.workflow_id AND perdure.workflows.workflow_id IN (SELECT lost_ids.workflow_id
FROM lost_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = lost.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id

-- claims.recover
WITH RECURSIVE owners(owner) AS
(SELECT min(perdure.workflows.owner) AS owner
FROM perdure.workflows
WHERE perdure.workflows.status = 'running' UNION ALL SELECT (SELECT min(perdure.workflows.owner) AS min_1
FROM perdure.workflows
WHERE perdure.workflows.status = 'running' AND perdure.workflows.owner > owners.owner) AS anon_1
FROM owners
WHERE owners.owner IS NOT NULL),
abandoned_ids AS MATERIALIZED
(SELECT abandoned.owner AS owner
FROM (SELECT owners.owner AS owner
FROM owners
WHERE owners.owner IS NOT NULL AND NOT (EXISTS (SELECT perdure.workers.worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = owners.owner AND perdure.workers.dead_at IS NULL))) AS abandoned),
orphan AS MATERIALIZED
(SELECT perdure.workflows.workflow_id AS workflow_id, CASE WHEN ((SELECT perdure.workflow_steps.epoch
FROM perdure.workflow_steps
WHERE perdure.workflow_steps.workflow_id = perdure.workflows.workflow_id AND perdure.workflow_steps.epoch = perdure.workflows.epoch
 LIMIT 1) IS NOT NULL) THEN 1 ELSE perdure.workflows.strikes + 1 END AS strikes
FROM perdure.workflows
WHERE perdure.workflows.status = 'running' AND perdure.workflows.owner IN (SELECT abandoned_ids.owner
FROM abandoned_ids) ORDER BY perdure.workflows.owner
 LIMIT CAST(%(limit)s AS INTEGER) FOR UPDATE SKIP LOCKED),
orphan_ids AS MATERIALIZED
(SELECT orphan.workflow_id AS workflow_id
FROM orphan)
 UPDATE perdure.workflows SET status=CASE WHEN (orphan.strikes >= CAST(%(max_strikes)s AS INTEGER)) THEN 'parked' WHEN (orphan.strikes >= 2) THEN 'delayed' ELSE 'enqueued' END, run_at=CASE WHEN (orphan.strikes >= CAST(%(max_strikes)s AS INTEGER)) THEN perdure.workflows.run_at WHEN (orphan.strikes >= 2) THEN now() + CAST(%(backoff)s AS DOUBLE PRECISION) * (1 << CASE WHEN (orphan.strikes > 22) THEN 20 ELSE orphan.strikes - 2 END) * INTERVAL '1 second' ELSE perdure.workflows.run_at END, error=CASE WHEN (orphan.strikes >= CAST(%(max_strikes)s AS INTEGER)) THEN '{"type": "WorkflowParked", "module": "perdure.errors", "args": [], "message": ' || CAST(to_json('recovered ' || CAST(orphan.strikes AS TEXT) || ' times without progress: its worker dies while it runs. When the cause is gone: perdure resume ' || perdure.workflows.workflow_id) AS TEXT) || ', "traceback": ""}' ELSE perdure.workflows.error END, error_message=CASE WHEN (orphan.strikes >= CAST(%(max_strikes)s AS INTEGER)) THEN 'recovered ' || CAST(orphan.strikes AS TEXT) || ' times without progress: its worker dies while it runs. When the cause is gone: perdure resume ' || perdure.workflows.workflow_id ELSE perdure.workflows.error_message END, owner=NULL, recoveries=(perdure.workflows.recoveries + 1), strikes=orphan.strikes FROM orphan WHERE perdure.workflows.workflow_id = orphan.workflow_id AND perdure.workflows.workflow_id IN (SELECT orphan_ids.workflow_id
FROM orphan_ids) AND CASE WHEN (perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id, perdure.workflows.status

-- commits.commit steps
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
step AS MATERIALIZED
(SELECT step_item.workflow_id AS workflow_id, step_item.branch AS branch, step_item.step_seq AS step_seq, step_item.step_name AS step_name, step_item.kind AS kind, step_item.status AS status, step_item.output AS output, step_item.error AS error, step_item.error_message AS error_message, step_item.attempts AS attempts, step_item.started_at AS started_at, step_item.completed_at AS completed_at, step_item.epoch AS epoch
FROM unnest(CAST(%(step_workflow_id)s AS TEXT[]), CAST(%(step_branch)s AS TEXT[]), CAST(%(step_step_seq)s AS INTEGER[]), CAST(%(step_step_name)s AS TEXT[]), CAST(%(step_kind)s AS TEXT[]), CAST(%(step_status)s AS TEXT[]), CAST(%(step_output)s AS TEXT[]), CAST(%(step_error)s AS TEXT[]), CAST(%(step_error_message)s AS TEXT[]), CAST(%(step_attempts)s AS INTEGER[]), CAST(%(step_started_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_completed_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_epoch)s AS BIGINT[])) AS step_item(workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch)),
step_ids AS MATERIALIZED
(SELECT step.workflow_id AS workflow_id
FROM step),
recorded AS
(INSERT INTO perdure.workflow_steps (workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch) SELECT step.workflow_id AS workflow_id, step.branch AS branch, step.step_seq AS step_seq, step.step_name AS step_name, step.kind AS kind, step.status AS status, step.output AS output, step.error AS error, step.error_message AS error_message, step.attempts AS attempts, step.started_at AS started_at, step.completed_at AS completed_at, step.epoch AS epoch
FROM perdure.workflows, step, fence
WHERE perdure.workflows.workflow_id = step.workflow_id AND perdure.workflows.workflow_id IN (SELECT step_ids.workflow_id
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.branch, step.step_seq ON CONFLICT DO NOTHING RETURNING perdure.workflow_steps.workflow_id, perdure.workflow_steps.branch, perdure.workflow_steps.step_seq, perdure.workflow_steps.kind, perdure.workflow_steps.epoch)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded

-- commits.commit waits
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
wait AS MATERIALIZED
(SELECT wait_item.workflow_id AS workflow_id, wait_item.branch AS branch, wait_item.step_seq AS step_seq, wait_item.kind AS kind, wait_item.due AS due, wait_item.epoch AS epoch
FROM unnest(CAST(%(wait_workflow_id)s AS TEXT[]), CAST(%(wait_branch)s AS TEXT[]), CAST(%(wait_step_seq)s AS INTEGER[]), CAST(%(wait_kind)s AS TEXT[]), CAST(%(wait_due)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(wait_epoch)s AS BIGINT[])) AS wait_item(workflow_id, branch, step_seq, kind, due, epoch)),
wait_ids AS MATERIALIZED
(SELECT wait.workflow_id AS workflow_id
FROM wait),
awaited AS
(INSERT INTO perdure.waits (workflow_id, branch, step_seq, kind, due, epoch) SELECT wait.workflow_id AS workflow_id, wait.branch AS branch, wait.step_seq AS step_seq, wait.kind AS kind, wait.due AS due, wait.epoch AS epoch
FROM perdure.workflows, wait, fence
WHERE perdure.workflows.workflow_id = wait.workflow_id AND perdure.workflows.workflow_id IN (SELECT wait_ids.workflow_id
FROM wait_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = wait.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY wait.workflow_id, wait.branch, wait.step_seq ON CONFLICT DO NOTHING RETURNING perdure.waits.step_seq)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'waits', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM awaited

-- commits.commit transitions
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
transition AS MATERIALIZED
(SELECT transition_item.workflow_id AS workflow_id, transition_item.epoch AS epoch, transition_item.status AS status, transition_item.output AS output, transition_item.error AS error, transition_item.error_message AS error_message, transition_item.run_at AS run_at, transition_item.wake_at AS wake_at, transition_item.cancelling AS cancelling
FROM unnest(CAST(%(transition_workflow_id)s AS TEXT[]), CAST(%(transition_epoch)s AS BIGINT[]), CAST(%(transition_status)s AS TEXT[]), CAST(%(transition_output)s AS TEXT[]), CAST(%(transition_error)s AS TEXT[]), CAST(%(transition_error_message)s AS TEXT[]), CAST(%(transition_run_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(transition_wake_at)s AS BIGINT[]), CAST(%(transition_cancelling)s AS BOOLEAN[])) AS transition_item(workflow_id, epoch, status, output, error, error_message, run_at, wake_at, cancelling)),
transition_ids AS MATERIALIZED
(SELECT transition.workflow_id AS workflow_id
FROM transition),
moved AS
(UPDATE perdure.workflows SET status=CASE WHEN (transition.status = 'waiting' AND (perdure.workflows.wake >= transition.wake_at OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT transition.cancelling)) THEN 'enqueued' ELSE transition.status END, run_at=CASE WHEN (transition.status = 'waiting' AND (perdure.workflows.wake >= transition.wake_at OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT transition.cancelling)) THEN now() ELSE coalesce(transition.run_at, CASE WHEN (transition.status = 'waiting') THEN CAST('9999-12-31T00:00:00.000000Z' AS TIMESTAMP WITH TIME ZONE) ELSE perdure.workflows.run_at END) END, output=transition.output, error=transition.error, error_message=transition.error_message, owner=NULL, wake_at=transition.wake_at, completed_at=CASE WHEN (transition.status IN ('success', 'error', 'cancelled')) THEN now() END FROM transition, fence WHERE perdure.workflows.workflow_id = transition.workflow_id AND perdure.workflows.workflow_id IN (SELECT transition_ids.workflow_id
FROM transition_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = transition.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id, perdure.workflows.status, perdure.workflows.parent_id, perdure.workflows.awaited),
told AS
(INSERT INTO perdure.wakeups (workflow_id, n, fan) SELECT moved.parent_id AS parent_id, count(*) AS count_5, false AS anon_2
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.parent_id IS NOT NULL GROUP BY moved.parent_id UNION ALL SELECT moved.workflow_id AS workflow_id, 1, true AS anon_3
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.awaited RETURNING perdure.wakeups.id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'transitions', count(*) AS count_2, array_agg(moved.workflow_id) AS array_agg_1
FROM moved UNION ALL SELECT 'back', count(*) AS count_3, array_agg(moved.workflow_id) AS array_agg_1
FROM moved
WHERE moved.status = 'enqueued' UNION ALL SELECT 'told', count(*) AS count_4, CAST(NULL AS TEXT[]) AS anon_1
FROM told

-- commits.commit steps waits
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
step AS MATERIALIZED
(SELECT step_item.workflow_id AS workflow_id, step_item.branch AS branch, step_item.step_seq AS step_seq, step_item.step_name AS step_name, step_item.kind AS kind, step_item.status AS status, step_item.output AS output, step_item.error AS error, step_item.error_message AS error_message, step_item.attempts AS attempts, step_item.started_at AS started_at, step_item.completed_at AS completed_at, step_item.epoch AS epoch
FROM unnest(CAST(%(step_workflow_id)s AS TEXT[]), CAST(%(step_branch)s AS TEXT[]), CAST(%(step_step_seq)s AS INTEGER[]), CAST(%(step_step_name)s AS TEXT[]), CAST(%(step_kind)s AS TEXT[]), CAST(%(step_status)s AS TEXT[]), CAST(%(step_output)s AS TEXT[]), CAST(%(step_error)s AS TEXT[]), CAST(%(step_error_message)s AS TEXT[]), CAST(%(step_attempts)s AS INTEGER[]), CAST(%(step_started_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_completed_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_epoch)s AS BIGINT[])) AS step_item(workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch)),
step_ids AS MATERIALIZED
(SELECT step.workflow_id AS workflow_id
FROM step),
recorded AS
(INSERT INTO perdure.workflow_steps (workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch) SELECT step.workflow_id AS workflow_id, step.branch AS branch, step.step_seq AS step_seq, step.step_name AS step_name, step.kind AS kind, step.status AS status, step.output AS output, step.error AS error, step.error_message AS error_message, step.attempts AS attempts, step.started_at AS started_at, step.completed_at AS completed_at, step.epoch AS epoch
FROM perdure.workflows, step, fence
WHERE perdure.workflows.workflow_id = step.workflow_id AND perdure.workflows.workflow_id IN (SELECT step_ids.workflow_id
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.branch, step.step_seq ON CONFLICT DO NOTHING RETURNING perdure.workflow_steps.workflow_id, perdure.workflow_steps.branch, perdure.workflow_steps.step_seq, perdure.workflow_steps.kind, perdure.workflow_steps.epoch),
wait AS MATERIALIZED
(SELECT wait_item.workflow_id AS workflow_id, wait_item.branch AS branch, wait_item.step_seq AS step_seq, wait_item.kind AS kind, wait_item.due AS due, wait_item.epoch AS epoch
FROM unnest(CAST(%(wait_workflow_id)s AS TEXT[]), CAST(%(wait_branch)s AS TEXT[]), CAST(%(wait_step_seq)s AS INTEGER[]), CAST(%(wait_kind)s AS TEXT[]), CAST(%(wait_due)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(wait_epoch)s AS BIGINT[])) AS wait_item(workflow_id, branch, step_seq, kind, due, epoch)),
wait_ids AS MATERIALIZED
(SELECT wait.workflow_id AS workflow_id
FROM wait),
awaited AS
(INSERT INTO perdure.waits (workflow_id, branch, step_seq, kind, due, epoch) SELECT wait.workflow_id AS workflow_id, wait.branch AS branch, wait.step_seq AS step_seq, wait.kind AS kind, wait.due AS due, wait.epoch AS epoch
FROM perdure.workflows, wait, fence
WHERE perdure.workflows.workflow_id = wait.workflow_id AND perdure.workflows.workflow_id IN (SELECT wait_ids.workflow_id
FROM wait_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = wait.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY wait.workflow_id, wait.branch, wait.step_seq ON CONFLICT DO NOTHING RETURNING perdure.waits.step_seq)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded UNION ALL SELECT 'waits', count(*) AS count_3, CAST(NULL AS TEXT[]) AS anon_1
FROM awaited

-- commits.commit steps transitions
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
step AS MATERIALIZED
(SELECT step_item.workflow_id AS workflow_id, step_item.branch AS branch, step_item.step_seq AS step_seq, step_item.step_name AS step_name, step_item.kind AS kind, step_item.status AS status, step_item.output AS output, step_item.error AS error, step_item.error_message AS error_message, step_item.attempts AS attempts, step_item.started_at AS started_at, step_item.completed_at AS completed_at, step_item.epoch AS epoch
FROM unnest(CAST(%(step_workflow_id)s AS TEXT[]), CAST(%(step_branch)s AS TEXT[]), CAST(%(step_step_seq)s AS INTEGER[]), CAST(%(step_step_name)s AS TEXT[]), CAST(%(step_kind)s AS TEXT[]), CAST(%(step_status)s AS TEXT[]), CAST(%(step_output)s AS TEXT[]), CAST(%(step_error)s AS TEXT[]), CAST(%(step_error_message)s AS TEXT[]), CAST(%(step_attempts)s AS INTEGER[]), CAST(%(step_started_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_completed_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_epoch)s AS BIGINT[])) AS step_item(workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch)),
step_ids AS MATERIALIZED
(SELECT step.workflow_id AS workflow_id
FROM step),
recorded AS
(INSERT INTO perdure.workflow_steps (workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch) SELECT step.workflow_id AS workflow_id, step.branch AS branch, step.step_seq AS step_seq, step.step_name AS step_name, step.kind AS kind, step.status AS status, step.output AS output, step.error AS error, step.error_message AS error_message, step.attempts AS attempts, step.started_at AS started_at, step.completed_at AS completed_at, step.epoch AS epoch
FROM perdure.workflows, step, fence
WHERE perdure.workflows.workflow_id = step.workflow_id AND perdure.workflows.workflow_id IN (SELECT step_ids.workflow_id
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.branch, step.step_seq ON CONFLICT DO NOTHING RETURNING perdure.workflow_steps.workflow_id, perdure.workflow_steps.branch, perdure.workflow_steps.step_seq, perdure.workflow_steps.kind, perdure.workflow_steps.epoch),
transition AS MATERIALIZED
(SELECT transition_item.workflow_id AS workflow_id, transition_item.epoch AS epoch, transition_item.status AS status, transition_item.output AS output, transition_item.error AS error, transition_item.error_message AS error_message, transition_item.run_at AS run_at, transition_item.wake_at AS wake_at, transition_item.cancelling AS cancelling
FROM unnest(CAST(%(transition_workflow_id)s AS TEXT[]), CAST(%(transition_epoch)s AS BIGINT[]), CAST(%(transition_status)s AS TEXT[]), CAST(%(transition_output)s AS TEXT[]), CAST(%(transition_error)s AS TEXT[]), CAST(%(transition_error_message)s AS TEXT[]), CAST(%(transition_run_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(transition_wake_at)s AS BIGINT[]), CAST(%(transition_cancelling)s AS BOOLEAN[])) AS transition_item(workflow_id, epoch, status, output, error, error_message, run_at, wake_at, cancelling)),
transition_ids AS MATERIALIZED
(SELECT transition.workflow_id AS workflow_id
FROM transition),
moved AS
(UPDATE perdure.workflows SET status=CASE WHEN (transition.status = 'waiting' AND (perdure.workflows.wake >= transition.wake_at OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT transition.cancelling)) THEN 'enqueued' ELSE transition.status END, run_at=CASE WHEN (transition.status = 'waiting' AND (perdure.workflows.wake >= transition.wake_at OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT transition.cancelling)) THEN now() ELSE coalesce(transition.run_at, CASE WHEN (transition.status = 'waiting') THEN CAST('9999-12-31T00:00:00.000000Z' AS TIMESTAMP WITH TIME ZONE) ELSE perdure.workflows.run_at END) END, output=transition.output, error=transition.error, error_message=transition.error_message, owner=NULL, wake_at=transition.wake_at, completed_at=CASE WHEN (transition.status IN ('success', 'error', 'cancelled')) THEN now() END FROM transition, fence WHERE perdure.workflows.workflow_id = transition.workflow_id AND perdure.workflows.workflow_id IN (SELECT transition_ids.workflow_id
FROM transition_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = transition.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id, perdure.workflows.status, perdure.workflows.parent_id, perdure.workflows.awaited),
told AS
(INSERT INTO perdure.wakeups (workflow_id, n, fan) SELECT moved.parent_id AS parent_id, count(*) AS count_6, false AS anon_2
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.parent_id IS NOT NULL GROUP BY moved.parent_id UNION ALL SELECT moved.workflow_id AS workflow_id, 1, true AS anon_3
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.awaited RETURNING perdure.wakeups.id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded UNION ALL SELECT 'transitions', count(*) AS count_3, array_agg(moved.workflow_id) AS array_agg_1
FROM moved UNION ALL SELECT 'back', count(*) AS count_4, array_agg(moved.workflow_id) AS array_agg_1
FROM moved
WHERE moved.status = 'enqueued' UNION ALL SELECT 'told', count(*) AS count_5, CAST(NULL AS TEXT[]) AS anon_1
FROM told

-- commits.commit waits transitions
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
wait AS MATERIALIZED
(SELECT wait_item.workflow_id AS workflow_id, wait_item.branch AS branch, wait_item.step_seq AS step_seq, wait_item.kind AS kind, wait_item.due AS due, wait_item.epoch AS epoch
FROM unnest(CAST(%(wait_workflow_id)s AS TEXT[]), CAST(%(wait_branch)s AS TEXT[]), CAST(%(wait_step_seq)s AS INTEGER[]), CAST(%(wait_kind)s AS TEXT[]), CAST(%(wait_due)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(wait_epoch)s AS BIGINT[])) AS wait_item(workflow_id, branch, step_seq, kind, due, epoch)),
wait_ids AS MATERIALIZED
(SELECT wait.workflow_id AS workflow_id
FROM wait),
awaited AS
(INSERT INTO perdure.waits (workflow_id, branch, step_seq, kind, due, epoch) SELECT wait.workflow_id AS workflow_id, wait.branch AS branch, wait.step_seq AS step_seq, wait.kind AS kind, wait.due AS due, wait.epoch AS epoch
FROM perdure.workflows, wait, fence
WHERE perdure.workflows.workflow_id = wait.workflow_id AND perdure.workflows.workflow_id IN (SELECT wait_ids.workflow_id
FROM wait_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = wait.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY wait.workflow_id, wait.branch, wait.step_seq ON CONFLICT DO NOTHING RETURNING perdure.waits.step_seq),
transition AS MATERIALIZED
(SELECT transition_item.workflow_id AS workflow_id, transition_item.epoch AS epoch, transition_item.status AS status, transition_item.output AS output, transition_item.error AS error, transition_item.error_message AS error_message, transition_item.run_at AS run_at, transition_item.wake_at AS wake_at, transition_item.cancelling AS cancelling
FROM unnest(CAST(%(transition_workflow_id)s AS TEXT[]), CAST(%(transition_epoch)s AS BIGINT[]), CAST(%(transition_status)s AS TEXT[]), CAST(%(transition_output)s AS TEXT[]), CAST(%(transition_error)s AS TEXT[]), CAST(%(transition_error_message)s AS TEXT[]), CAST(%(transition_run_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(transition_wake_at)s AS BIGINT[]), CAST(%(transition_cancelling)s AS BOOLEAN[])) AS transition_item(workflow_id, epoch, status, output, error, error_message, run_at, wake_at, cancelling)),
transition_ids AS MATERIALIZED
(SELECT transition.workflow_id AS workflow_id
FROM transition),
moved AS
(UPDATE perdure.workflows SET status=CASE WHEN (transition.status = 'waiting' AND (perdure.workflows.wake >= transition.wake_at OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT transition.cancelling)) THEN 'enqueued' ELSE transition.status END, run_at=CASE WHEN (transition.status = 'waiting' AND (perdure.workflows.wake >= transition.wake_at OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT transition.cancelling)) THEN now() ELSE coalesce(transition.run_at, CASE WHEN (transition.status = 'waiting') THEN CAST('9999-12-31T00:00:00.000000Z' AS TIMESTAMP WITH TIME ZONE) ELSE perdure.workflows.run_at END) END, output=transition.output, error=transition.error, error_message=transition.error_message, owner=NULL, wake_at=transition.wake_at, completed_at=CASE WHEN (transition.status IN ('success', 'error', 'cancelled')) THEN now() END FROM transition, fence WHERE perdure.workflows.workflow_id = transition.workflow_id AND perdure.workflows.workflow_id IN (SELECT transition_ids.workflow_id
FROM transition_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = transition.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id, perdure.workflows.status, perdure.workflows.parent_id, perdure.workflows.awaited),
told AS
(INSERT INTO perdure.wakeups (workflow_id, n, fan) SELECT moved.parent_id AS parent_id, count(*) AS count_6, false AS anon_2
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.parent_id IS NOT NULL GROUP BY moved.parent_id UNION ALL SELECT moved.workflow_id AS workflow_id, 1, true AS anon_3
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.awaited RETURNING perdure.wakeups.id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'waits', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM awaited UNION ALL SELECT 'transitions', count(*) AS count_3, array_agg(moved.workflow_id) AS array_agg_1
FROM moved UNION ALL SELECT 'back', count(*) AS count_4, array_agg(moved.workflow_id) AS array_agg_1
FROM moved
WHERE moved.status = 'enqueued' UNION ALL SELECT 'told', count(*) AS count_5, CAST(NULL AS TEXT[]) AS anon_1
FROM told

-- commits.commit steps waits transitions
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
step AS MATERIALIZED
(SELECT step_item.workflow_id AS workflow_id, step_item.branch AS branch, step_item.step_seq AS step_seq, step_item.step_name AS step_name, step_item.kind AS kind, step_item.status AS status, step_item.output AS output, step_item.error AS error, step_item.error_message AS error_message, step_item.attempts AS attempts, step_item.started_at AS started_at, step_item.completed_at AS completed_at, step_item.epoch AS epoch
FROM unnest(CAST(%(step_workflow_id)s AS TEXT[]), CAST(%(step_branch)s AS TEXT[]), CAST(%(step_step_seq)s AS INTEGER[]), CAST(%(step_step_name)s AS TEXT[]), CAST(%(step_kind)s AS TEXT[]), CAST(%(step_status)s AS TEXT[]), CAST(%(step_output)s AS TEXT[]), CAST(%(step_error)s AS TEXT[]), CAST(%(step_error_message)s AS TEXT[]), CAST(%(step_attempts)s AS INTEGER[]), CAST(%(step_started_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_completed_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_epoch)s AS BIGINT[])) AS step_item(workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch)),
step_ids AS MATERIALIZED
(SELECT step.workflow_id AS workflow_id
FROM step),
recorded AS
(INSERT INTO perdure.workflow_steps (workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch) SELECT step.workflow_id AS workflow_id, step.branch AS branch, step.step_seq AS step_seq, step.step_name AS step_name, step.kind AS kind, step.status AS status, step.output AS output, step.error AS error, step.error_message AS error_message, step.attempts AS attempts, step.started_at AS started_at, step.completed_at AS completed_at, step.epoch AS epoch
FROM perdure.workflows, step, fence
WHERE perdure.workflows.workflow_id = step.workflow_id AND perdure.workflows.workflow_id IN (SELECT step_ids.workflow_id
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.branch, step.step_seq ON CONFLICT DO NOTHING RETURNING perdure.workflow_steps.workflow_id, perdure.workflow_steps.branch, perdure.workflow_steps.step_seq, perdure.workflow_steps.kind, perdure.workflow_steps.epoch),
wait AS MATERIALIZED
(SELECT wait_item.workflow_id AS workflow_id, wait_item.branch AS branch, wait_item.step_seq AS step_seq, wait_item.kind AS kind, wait_item.due AS due, wait_item.epoch AS epoch
FROM unnest(CAST(%(wait_workflow_id)s AS TEXT[]), CAST(%(wait_branch)s AS TEXT[]), CAST(%(wait_step_seq)s AS INTEGER[]), CAST(%(wait_kind)s AS TEXT[]), CAST(%(wait_due)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(wait_epoch)s AS BIGINT[])) AS wait_item(workflow_id, branch, step_seq, kind, due, epoch)),
wait_ids AS MATERIALIZED
(SELECT wait.workflow_id AS workflow_id
FROM wait),
awaited AS
(INSERT INTO perdure.waits (workflow_id, branch, step_seq, kind, due, epoch) SELECT wait.workflow_id AS workflow_id, wait.branch AS branch, wait.step_seq AS step_seq, wait.kind AS kind, wait.due AS due, wait.epoch AS epoch
FROM perdure.workflows, wait, fence
WHERE perdure.workflows.workflow_id = wait.workflow_id AND perdure.workflows.workflow_id IN (SELECT wait_ids.workflow_id
FROM wait_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = wait.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY wait.workflow_id, wait.branch, wait.step_seq ON CONFLICT DO NOTHING RETURNING perdure.waits.step_seq),
transition AS MATERIALIZED
(SELECT transition_item.workflow_id AS workflow_id, transition_item.epoch AS epoch, transition_item.status AS status, transition_item.output AS output, transition_item.error AS error, transition_item.error_message AS error_message, transition_item.run_at AS run_at, transition_item.wake_at AS wake_at, transition_item.cancelling AS cancelling
FROM unnest(CAST(%(transition_workflow_id)s AS TEXT[]), CAST(%(transition_epoch)s AS BIGINT[]), CAST(%(transition_status)s AS TEXT[]), CAST(%(transition_output)s AS TEXT[]), CAST(%(transition_error)s AS TEXT[]), CAST(%(transition_error_message)s AS TEXT[]), CAST(%(transition_run_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(transition_wake_at)s AS BIGINT[]), CAST(%(transition_cancelling)s AS BOOLEAN[])) AS transition_item(workflow_id, epoch, status, output, error, error_message, run_at, wake_at, cancelling)),
transition_ids AS MATERIALIZED
(SELECT transition.workflow_id AS workflow_id
FROM transition),
moved AS
(UPDATE perdure.workflows SET status=CASE WHEN (transition.status = 'waiting' AND (perdure.workflows.wake >= transition.wake_at OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT transition.cancelling)) THEN 'enqueued' ELSE transition.status END, run_at=CASE WHEN (transition.status = 'waiting' AND (perdure.workflows.wake >= transition.wake_at OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT transition.cancelling)) THEN now() ELSE coalesce(transition.run_at, CASE WHEN (transition.status = 'waiting') THEN CAST('9999-12-31T00:00:00.000000Z' AS TIMESTAMP WITH TIME ZONE) ELSE perdure.workflows.run_at END) END, output=transition.output, error=transition.error, error_message=transition.error_message, owner=NULL, wake_at=transition.wake_at, completed_at=CASE WHEN (transition.status IN ('success', 'error', 'cancelled')) THEN now() END FROM transition, fence WHERE perdure.workflows.workflow_id = transition.workflow_id AND perdure.workflows.workflow_id IN (SELECT transition_ids.workflow_id
FROM transition_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = transition.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id, perdure.workflows.status, perdure.workflows.parent_id, perdure.workflows.awaited),
told AS
(INSERT INTO perdure.wakeups (workflow_id, n, fan) SELECT moved.parent_id AS parent_id, count(*) AS count_7, false AS anon_2
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.parent_id IS NOT NULL GROUP BY moved.parent_id UNION ALL SELECT moved.workflow_id AS workflow_id, 1, true AS anon_3
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.awaited RETURNING perdure.wakeups.id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded UNION ALL SELECT 'waits', count(*) AS count_3, CAST(NULL AS TEXT[]) AS anon_1
FROM awaited UNION ALL SELECT 'transitions', count(*) AS count_4, array_agg(moved.workflow_id) AS array_agg_1
FROM moved UNION ALL SELECT 'back', count(*) AS count_5, array_agg(moved.workflow_id) AS array_agg_1
FROM moved
WHERE moved.status = 'enqueued' UNION ALL SELECT 'told', count(*) AS count_6, CAST(NULL AS TEXT[]) AS anon_1
FROM told

-- commits.commit fresh steps waits transitions
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
step AS MATERIALIZED
(SELECT step_item.workflow_id AS workflow_id, step_item.branch AS branch, step_item.step_seq AS step_seq, step_item.step_name AS step_name, step_item.kind AS kind, step_item.status AS status, step_item.output AS output, step_item.error AS error, step_item.error_message AS error_message, step_item.attempts AS attempts, step_item.started_at AS started_at, step_item.completed_at AS completed_at, step_item.epoch AS epoch
FROM unnest(CAST(%(step_workflow_id)s AS TEXT[]), CAST(%(step_branch)s AS TEXT[]), CAST(%(step_step_seq)s AS INTEGER[]), CAST(%(step_step_name)s AS TEXT[]), CAST(%(step_kind)s AS TEXT[]), CAST(%(step_status)s AS TEXT[]), CAST(%(step_output)s AS TEXT[]), CAST(%(step_error)s AS TEXT[]), CAST(%(step_error_message)s AS TEXT[]), CAST(%(step_attempts)s AS INTEGER[]), CAST(%(step_started_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_completed_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_epoch)s AS BIGINT[])) AS step_item(workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch)),
step_ids AS MATERIALIZED
(SELECT step.workflow_id AS workflow_id
FROM step),
recorded AS
(INSERT INTO perdure.workflow_steps (workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch) SELECT step.workflow_id AS workflow_id, step.branch AS branch, step.step_seq AS step_seq, step.step_name AS step_name, step.kind AS kind, step.status AS status, step.output AS output, step.error AS error, step.error_message AS error_message, step.attempts AS attempts, step.started_at AS started_at, step.completed_at AS completed_at, step.epoch AS epoch
FROM perdure.workflows, step, fence
WHERE perdure.workflows.workflow_id = step.workflow_id AND perdure.workflows.workflow_id IN (SELECT step_ids.workflow_id
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.branch, step.step_seq RETURNING perdure.workflow_steps.workflow_id, perdure.workflow_steps.branch, perdure.workflow_steps.step_seq, perdure.workflow_steps.kind, perdure.workflow_steps.epoch),
wait AS MATERIALIZED
(SELECT wait_item.workflow_id AS workflow_id, wait_item.branch AS branch, wait_item.step_seq AS step_seq, wait_item.kind AS kind, wait_item.due AS due, wait_item.epoch AS epoch
FROM unnest(CAST(%(wait_workflow_id)s AS TEXT[]), CAST(%(wait_branch)s AS TEXT[]), CAST(%(wait_step_seq)s AS INTEGER[]), CAST(%(wait_kind)s AS TEXT[]), CAST(%(wait_due)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(wait_epoch)s AS BIGINT[])) AS wait_item(workflow_id, branch, step_seq, kind, due, epoch)),
wait_ids AS MATERIALIZED
(SELECT wait.workflow_id AS workflow_id
FROM wait),
awaited AS
(INSERT INTO perdure.waits (workflow_id, branch, step_seq, kind, due, epoch) SELECT wait.workflow_id AS workflow_id, wait.branch AS branch, wait.step_seq AS step_seq, wait.kind AS kind, wait.due AS due, wait.epoch AS epoch
FROM perdure.workflows, wait, fence
WHERE perdure.workflows.workflow_id = wait.workflow_id AND perdure.workflows.workflow_id IN (SELECT wait_ids.workflow_id
FROM wait_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = wait.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY wait.workflow_id, wait.branch, wait.step_seq ON CONFLICT DO NOTHING RETURNING perdure.waits.step_seq),
transition AS MATERIALIZED
(SELECT transition_item.workflow_id AS workflow_id, transition_item.epoch AS epoch, transition_item.status AS status, transition_item.output AS output, transition_item.error AS error, transition_item.error_message AS error_message, transition_item.run_at AS run_at, transition_item.wake_at AS wake_at, transition_item.cancelling AS cancelling
FROM unnest(CAST(%(transition_workflow_id)s AS TEXT[]), CAST(%(transition_epoch)s AS BIGINT[]), CAST(%(transition_status)s AS TEXT[]), CAST(%(transition_output)s AS TEXT[]), CAST(%(transition_error)s AS TEXT[]), CAST(%(transition_error_message)s AS TEXT[]), CAST(%(transition_run_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(transition_wake_at)s AS BIGINT[]), CAST(%(transition_cancelling)s AS BOOLEAN[])) AS transition_item(workflow_id, epoch, status, output, error, error_message, run_at, wake_at, cancelling)),
transition_ids AS MATERIALIZED
(SELECT transition.workflow_id AS workflow_id
FROM transition),
moved AS
(UPDATE perdure.workflows SET status=CASE WHEN (transition.status = 'waiting' AND (perdure.workflows.wake >= transition.wake_at OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT transition.cancelling)) THEN 'enqueued' ELSE transition.status END, run_at=CASE WHEN (transition.status = 'waiting' AND (perdure.workflows.wake >= transition.wake_at OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT transition.cancelling)) THEN now() ELSE coalesce(transition.run_at, CASE WHEN (transition.status = 'waiting') THEN CAST('9999-12-31T00:00:00.000000Z' AS TIMESTAMP WITH TIME ZONE) ELSE perdure.workflows.run_at END) END, output=transition.output, error=transition.error, error_message=transition.error_message, owner=NULL, wake_at=transition.wake_at, completed_at=CASE WHEN (transition.status IN ('success', 'error', 'cancelled')) THEN now() END FROM transition, fence WHERE perdure.workflows.workflow_id = transition.workflow_id AND perdure.workflows.workflow_id IN (SELECT transition_ids.workflow_id
FROM transition_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = transition.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id, perdure.workflows.status, perdure.workflows.parent_id, perdure.workflows.awaited),
told AS
(INSERT INTO perdure.wakeups (workflow_id, n, fan) SELECT moved.parent_id AS parent_id, count(*) AS count_7, false AS anon_2
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.parent_id IS NOT NULL GROUP BY moved.parent_id UNION ALL SELECT moved.workflow_id AS workflow_id, 1, true AS anon_3
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.awaited RETURNING perdure.wakeups.id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded UNION ALL SELECT 'waits', count(*) AS count_3, CAST(NULL AS TEXT[]) AS anon_1
FROM awaited UNION ALL SELECT 'transitions', count(*) AS count_4, array_agg(moved.workflow_id) AS array_agg_1
FROM moved UNION ALL SELECT 'back', count(*) AS count_5, array_agg(moved.workflow_id) AS array_agg_1
FROM moved
WHERE moved.status = 'enqueued' UNION ALL SELECT 'told', count(*) AS count_6, CAST(NULL AS TEXT[]) AS anon_1
FROM told

-- commits.commit fresh plain steps transitions
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
step AS MATERIALIZED
(SELECT step_item.workflow_id AS workflow_id, step_item.step_seq AS step_seq, step_item.step_name AS step_name, step_item.output AS output, step_item.started_at AS started_at, step_item.completed_at AS completed_at, step_item.epoch AS epoch
FROM unnest(CAST(%(step_workflow_id)s AS TEXT[]), CAST(%(step_step_seq)s AS INTEGER[]), CAST(%(step_step_name)s AS TEXT[]), CAST(%(step_output)s AS TEXT[]), CAST(%(step_started_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_completed_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_epoch)s AS BIGINT[])) AS step_item(workflow_id, step_seq, step_name, output, started_at, completed_at, epoch)),
step_ids AS MATERIALIZED
(SELECT step.workflow_id AS workflow_id
FROM step),
recorded AS
(INSERT INTO perdure.workflow_steps (workflow_id, step_seq, step_name, output, started_at, completed_at, epoch, status) SELECT step.workflow_id AS workflow_id, step.step_seq AS step_seq, step.step_name AS step_name, step.output AS output, step.started_at AS started_at, step.completed_at AS completed_at, step.epoch AS epoch, 'success'
FROM perdure.workflows, step, fence
WHERE perdure.workflows.workflow_id = step.workflow_id AND perdure.workflows.workflow_id IN (SELECT step_ids.workflow_id
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.step_seq RETURNING perdure.workflow_steps.step_seq),
transition AS MATERIALIZED
(SELECT transition_item.workflow_id AS workflow_id, transition_item.epoch AS epoch, transition_item.status AS status, transition_item.output AS output, transition_item.error AS error, transition_item.error_message AS error_message, transition_item.run_at AS run_at, transition_item.wake_at AS wake_at, transition_item.cancelling AS cancelling
FROM unnest(CAST(%(transition_workflow_id)s AS TEXT[]), CAST(%(transition_epoch)s AS BIGINT[]), CAST(%(transition_status)s AS TEXT[]), CAST(%(transition_output)s AS TEXT[]), CAST(%(transition_error)s AS TEXT[]), CAST(%(transition_error_message)s AS TEXT[]), CAST(%(transition_run_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(transition_wake_at)s AS BIGINT[]), CAST(%(transition_cancelling)s AS BOOLEAN[])) AS transition_item(workflow_id, epoch, status, output, error, error_message, run_at, wake_at, cancelling)),
transition_ids AS MATERIALIZED
(SELECT transition.workflow_id AS workflow_id
FROM transition),
moved AS
(UPDATE perdure.workflows SET status=CASE WHEN (transition.status = 'waiting' AND (perdure.workflows.wake >= transition.wake_at OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT transition.cancelling)) THEN 'enqueued' ELSE transition.status END, run_at=CASE WHEN (transition.status = 'waiting' AND (perdure.workflows.wake >= transition.wake_at OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT transition.cancelling)) THEN now() ELSE coalesce(transition.run_at, CASE WHEN (transition.status = 'waiting') THEN CAST('9999-12-31T00:00:00.000000Z' AS TIMESTAMP WITH TIME ZONE) ELSE perdure.workflows.run_at END) END, output=transition.output, error=transition.error, error_message=transition.error_message, owner=NULL, wake_at=transition.wake_at, completed_at=CASE WHEN (transition.status IN ('success', 'error', 'cancelled')) THEN now() END FROM transition, fence WHERE perdure.workflows.workflow_id = transition.workflow_id AND perdure.workflows.workflow_id IN (SELECT transition_ids.workflow_id
FROM transition_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = transition.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id, perdure.workflows.status, perdure.workflows.parent_id, perdure.workflows.awaited),
told AS
(INSERT INTO perdure.wakeups (workflow_id, n, fan) SELECT moved.parent_id AS parent_id, count(*) AS count_6, false AS anon_2
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.parent_id IS NOT NULL GROUP BY moved.parent_id UNION ALL SELECT moved.workflow_id AS workflow_id, 1, true AS anon_3
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.awaited RETURNING perdure.wakeups.id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded UNION ALL SELECT 'transitions', count(*) AS count_3, array_agg(moved.workflow_id) AS array_agg_1
FROM moved UNION ALL SELECT 'back', count(*) AS count_4, array_agg(moved.workflow_id) AS array_agg_1
FROM moved
WHERE moved.status = 'enqueued' UNION ALL SELECT 'told', count(*) AS count_5, CAST(NULL AS TEXT[]) AS anon_1
FROM told

-- commits.commit fresh plain successes steps transitions
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
step AS MATERIALIZED
(SELECT step_item.workflow_id AS workflow_id, step_item.step_seq AS step_seq, step_item.step_name AS step_name, step_item.output AS output, step_item.started_at AS started_at, step_item.completed_at AS completed_at, step_item.epoch AS epoch
FROM unnest(CAST(%(step_workflow_id)s AS TEXT[]), CAST(%(step_step_seq)s AS INTEGER[]), CAST(%(step_step_name)s AS TEXT[]), CAST(%(step_output)s AS TEXT[]), CAST(%(step_started_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_completed_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_epoch)s AS BIGINT[])) AS step_item(workflow_id, step_seq, step_name, output, started_at, completed_at, epoch)),
step_ids AS MATERIALIZED
(SELECT step.workflow_id AS workflow_id
FROM step),
recorded AS
(INSERT INTO perdure.workflow_steps (workflow_id, step_seq, step_name, output, started_at, completed_at, epoch, status) SELECT step.workflow_id AS workflow_id, step.step_seq AS step_seq, step.step_name AS step_name, step.output AS output, step.started_at AS started_at, step.completed_at AS completed_at, step.epoch AS epoch, 'success'
FROM perdure.workflows, step, fence
WHERE perdure.workflows.workflow_id = step.workflow_id AND perdure.workflows.workflow_id IN (SELECT step_ids.workflow_id
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.step_seq RETURNING perdure.workflow_steps.step_seq),
transition AS MATERIALIZED
(SELECT transition_item.workflow_id AS workflow_id, transition_item.epoch AS epoch, transition_item.output AS output
FROM unnest(CAST(%(transition_workflow_id)s AS TEXT[]), CAST(%(transition_epoch)s AS BIGINT[]), CAST(%(transition_output)s AS TEXT[])) AS transition_item(workflow_id, epoch, output)),
transition_ids AS MATERIALIZED
(SELECT transition.workflow_id AS workflow_id
FROM transition),
moved AS
(UPDATE perdure.workflows SET status='success', output=transition.output, error=NULL, error_message=NULL, owner=NULL, wake_at=NULL, completed_at=now() FROM transition, fence WHERE perdure.workflows.workflow_id = transition.workflow_id AND perdure.workflows.workflow_id IN (SELECT transition_ids.workflow_id
FROM transition_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = transition.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id, perdure.workflows.status, perdure.workflows.parent_id, perdure.workflows.awaited),
told AS
(INSERT INTO perdure.wakeups (workflow_id, n, fan) SELECT moved.parent_id AS parent_id, count(*) AS count_6, false AS anon_2
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.parent_id IS NOT NULL GROUP BY moved.parent_id UNION ALL SELECT moved.workflow_id AS workflow_id, 1, true AS anon_3
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.awaited RETURNING perdure.wakeups.id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded UNION ALL SELECT 'transitions', count(*) AS count_3, array_agg(moved.workflow_id) AS array_agg_1
FROM moved UNION ALL SELECT 'back', count(*) AS count_4, array_agg(moved.workflow_id) AS array_agg_1
FROM moved
WHERE moved.status = 'enqueued' UNION ALL SELECT 'told', count(*) AS count_5, CAST(NULL AS TEXT[]) AS anon_1
FROM told

-- commits.commit fresh alone plain steps
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
recorded AS
(INSERT INTO perdure.workflow_steps (workflow_id, step_seq, step_name, output, started_at, completed_at, epoch, status) SELECT CAST(%(step_workflow_id)s AS TEXT) AS anon_2, CAST(%(step_step_seq)s AS INTEGER) AS anon_3, CAST(%(step_step_name)s AS TEXT) AS anon_4, CAST(%(step_output)s AS TEXT) AS anon_5, CAST(%(step_started_at)s AS TIMESTAMP WITH TIME ZONE) AS anon_6, CAST(%(step_completed_at)s AS TIMESTAMP WITH TIME ZONE) AS anon_7, CAST(%(step_epoch)s AS BIGINT) AS anon_8, 'success'
FROM perdure.workflows, fence
WHERE perdure.workflows.workflow_id = CAST(%(step_workflow_id)s AS TEXT) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = CAST(%(step_epoch)s AS BIGINT) AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflow_steps.step_seq)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded

-- commits.commit alone steps waits transitions items
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
recorded AS
(INSERT INTO perdure.workflow_steps (workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch) SELECT CAST(%(step_workflow_id)s AS TEXT) AS anon_2, CAST(%(step_branch)s AS TEXT) AS anon_3, CAST(%(step_step_seq)s AS INTEGER) AS anon_4, CAST(%(step_step_name)s AS TEXT) AS anon_5, CAST(%(step_kind)s AS TEXT) AS anon_6, CAST(%(step_status)s AS TEXT) AS anon_7, CAST(%(step_output)s AS TEXT) AS anon_8, CAST(%(step_error)s AS TEXT) AS anon_9, CAST(%(step_error_message)s AS TEXT) AS anon_10, CAST(%(step_attempts)s AS INTEGER) AS anon_11, CAST(%(step_started_at)s AS TIMESTAMP WITH TIME ZONE) AS anon_12, CAST(%(step_completed_at)s AS TIMESTAMP WITH TIME ZONE) AS anon_13, CAST(%(step_epoch)s AS BIGINT) AS anon_14
FROM perdure.workflows, fence
WHERE perdure.workflows.workflow_id = CAST(%(step_workflow_id)s AS TEXT) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = CAST(%(step_epoch)s AS BIGINT) AND perdure.workflows.status = 'running') THEN true ELSE false END ON CONFLICT DO NOTHING RETURNING perdure.workflow_steps.workflow_id, perdure.workflow_steps.branch, perdure.workflow_steps.step_seq, perdure.workflow_steps.kind, perdure.workflow_steps.epoch),
awaited AS
(INSERT INTO perdure.waits (workflow_id, branch, step_seq, kind, due, epoch) SELECT CAST(%(wait_workflow_id)s AS TEXT) AS anon_15, CAST(%(wait_branch)s AS TEXT) AS anon_16, CAST(%(wait_step_seq)s AS INTEGER) AS anon_17, CAST(%(wait_kind)s AS TEXT) AS anon_18, CAST(%(wait_due)s AS TIMESTAMP WITH TIME ZONE) AS anon_19, CAST(%(wait_epoch)s AS BIGINT) AS anon_20
FROM perdure.workflows, fence
WHERE perdure.workflows.workflow_id = CAST(%(wait_workflow_id)s AS TEXT) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = CAST(%(wait_epoch)s AS BIGINT) AND perdure.workflows.status = 'running') THEN true ELSE false END ON CONFLICT DO NOTHING RETURNING perdure.waits.step_seq),
written AS
(INSERT INTO perdure.stream_items (workflow_id, stream, item_offset, place, attempt, value, closes, epoch) SELECT CAST(%(item_workflow_id)s AS TEXT) AS anon_21, CAST(%(item_stream)s AS TEXT) AS anon_22, CAST(%(item_item_offset)s AS BIGINT) AS anon_23, CAST(%(item_place)s AS TEXT) AS anon_24, CAST(%(item_attempt)s AS BIGINT) AS anon_25, CAST(%(item_value)s AS TEXT) AS anon_26, CAST(%(item_closes)s AS BOOLEAN) AS anon_27, CAST(%(item_epoch)s AS BIGINT) AS anon_28
FROM perdure.workflows, fence
WHERE perdure.workflows.workflow_id = CAST(%(item_workflow_id)s AS TEXT) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = CAST(%(item_epoch)s AS BIGINT) AND perdure.workflows.status = 'running') THEN true ELSE false END ON CONFLICT DO NOTHING RETURNING perdure.stream_items.workflow_id),
moved AS
(UPDATE perdure.workflows SET status=CASE WHEN (CAST(%(transition_status)s AS TEXT) = 'waiting' AND (perdure.workflows.wake >= CAST(%(transition_wake_at)s AS BIGINT) OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT CAST(%(transition_cancelling)s AS BOOLEAN))) THEN 'enqueued' ELSE CAST(%(transition_status)s AS TEXT) END, run_at=CASE WHEN (CAST(%(transition_status)s AS TEXT) = 'waiting' AND (perdure.workflows.wake >= CAST(%(transition_wake_at)s AS BIGINT) OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT CAST(%(transition_cancelling)s AS BOOLEAN))) THEN now() ELSE coalesce(CAST(%(transition_run_at)s AS TIMESTAMP WITH TIME ZONE), CASE WHEN (CAST(%(transition_status)s AS TEXT) = 'waiting') THEN CAST('9999-12-31T00:00:00.000000Z' AS TIMESTAMP WITH TIME ZONE) ELSE perdure.workflows.run_at END) END, output=CAST(%(transition_output)s AS TEXT), error=CAST(%(transition_error)s AS TEXT), error_message=CAST(%(transition_error_message)s AS TEXT), owner=NULL, wake_at=CAST(%(transition_wake_at)s AS BIGINT), completed_at=CASE WHEN (CAST(%(transition_status)s AS TEXT) IN ('success', 'error', 'cancelled')) THEN now() END FROM fence WHERE perdure.workflows.workflow_id = CAST(%(transition_workflow_id)s AS TEXT) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = CAST(%(transition_epoch)s AS BIGINT) AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id, perdure.workflows.status, perdure.workflows.parent_id, perdure.workflows.awaited),
told AS
(INSERT INTO perdure.wakeups (workflow_id, n, fan) SELECT moved.parent_id AS parent_id, count(*) AS count_8, false AS anon_29
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.parent_id IS NOT NULL GROUP BY moved.parent_id UNION ALL SELECT moved.workflow_id AS workflow_id, 1, true AS anon_30
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.awaited RETURNING perdure.wakeups.id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded UNION ALL SELECT 'waits', count(*) AS count_3, CAST(NULL AS TEXT[]) AS anon_1
FROM awaited UNION ALL SELECT 'items', count(*) AS count_4, CAST(NULL AS TEXT[]) AS anon_1
FROM written UNION ALL SELECT 'transitions', count(*) AS count_5, array_agg(moved.workflow_id) AS array_agg_1
FROM moved UNION ALL SELECT 'back', count(*) AS count_6, array_agg(moved.workflow_id) AS array_agg_1
FROM moved
WHERE moved.status = 'enqueued' UNION ALL SELECT 'told', count(*) AS count_7, CAST(NULL AS TEXT[]) AS anon_1
FROM told

-- commits.commit steps consumptions
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
step AS MATERIALIZED
(SELECT step_item.workflow_id AS workflow_id, step_item.branch AS branch, step_item.step_seq AS step_seq, step_item.step_name AS step_name, step_item.kind AS kind, step_item.status AS status, step_item.output AS output, step_item.error AS error, step_item.error_message AS error_message, step_item.attempts AS attempts, step_item.started_at AS started_at, step_item.completed_at AS completed_at, step_item.epoch AS epoch
FROM unnest(CAST(%(step_workflow_id)s AS TEXT[]), CAST(%(step_branch)s AS TEXT[]), CAST(%(step_step_seq)s AS INTEGER[]), CAST(%(step_step_name)s AS TEXT[]), CAST(%(step_kind)s AS TEXT[]), CAST(%(step_status)s AS TEXT[]), CAST(%(step_output)s AS TEXT[]), CAST(%(step_error)s AS TEXT[]), CAST(%(step_error_message)s AS TEXT[]), CAST(%(step_attempts)s AS INTEGER[]), CAST(%(step_started_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_completed_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_epoch)s AS BIGINT[])) AS step_item(workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch)),
step_ids AS MATERIALIZED
(SELECT step.workflow_id AS workflow_id
FROM step),
recorded AS
(INSERT INTO perdure.workflow_steps (workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch) SELECT step.workflow_id AS workflow_id, step.branch AS branch, step.step_seq AS step_seq, step.step_name AS step_name, step.kind AS kind, step.status AS status, step.output AS output, step.error AS error, step.error_message AS error_message, step.attempts AS attempts, step.started_at AS started_at, step.completed_at AS completed_at, step.epoch AS epoch
FROM perdure.workflows, step, fence
WHERE perdure.workflows.workflow_id = step.workflow_id AND perdure.workflows.workflow_id IN (SELECT step_ids.workflow_id
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.branch, step.step_seq ON CONFLICT DO NOTHING RETURNING perdure.workflow_steps.workflow_id, perdure.workflow_steps.branch, perdure.workflow_steps.step_seq, perdure.workflow_steps.kind, perdure.workflow_steps.epoch),
consumption AS MATERIALIZED
(SELECT consumption_item.workflow_id AS workflow_id, consumption_item.branch AS branch, consumption_item.step_seq AS step_seq, consumption_item.epoch AS epoch, consumption_item.message_id AS message_id
FROM unnest(CAST(%(consumption_workflow_id)s AS TEXT[]), CAST(%(consumption_branch)s AS TEXT[]), CAST(%(consumption_step_seq)s AS INTEGER[]), CAST(%(consumption_epoch)s AS BIGINT[]), CAST(%(consumption_message_id)s AS TEXT[])) AS consumption_item(workflow_id, branch, step_seq, epoch, message_id)),
consumed AS
(UPDATE perdure.messages SET consumed_branch=consumption.branch, consumed_seq=consumption.step_seq FROM consumption, recorded WHERE perdure.messages.workflow_id = consumption.workflow_id AND perdure.messages.message_id = consumption.message_id AND perdure.messages.consumed_seq IS NULL AND recorded.workflow_id = consumption.workflow_id AND recorded.branch = consumption.branch AND recorded.step_seq = consumption.step_seq AND recorded.epoch = consumption.epoch RETURNING perdure.messages.message_id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded UNION ALL SELECT 'consumptions', count(*) AS count_3, CAST(NULL AS TEXT[]) AS anon_1
FROM consumed

-- commits.commit steps events
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
step AS MATERIALIZED
(SELECT step_item.workflow_id AS workflow_id, step_item.branch AS branch, step_item.step_seq AS step_seq, step_item.step_name AS step_name, step_item.kind AS kind, step_item.status AS status, step_item.output AS output, step_item.error AS error, step_item.error_message AS error_message, step_item.attempts AS attempts, step_item.started_at AS started_at, step_item.completed_at AS completed_at, step_item.epoch AS epoch
FROM unnest(CAST(%(step_workflow_id)s AS TEXT[]), CAST(%(step_branch)s AS TEXT[]), CAST(%(step_step_seq)s AS INTEGER[]), CAST(%(step_step_name)s AS TEXT[]), CAST(%(step_kind)s AS TEXT[]), CAST(%(step_status)s AS TEXT[]), CAST(%(step_output)s AS TEXT[]), CAST(%(step_error)s AS TEXT[]), CAST(%(step_error_message)s AS TEXT[]), CAST(%(step_attempts)s AS INTEGER[]), CAST(%(step_started_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_completed_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_epoch)s AS BIGINT[])) AS step_item(workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch)),
step_ids AS MATERIALIZED
(SELECT step.workflow_id AS workflow_id
FROM step),
recorded AS
(INSERT INTO perdure.workflow_steps (workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch) SELECT step.workflow_id AS workflow_id, step.branch AS branch, step.step_seq AS step_seq, step.step_name AS step_name, step.kind AS kind, step.status AS status, step.output AS output, step.error AS error, step.error_message AS error_message, step.attempts AS attempts, step.started_at AS started_at, step.completed_at AS completed_at, step.epoch AS epoch
FROM perdure.workflows, step, fence
WHERE perdure.workflows.workflow_id = step.workflow_id AND perdure.workflows.workflow_id IN (SELECT step_ids.workflow_id
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.branch, step.step_seq ON CONFLICT DO NOTHING RETURNING perdure.workflow_steps.workflow_id, perdure.workflow_steps.branch, perdure.workflow_steps.step_seq, perdure.workflow_steps.kind, perdure.workflow_steps.epoch),
publisher AS MATERIALIZED
(SELECT publisher_item.workflow_id AS workflow_id
FROM unnest(CAST(%(publisher_workflow_id)s AS TEXT[])) AS publisher_item(workflow_id)),
publisher_ids AS MATERIALIZED
(SELECT publisher.workflow_id AS workflow_id
FROM publisher),
publishing AS MATERIALIZED
(SELECT perdure.workflows.workflow_id AS workflow_id, perdure.workflows.awaited AS awaited
FROM perdure.workflows, fence
WHERE perdure.workflows.owner = fence.worker_id AND perdure.workflows.status = 'running' AND perdure.workflows.workflow_id IN (SELECT publisher_ids.workflow_id
FROM publisher_ids) FOR NO KEY UPDATE OF workflows),
told AS
(INSERT INTO perdure.wakeups (workflow_id, n, fan) SELECT recorded.workflow_id AS workflow_id, count(*) AS count_4, true AS anon_2
FROM recorded JOIN publishing ON recorded.workflow_id = publishing.workflow_id
WHERE recorded.kind = 'event' AND publishing.awaited GROUP BY recorded.workflow_id RETURNING perdure.wakeups.id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded UNION ALL SELECT 'told', count(*) AS count_3, CAST(NULL AS TEXT[]) AS anon_1
FROM told

-- commits.commit items
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
item AS MATERIALIZED
(SELECT item_item.workflow_id AS workflow_id, item_item.stream AS stream, item_item.item_offset AS item_offset, item_item.place AS place, item_item.attempt AS attempt, item_item.value AS value, item_item.closes AS closes, item_item.epoch AS epoch
FROM unnest(CAST(%(item_workflow_id)s AS TEXT[]), CAST(%(item_stream)s AS TEXT[]), CAST(%(item_item_offset)s AS BIGINT[]), CAST(%(item_place)s AS TEXT[]), CAST(%(item_attempt)s AS BIGINT[]), CAST(%(item_value)s AS TEXT[]), CAST(%(item_closes)s AS BOOLEAN[]), CAST(%(item_epoch)s AS BIGINT[])) AS item_item(workflow_id, stream, item_offset, place, attempt, value, closes, epoch)),
item_ids AS MATERIALIZED
(SELECT item.workflow_id AS workflow_id
FROM item),
written AS
(INSERT INTO perdure.stream_items (workflow_id, stream, item_offset, place, attempt, value, closes, epoch) SELECT item.workflow_id AS workflow_id, item.stream AS stream, item.item_offset AS item_offset, item.place AS place, item.attempt AS attempt, item.value AS value, item.closes AS closes, item.epoch AS epoch
FROM perdure.workflows, item, fence
WHERE perdure.workflows.workflow_id = item.workflow_id AND perdure.workflows.workflow_id IN (SELECT item_ids.workflow_id
FROM item_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = item.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY item.workflow_id, item.stream, item.item_offset ON CONFLICT DO NOTHING RETURNING perdure.stream_items.workflow_id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'items', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM written

-- commits.commit fresh consumptions events steps waits transitions items
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
step AS MATERIALIZED
(SELECT step_item.workflow_id AS workflow_id, step_item.branch AS branch, step_item.step_seq AS step_seq, step_item.step_name AS step_name, step_item.kind AS kind, step_item.status AS status, step_item.output AS output, step_item.error AS error, step_item.error_message AS error_message, step_item.attempts AS attempts, step_item.started_at AS started_at, step_item.completed_at AS completed_at, step_item.epoch AS epoch
FROM unnest(CAST(%(step_workflow_id)s AS TEXT[]), CAST(%(step_branch)s AS TEXT[]), CAST(%(step_step_seq)s AS INTEGER[]), CAST(%(step_step_name)s AS TEXT[]), CAST(%(step_kind)s AS TEXT[]), CAST(%(step_status)s AS TEXT[]), CAST(%(step_output)s AS TEXT[]), CAST(%(step_error)s AS TEXT[]), CAST(%(step_error_message)s AS TEXT[]), CAST(%(step_attempts)s AS INTEGER[]), CAST(%(step_started_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_completed_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(step_epoch)s AS BIGINT[])) AS step_item(workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch)),
step_ids AS MATERIALIZED
(SELECT step.workflow_id AS workflow_id
FROM step),
recorded AS
(INSERT INTO perdure.workflow_steps (workflow_id, branch, step_seq, step_name, kind, status, output, error, error_message, attempts, started_at, completed_at, epoch) SELECT step.workflow_id AS workflow_id, step.branch AS branch, step.step_seq AS step_seq, step.step_name AS step_name, step.kind AS kind, step.status AS status, step.output AS output, step.error AS error, step.error_message AS error_message, step.attempts AS attempts, step.started_at AS started_at, step.completed_at AS completed_at, step.epoch AS epoch
FROM perdure.workflows, step, fence
WHERE perdure.workflows.workflow_id = step.workflow_id AND perdure.workflows.workflow_id IN (SELECT step_ids.workflow_id
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.branch, step.step_seq RETURNING perdure.workflow_steps.workflow_id, perdure.workflow_steps.branch, perdure.workflow_steps.step_seq, perdure.workflow_steps.kind, perdure.workflow_steps.epoch),
consumption AS MATERIALIZED
(SELECT consumption_item.workflow_id AS workflow_id, consumption_item.branch AS branch, consumption_item.step_seq AS step_seq, consumption_item.epoch AS epoch, consumption_item.message_id AS message_id
FROM unnest(CAST(%(consumption_workflow_id)s AS TEXT[]), CAST(%(consumption_branch)s AS TEXT[]), CAST(%(consumption_step_seq)s AS INTEGER[]), CAST(%(consumption_epoch)s AS BIGINT[]), CAST(%(consumption_message_id)s AS TEXT[])) AS consumption_item(workflow_id, branch, step_seq, epoch, message_id)),
consumed AS
(UPDATE perdure.messages SET consumed_branch=consumption.branch, consumed_seq=consumption.step_seq FROM consumption, recorded WHERE perdure.messages.workflow_id = consumption.workflow_id AND perdure.messages.message_id = consumption.message_id AND perdure.messages.consumed_seq IS NULL AND recorded.workflow_id = consumption.workflow_id AND recorded.branch = consumption.branch AND recorded.step_seq = consumption.step_seq AND recorded.epoch = consumption.epoch RETURNING perdure.messages.message_id),
wait AS MATERIALIZED
(SELECT wait_item.workflow_id AS workflow_id, wait_item.branch AS branch, wait_item.step_seq AS step_seq, wait_item.kind AS kind, wait_item.due AS due, wait_item.epoch AS epoch
FROM unnest(CAST(%(wait_workflow_id)s AS TEXT[]), CAST(%(wait_branch)s AS TEXT[]), CAST(%(wait_step_seq)s AS INTEGER[]), CAST(%(wait_kind)s AS TEXT[]), CAST(%(wait_due)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(wait_epoch)s AS BIGINT[])) AS wait_item(workflow_id, branch, step_seq, kind, due, epoch)),
wait_ids AS MATERIALIZED
(SELECT wait.workflow_id AS workflow_id
FROM wait),
awaited AS
(INSERT INTO perdure.waits (workflow_id, branch, step_seq, kind, due, epoch) SELECT wait.workflow_id AS workflow_id, wait.branch AS branch, wait.step_seq AS step_seq, wait.kind AS kind, wait.due AS due, wait.epoch AS epoch
FROM perdure.workflows, wait, fence
WHERE perdure.workflows.workflow_id = wait.workflow_id AND perdure.workflows.workflow_id IN (SELECT wait_ids.workflow_id
FROM wait_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = wait.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY wait.workflow_id, wait.branch, wait.step_seq ON CONFLICT DO NOTHING RETURNING perdure.waits.step_seq),
item AS MATERIALIZED
(SELECT item_item.workflow_id AS workflow_id, item_item.stream AS stream, item_item.item_offset AS item_offset, item_item.place AS place, item_item.attempt AS attempt, item_item.value AS value, item_item.closes AS closes, item_item.epoch AS epoch
FROM unnest(CAST(%(item_workflow_id)s AS TEXT[]), CAST(%(item_stream)s AS TEXT[]), CAST(%(item_item_offset)s AS BIGINT[]), CAST(%(item_place)s AS TEXT[]), CAST(%(item_attempt)s AS BIGINT[]), CAST(%(item_value)s AS TEXT[]), CAST(%(item_closes)s AS BOOLEAN[]), CAST(%(item_epoch)s AS BIGINT[])) AS item_item(workflow_id, stream, item_offset, place, attempt, value, closes, epoch)),
item_ids AS MATERIALIZED
(SELECT item.workflow_id AS workflow_id
FROM item),
written AS
(INSERT INTO perdure.stream_items (workflow_id, stream, item_offset, place, attempt, value, closes, epoch) SELECT item.workflow_id AS workflow_id, item.stream AS stream, item.item_offset AS item_offset, item.place AS place, item.attempt AS attempt, item.value AS value, item.closes AS closes, item.epoch AS epoch
FROM perdure.workflows, item, fence
WHERE perdure.workflows.workflow_id = item.workflow_id AND perdure.workflows.workflow_id IN (SELECT item_ids.workflow_id
FROM item_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = item.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY item.workflow_id, item.stream, item.item_offset ON CONFLICT DO NOTHING RETURNING perdure.stream_items.workflow_id),
transition AS MATERIALIZED
(SELECT transition_item.workflow_id AS workflow_id, transition_item.epoch AS epoch, transition_item.status AS status, transition_item.output AS output, transition_item.error AS error, transition_item.error_message AS error_message, transition_item.run_at AS run_at, transition_item.wake_at AS wake_at, transition_item.cancelling AS cancelling
FROM unnest(CAST(%(transition_workflow_id)s AS TEXT[]), CAST(%(transition_epoch)s AS BIGINT[]), CAST(%(transition_status)s AS TEXT[]), CAST(%(transition_output)s AS TEXT[]), CAST(%(transition_error)s AS TEXT[]), CAST(%(transition_error_message)s AS TEXT[]), CAST(%(transition_run_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(transition_wake_at)s AS BIGINT[]), CAST(%(transition_cancelling)s AS BOOLEAN[])) AS transition_item(workflow_id, epoch, status, output, error, error_message, run_at, wake_at, cancelling)),
transition_ids AS MATERIALIZED
(SELECT transition.workflow_id AS workflow_id
FROM transition),
publisher AS MATERIALIZED
(SELECT publisher_item.workflow_id AS workflow_id
FROM unnest(CAST(%(publisher_workflow_id)s AS TEXT[])) AS publisher_item(workflow_id)),
publisher_ids AS MATERIALIZED
(SELECT publisher.workflow_id AS workflow_id
FROM publisher),
publishing AS MATERIALIZED
(SELECT perdure.workflows.workflow_id AS workflow_id, perdure.workflows.awaited AS awaited
FROM perdure.workflows, fence
WHERE perdure.workflows.owner = fence.worker_id AND perdure.workflows.status = 'running' AND perdure.workflows.workflow_id IN (SELECT publisher_ids.workflow_id
FROM publisher_ids) FOR NO KEY UPDATE OF workflows),
moved AS
(UPDATE perdure.workflows SET status=CASE WHEN (transition.status = 'waiting' AND (perdure.workflows.wake >= transition.wake_at OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT transition.cancelling)) THEN 'enqueued' ELSE transition.status END, run_at=CASE WHEN (transition.status = 'waiting' AND (perdure.workflows.wake >= transition.wake_at OR perdure.workflows.cancel_requested_at IS NOT NULL AND NOT transition.cancelling)) THEN now() ELSE coalesce(transition.run_at, CASE WHEN (transition.status = 'waiting') THEN CAST('9999-12-31T00:00:00.000000Z' AS TIMESTAMP WITH TIME ZONE) ELSE perdure.workflows.run_at END) END, output=transition.output, error=transition.error, error_message=transition.error_message, owner=NULL, wake_at=transition.wake_at, completed_at=CASE WHEN (transition.status IN ('success', 'error', 'cancelled')) THEN now() END FROM transition, fence WHERE perdure.workflows.workflow_id = transition.workflow_id AND perdure.workflows.workflow_id IN (SELECT transition_ids.workflow_id
FROM transition_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = transition.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END AND (SELECT count(*) AS count_7
FROM publishing) >= 0 RETURNING perdure.workflows.workflow_id, perdure.workflows.status, perdure.workflows.parent_id, perdure.workflows.awaited),
told AS
(INSERT INTO perdure.wakeups (workflow_id, n, fan) SELECT recorded.workflow_id AS workflow_id, count(*) AS count_10, true AS anon_2
FROM recorded JOIN publishing ON recorded.workflow_id = publishing.workflow_id
WHERE recorded.kind = 'event' AND publishing.awaited GROUP BY recorded.workflow_id UNION ALL SELECT moved.parent_id AS parent_id, count(*) AS count_11, false AS anon_3
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.parent_id IS NOT NULL GROUP BY moved.parent_id UNION ALL SELECT moved.workflow_id AS workflow_id, 1, true AS anon_2
FROM moved
WHERE moved.status IN ('success', 'error', 'cancelled') AND moved.awaited RETURNING perdure.wakeups.id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded UNION ALL SELECT 'consumptions', count(*) AS count_3, CAST(NULL AS TEXT[]) AS anon_1
FROM consumed UNION ALL SELECT 'waits', count(*) AS count_4, CAST(NULL AS TEXT[]) AS anon_1
FROM awaited UNION ALL SELECT 'items', count(*) AS count_5, CAST(NULL AS TEXT[]) AS anon_1
FROM written UNION ALL SELECT 'transitions', count(*) AS count_6, array_agg(moved.workflow_id) AS array_agg_1
FROM moved UNION ALL SELECT 'back', count(*) AS count_8, array_agg(moved.workflow_id) AS array_agg_1
FROM moved
WHERE moved.status = 'enqueued' UNION ALL SELECT 'told', count(*) AS count_9, CAST(NULL AS TEXT[]) AS anon_1
FROM told

-- events.latest
WITH event AS MATERIALIZED
(SELECT event_item.workflow_id AS workflow_id, event_item.step_name AS step_name
FROM unnest(CAST(%(event_workflow_id)s AS TEXT[]), CAST(%(event_step_name)s AS TEXT[])) AS event_item(workflow_id, step_name))
 SELECT event.workflow_id, event.step_name, (SELECT perdure.workflow_steps.output
FROM perdure.workflow_steps
WHERE perdure.workflow_steps.workflow_id = event.workflow_id AND perdure.workflow_steps.step_name = event.step_name AND perdure.workflow_steps.kind = 'event' ORDER BY perdure.workflow_steps.completed_at DESC, perdure.workflow_steps.branch DESC, perdure.workflow_steps.step_seq DESC
 LIMIT 1) AS anon_1, (SELECT perdure.workflow_steps.epoch
FROM perdure.workflow_steps
WHERE perdure.workflow_steps.workflow_id = event.workflow_id AND perdure.workflow_steps.step_name = event.step_name AND perdure.workflow_steps.kind = 'event' ORDER BY perdure.workflow_steps.completed_at DESC, perdure.workflow_steps.branch DESC, perdure.workflow_steps.step_seq DESC
 LIMIT 1) AS anon_2
FROM event

-- locks.released
UPDATE perdure.migration SET holder=NULL, held_until=NULL WHERE perdure.migration.holder = CAST(%(holder)s AS TEXT)

-- locks.row
INSERT INTO perdure.migration (id) SELECT 1
WHERE 1 = 1 ON CONFLICT DO NOTHING

-- locks.schema perdure
CREATE SCHEMA IF NOT EXISTS perdure

-- locks.table
CREATE TABLE IF NOT EXISTS perdure.migration (
	id SMALLINT NOT NULL,
	holder TEXT,
	held_until TIMESTAMP WITH TIME ZONE,
	PRIMARY KEY (id)
)

-- locks.taken
UPDATE perdure.migration SET holder=CAST(%(holder)s AS TEXT), held_until=(now() + 120 * INTERVAL '1 second') WHERE perdure.migration.id = 1 AND (perdure.migration.holder IS NULL OR perdure.migration.holder = CAST(%(holder)s AS TEXT) OR perdure.migration.held_until < now()) RETURNING perdure.migration.id

-- messages.pending
WITH watch AS MATERIALIZED
(SELECT watch_item.workflow_id AS workflow_id, watch_item.topic AS topic
FROM unnest(CAST(%(watch_workflow_id)s AS TEXT[]), CAST(%(watch_topic)s AS TEXT[])) AS watch_item(workflow_id, topic)),
watch_ids AS MATERIALIZED
(SELECT watch.workflow_id AS workflow_id
FROM watch),
first AS MATERIALIZED
(SELECT found.workflow_id AS workflow_id, found.topic AS topic, found.sender AS sender, found.sent_at AS came, row_number() OVER (PARTITION BY found.workflow_id, found.topic, found.sender ORDER BY found.sent_at, found.sender, found.position) AS place
FROM watch JOIN LATERAL (SELECT perdure.messages.workflow_id AS workflow_id, perdure.messages.message_id AS message_id, perdure.messages.topic AS topic, perdure.messages.body AS body, perdure.messages.sender AS sender, perdure.messages.position AS position, perdure.messages.sent_at AS sent_at, perdure.messages.consumed_branch AS consumed_branch, perdure.messages.consumed_seq AS consumed_seq
FROM perdure.messages
WHERE perdure.messages.workflow_id = watch.workflow_id AND perdure.messages.topic = watch.topic AND perdure.messages.consumed_seq IS NULL ORDER BY perdure.messages.sent_at, perdure.messages.sender, perdure.messages.position
 LIMIT CAST(%(limit)s AS INTEGER)) AS found ON true),
senders AS
(SELECT DISTINCT first.workflow_id AS workflow_id, first.topic AS topic, first.sender AS sender
FROM first),
taken AS MATERIALIZED
(SELECT numbered.workflow_id AS workflow_id, numbered.message_id AS message_id, numbered.topic AS topic, numbered.body AS body, numbered.sender AS sender, numbered.position AS position, first.came AS came
FROM first JOIN (SELECT found.workflow_id AS workflow_id, found.message_id AS message_id, found.topic AS topic, found.body AS body, found.sender AS sender, found.position AS position, row_number() OVER (PARTITION BY found.workflow_id, found.topic, found.sender ORDER BY found.position, found.sent_at, found.sender, found.position) AS place
FROM senders JOIN LATERAL (SELECT perdure.messages.workflow_id AS workflow_id, perdure.messages.message_id AS message_id, perdure.messages.topic AS topic, perdure.messages.body AS body, perdure.messages.sender AS sender, perdure.messages.position AS position, perdure.messages.sent_at AS sent_at, perdure.messages.consumed_branch AS consumed_branch, perdure.messages.consumed_seq AS consumed_seq
FROM perdure.messages
WHERE perdure.messages.workflow_id = senders.workflow_id AND perdure.messages.topic = senders.topic AND perdure.messages.sender = senders.sender AND perdure.messages.consumed_seq IS NULL ORDER BY perdure.messages.position, perdure.messages.sent_at, perdure.messages.sender, perdure.messages.position
 LIMIT CAST(%(limit)s AS INTEGER)) AS found ON true) AS numbered ON first.workflow_id = numbered.workflow_id AND first.topic = numbered.topic AND first.sender = numbered.sender AND first.place = numbered.place)
 SELECT perdure.workflows.workflow_id, CAST(NULL AS TEXT) AS anon_1, CAST(NULL AS TEXT) AS anon__1, CAST(NULL AS TEXT) AS anon__2, CAST(NULL AS TEXT) AS anon__3, CAST(NULL AS BIGINT) AS anon__4, perdure.workflows.wake, CASE WHEN (perdure.workflows.cancel_requested_at IS NOT NULL) THEN coalesce(perdure.workflows.cancel_reason, '') END AS anon_2, CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS anon__5
FROM perdure.workflows
WHERE perdure.workflows.workflow_id IN (SELECT watch_ids.workflow_id
FROM watch_ids) UNION ALL SELECT taken.workflow_id, taken.message_id, taken.topic, taken.body, taken.sender, taken.position, CAST(NULL AS BIGINT) AS anon_1, CAST(NULL AS TEXT) AS anon__6, taken.came
FROM taken

-- messages.send
WITH message AS MATERIALIZED
(SELECT message_item.workflow_id AS workflow_id, message_item.message_id AS message_id, message_item.topic AS topic, message_item.body AS body, message_item.sender AS sender, message_item.position AS position
FROM unnest(CAST(%(message_workflow_id)s AS TEXT[]), CAST(%(message_message_id)s AS TEXT[]), CAST(%(message_topic)s AS TEXT[]), CAST(%(message_body)s AS TEXT[]), CAST(%(message_sender)s AS TEXT[]), CAST(%(message_position)s AS BIGINT[])) AS message_item(workflow_id, message_id, topic, body, sender, position)),
message_ids AS MATERIALIZED
(SELECT message.workflow_id AS workflow_id
FROM message),
inserted AS
(INSERT INTO perdure.messages (workflow_id, message_id, topic, body, sender, position) SELECT message.workflow_id AS workflow_id, message.message_id AS message_id, message.topic AS topic, message.body AS body, message.sender AS sender, message.position AS position
FROM perdure.workflows, message
WHERE perdure.workflows.workflow_id = message.workflow_id AND perdure.workflows.workflow_id IN (SELECT message_ids.workflow_id
FROM message_ids) AND CASE WHEN (perdure.workflows.status IN ('success', 'error', 'cancelled')) THEN false ELSE true END ORDER BY message.workflow_id, message.message_id ON CONFLICT DO NOTHING RETURNING perdure.messages.workflow_id, perdure.messages.message_id),
told AS
(INSERT INTO perdure.wakeups (workflow_id, n, fan) SELECT inserted.workflow_id AS workflow_id, count(*) AS count_1, false AS anon_1
FROM inserted GROUP BY inserted.workflow_id)
 SELECT inserted.workflow_id, inserted.message_id
FROM inserted

-- messages.sent
WITH letter AS MATERIALIZED
(SELECT letter_item.workflow_id AS workflow_id, letter_item.message_id AS message_id
FROM unnest(CAST(%(letter_workflow_id)s AS TEXT[]), CAST(%(letter_message_id)s AS TEXT[])) AS letter_item(workflow_id, message_id))
 SELECT perdure.messages.workflow_id, perdure.messages.message_id
FROM perdure.messages, letter
WHERE perdure.messages.workflow_id = letter.workflow_id AND perdure.messages.message_id = letter.message_id

-- migrate.current
SELECT perdure.perdure_version.version_num
FROM perdure.perdure_version

-- outbox.drain
WITH taken AS MATERIALIZED
(SELECT perdure.wakeups.id AS id, perdure.wakeups.workflow_id AS workflow_id, perdure.wakeups.n AS n, perdure.wakeups.fan AS fan
FROM perdure.wakeups ORDER BY perdure.wakeups.id
 LIMIT CAST(%(limit)s AS INTEGER) FOR UPDATE SKIP LOCKED),
given AS MATERIALIZED
(SELECT taken.workflow_id AS workflow_id, CAST(sum(taken.n) AS BIGINT) AS n
FROM taken
WHERE NOT taken.fan GROUP BY taken.workflow_id),
given_ids AS MATERIALIZED
(SELECT given.workflow_id AS workflow_id
FROM given),
free AS MATERIALIZED
(SELECT perdure.workflows.workflow_id AS workflow_id
FROM perdure.workflows
WHERE perdure.workflows.workflow_id IN (SELECT given_ids.workflow_id
FROM given_ids) FOR NO KEY UPDATE SKIP LOCKED),
free_ids AS MATERIALIZED
(SELECT free.workflow_id AS workflow_id
FROM free),
woken AS
(UPDATE perdure.workflows SET status=CASE WHEN (perdure.workflows.status = 'waiting' AND perdure.workflows.wake_at <= perdure.workflows.wake + given.n) THEN 'enqueued' ELSE perdure.workflows.status END, run_at=CASE WHEN (perdure.workflows.status = 'waiting' AND perdure.workflows.wake_at <= perdure.workflows.wake + given.n AND perdure.workflows.run_at > now()) THEN now() ELSE perdure.workflows.run_at END, wake=(perdure.workflows.wake + given.n) FROM given WHERE perdure.workflows.workflow_id = given.workflow_id AND perdure.workflows.workflow_id IN (SELECT free_ids.workflow_id
FROM free_ids) RETURNING perdure.workflows.workflow_id),
taken_ids AS MATERIALIZED
(SELECT taken.id AS id
FROM taken
WHERE NOT taken.fan AND (taken.workflow_id IN (SELECT woken.workflow_id
FROM woken) OR NOT (EXISTS (SELECT other.status
FROM perdure.workflows AS other
WHERE other.workflow_id = taken.workflow_id)))),
swept AS
(DELETE FROM perdure.wakeups WHERE perdure.wakeups.id IN (SELECT taken_ids.id
FROM taken_ids) RETURNING perdure.wakeups.id)
 SELECT (SELECT count(*) AS count_1
FROM swept) AS anon_1, (SELECT count(*) AS count_2
FROM taken
WHERE taken.fan) AS anon_2

-- outbox.fans
WITH taken AS MATERIALIZED
(SELECT perdure.wakeups.id AS id
FROM perdure.wakeups
WHERE perdure.wakeups.fan ORDER BY perdure.wakeups.id
 LIMIT CAST(%(limit)s AS INTEGER) FOR UPDATE SKIP LOCKED),
taken_ids AS MATERIALIZED
(SELECT taken.id AS id
FROM taken)
 DELETE FROM perdure.wakeups WHERE perdure.wakeups.id IN (SELECT taken_ids.id
FROM taken_ids) RETURNING perdure.wakeups.workflow_id, perdure.wakeups.n

-- outbox.spread
WITH told AS MATERIALIZED
(SELECT told_item.workflow_id AS workflow_id, told_item.n AS n
FROM unnest(CAST(%(told_workflow_id)s AS TEXT[]), CAST(%(told_n)s AS BIGINT[])) AS told_item(workflow_id, n)),
told_ids AS MATERIALIZED
(SELECT told.workflow_id AS workflow_id
FROM told)
 INSERT INTO perdure.wakeups (workflow_id, n, fan) SELECT perdure.subscriptions.workflow_id, told.n, false AS anon_1
FROM perdure.subscriptions, told
WHERE perdure.subscriptions.target_id = told.workflow_id AND perdure.subscriptions.target_id IN (SELECT told_ids.workflow_id
FROM told_ids)

-- steps.awaited
WITH key AS MATERIALIZED
(SELECT key_item.workflow_id AS workflow_id, key_item.branch AS branch, key_item.step_seq AS step_seq
FROM unnest(CAST(%(key_workflow_id)s AS TEXT[]), CAST(%(key_branch)s AS TEXT[]), CAST(%(key_step_seq)s AS INTEGER[])) AS key_item(workflow_id, branch, step_seq)),
key_ids AS MATERIALIZED
(SELECT key.workflow_id AS workflow_id
FROM key)
 SELECT perdure.waits.workflow_id, perdure.waits.branch, perdure.waits.step_seq, perdure.waits.kind, perdure.waits.due, perdure.waits.epoch
FROM perdure.waits, key
WHERE perdure.waits.workflow_id = key.workflow_id AND perdure.waits.branch = key.branch AND perdure.waits.step_seq = key.step_seq AND perdure.waits.workflow_id IN (SELECT key_ids.workflow_id
FROM key_ids)

-- steps.gate_of
SELECT perdure.workers.worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE

-- steps.history
WITH asked AS MATERIALIZED
(SELECT asked_item.workflow_id AS workflow_id
FROM unnest(CAST(%(asked_workflow_id)s AS TEXT[])) AS asked_item(workflow_id)),
asked_ids AS MATERIALIZED
(SELECT asked.workflow_id AS workflow_id
FROM asked),
asked_again_ids AS MATERIALIZED
(SELECT asked_again.workflow_id AS workflow_id
FROM asked AS asked_again)
 SELECT perdure.workflow_steps.workflow_id, perdure.workflow_steps.branch, perdure.workflow_steps.step_seq, perdure.workflow_steps.step_name, perdure.workflow_steps.kind, perdure.workflow_steps.status, perdure.workflow_steps.output, perdure.workflow_steps.error, perdure.workflow_steps.error_message, perdure.workflow_steps.attempts, perdure.workflow_steps.started_at, perdure.workflow_steps.completed_at, perdure.workflow_steps.epoch, CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS due
FROM perdure.workflow_steps
WHERE perdure.workflow_steps.workflow_id IN (SELECT asked_ids.workflow_id
FROM asked_ids) UNION ALL SELECT perdure.waits.workflow_id, perdure.waits.branch, perdure.waits.step_seq, CAST(NULL AS TEXT) AS anon_1, perdure.waits.kind, CAST(NULL AS TEXT) AS anon__1, CAST(NULL AS TEXT) AS anon__2, CAST(NULL AS TEXT) AS anon__3, CAST(NULL AS TEXT) AS anon__4, CAST(NULL AS INTEGER) AS anon__5, CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS anon__6, CAST(NULL AS TIMESTAMP WITH TIME ZONE) AS anon__7, perdure.waits.epoch, perdure.waits.due
FROM perdure.waits
WHERE perdure.waits.workflow_id IN (SELECT asked_again_ids.workflow_id
FROM asked_again_ids)

-- steps.recorded
WITH key AS MATERIALIZED
(SELECT key_item.workflow_id AS workflow_id, key_item.branch AS branch, key_item.step_seq AS step_seq
FROM unnest(CAST(%(key_workflow_id)s AS TEXT[]), CAST(%(key_branch)s AS TEXT[]), CAST(%(key_step_seq)s AS INTEGER[])) AS key_item(workflow_id, branch, step_seq)),
key_ids AS MATERIALIZED
(SELECT key.workflow_id AS workflow_id
FROM key)
 SELECT perdure.workflow_steps.workflow_id, perdure.workflow_steps.branch, perdure.workflow_steps.step_seq, perdure.workflow_steps.step_name, perdure.workflow_steps.kind, perdure.workflow_steps.status, perdure.workflow_steps.output, perdure.workflow_steps.error, perdure.workflow_steps.error_message, perdure.workflow_steps.attempts, perdure.workflow_steps.started_at, perdure.workflow_steps.completed_at, perdure.workflow_steps.epoch
FROM perdure.workflow_steps, key
WHERE perdure.workflow_steps.workflow_id = key.workflow_id AND perdure.workflow_steps.branch = key.branch AND perdure.workflow_steps.step_seq = key.step_seq AND perdure.workflow_steps.workflow_id IN (SELECT key_ids.workflow_id
FROM key_ids)

-- streams.read
WITH reading AS MATERIALIZED
(SELECT reading_item.workflow_id AS workflow_id, reading_item.stream AS stream, reading_item.after AS after
FROM unnest(CAST(%(reading_workflow_id)s AS TEXT[]), CAST(%(reading_stream)s AS TEXT[]), CAST(%(reading_after)s AS BIGINT[])) AS reading_item(workflow_id, stream, after))
 SELECT found.workflow_id, found.stream, found.item_offset, found.place, found.attempt, found.value, found.closes, found.epoch
FROM reading JOIN LATERAL (SELECT perdure.stream_items.workflow_id AS workflow_id, perdure.stream_items.stream AS stream, perdure.stream_items.item_offset AS item_offset, perdure.stream_items.place AS place, perdure.stream_items.attempt AS attempt, perdure.stream_items.value AS value, perdure.stream_items.closes AS closes, perdure.stream_items.epoch AS epoch
FROM perdure.stream_items
WHERE perdure.stream_items.workflow_id = reading.workflow_id AND perdure.stream_items.stream = reading.stream AND perdure.stream_items.item_offset > reading.after ORDER BY perdure.stream_items.item_offset
 LIMIT CAST(%(limit)s AS INTEGER)) AS found ON true

-- subscriptions.subscribe
WITH marked AS
(UPDATE perdure.workflows SET awaited=true WHERE perdure.workflows.workflow_id = CAST(%(target)s AS TEXT) AND NOT perdure.workflows.awaited RETURNING perdure.workflows.workflow_id),
subscriber AS MATERIALIZED
(SELECT subscriber_item.workflow_id AS workflow_id
FROM unnest(CAST(%(subscriber_workflow_id)s AS TEXT[])) AS subscriber_item(workflow_id)),
entered AS
(INSERT INTO perdure.subscriptions (workflow_id, target_id) SELECT subscriber.workflow_id AS workflow_id, perdure.workflows.workflow_id AS workflow_id_1
FROM subscriber, perdure.workflows
WHERE perdure.workflows.workflow_id = CAST(%(target)s AS TEXT) ORDER BY subscriber.workflow_id ON CONFLICT DO NOTHING RETURNING perdure.subscriptions.workflow_id)
 SELECT perdure.workflows.workflow_id
FROM perdure.workflows
WHERE perdure.workflows.workflow_id = CAST(%(target)s AS TEXT)

-- workers.declare
WITH seen AS MATERIALIZED
(SELECT seen_item.worker_id AS worker_id, seen_item.beat AS beat
FROM unnest(CAST(%(seen_worker_id)s AS TEXT[]), CAST(%(seen_beat)s AS BIGINT[])) AS seen_item(worker_id, beat)),
dying AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.dead_at IS NULL AND perdure.workers.lease_until < now() + (-CAST(%(margin)s AS DOUBLE PRECISION)) * INTERVAL '1 second' AND (EXISTS (SELECT seen.worker_id
FROM seen
WHERE perdure.workers.worker_id = seen.worker_id AND perdure.workers.beat = seen.beat)) ORDER BY perdure.workers.worker_id FOR UPDATE SKIP LOCKED)
 UPDATE perdure.workers SET dead_at=now() FROM dying WHERE perdure.workers.worker_id = dying.worker_id AND perdure.workers.dead_at IS NULL RETURNING perdure.workers.worker_id

-- workers.forget
DELETE FROM perdure.workers WHERE perdure.workers.worker_id = ANY (CAST(%(ids)s AS TEXT[])) AND NOT (EXISTS (SELECT perdure.workflows.workflow_id
FROM perdure.workflows
WHERE perdure.workflows.owner = perdure.workers.worker_id AND perdure.workflows.status = 'running'))

-- workers.forgettable
SELECT perdure.workers.worker_id
FROM perdure.workers
WHERE perdure.workers.dead_at < now() + -86400 * INTERVAL '1 second'
 LIMIT 50 FOR UPDATE SKIP LOCKED

-- workers.heartbeat
WITH RECURSIVE owners(owner) AS
(SELECT min(perdure.workflows.owner) AS owner
FROM perdure.workflows
WHERE perdure.workflows.status = 'running' UNION ALL SELECT (SELECT min(perdure.workflows.owner) AS min_3
FROM perdure.workflows
WHERE perdure.workflows.status = 'running' AND perdure.workflows.owner > owners.owner) AS anon_6
FROM owners
WHERE owners.owner IS NOT NULL),
renewed AS
(UPDATE perdure.workers SET lease_until=(now() + CAST(%(lease)s AS DOUBLE PRECISION) * INTERVAL '1 second'), beat=(perdure.workers.beat + 1) WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL RETURNING perdure.workers.worker_id, perdure.workers.beat, perdure.workers.lease_until)
 SELECT perdure.workers.worker_id, CASE WHEN (perdure.workers.worker_id = renewed.worker_id) THEN renewed.beat ELSE perdure.workers.beat END AS anon_1, CASE WHEN (perdure.workers.worker_id = renewed.worker_id) THEN renewed.lease_until ELSE perdure.workers.lease_until END AS anon_2, now() AS now_1, (SELECT min(perdure.workflows.run_at) AS min_1
FROM perdure.workflows
WHERE perdure.workflows.status IN ('delayed', 'waiting') AND perdure.workflows.run_at < CAST('9999-12-31T00:00:00.000000Z' AS TIMESTAMP WITH TIME ZONE)) AS anon_3, (SELECT min(perdure.workflows.deadline) AS min_2
FROM perdure.workflows
WHERE perdure.workflows.deadline IS NOT NULL AND perdure.workflows.completed_at IS NULL AND perdure.workflows.cancel_requested_at IS NULL) AS anon_4, CASE WHEN (EXISTS (SELECT abandoned.owner
FROM (SELECT owners.owner AS owner
FROM owners
WHERE owners.owner IS NOT NULL AND NOT (EXISTS (SELECT perdure.workers.worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = owners.owner AND perdure.workers.dead_at IS NULL))) AS abandoned)) THEN 1 ELSE 0 END AS anon_5, CASE WHEN ((SELECT perdure.wakeups.id
FROM perdure.wakeups ORDER BY perdure.wakeups.id
 LIMIT 1) IS NOT NULL) THEN 1 ELSE 0 END AS anon_7
FROM perdure.workers JOIN renewed ON 1 = 1
WHERE perdure.workers.dead_at IS NULL

-- workers.join
WITH served AS MATERIALIZED
(SELECT served_item.name AS name
FROM unnest(CAST(%(served_name)s AS TEXT[])) AS served_item(name)),
arrived AS
(INSERT INTO perdure.workers (worker_id, host, pid, code_version, known, lease_until) SELECT CAST(%(me)s AS TEXT) AS anon_1, CAST(%(host)s AS TEXT) AS anon_2, CAST(%(pid)s AS INTEGER) AS anon_3, CAST(%(code_version)s AS TEXT) AS anon_4, CAST(%(known)s AS TEXT) AS anon_5, now() + CAST(%(lease)s AS DOUBLE PRECISION) * INTERVAL '1 second' AS anon_6
WHERE 1 = 1 ON CONFLICT (worker_id) DO UPDATE SET code_version = excluded.code_version, lease_until = excluded.lease_until, beat = (perdure.workers.beat + 1), known = excluded.known WHERE perdure.workers.dead_at IS NULL RETURNING perdure.workers.worker_id),
defined AS
(INSERT INTO perdure.definitions (name) SELECT served.name AS name
FROM served
WHERE EXISTS (SELECT arrived.worker_id
FROM arrived) ORDER BY served.name ON CONFLICT DO NOTHING RETURNING perdure.definitions.name)
 SELECT arrived.worker_id
FROM arrived

-- workers.leave
WITH dying AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR UPDATE)
 UPDATE perdure.workers SET dead_at=now() FROM dying WHERE perdure.workers.worker_id = dying.worker_id AND perdure.workers.dead_at IS NULL RETURNING perdure.workers.worker_id

-- workers.served
SELECT CASE WHEN (EXISTS (SELECT perdure.definitions.name
FROM perdure.definitions
WHERE perdure.definitions.name = CAST(%(name)s AS TEXT))) THEN 1 ELSE 0 END AS anon_1, perdure.workers.known
FROM (SELECT 1 AS one) AS one LEFT OUTER JOIN perdure.workers ON perdure.workers.dead_at IS NULL AND perdure.workers.lease_until >= now()

-- workflows.existing
SELECT perdure.workflows.workflow_id, perdure.workflows.name, perdure.workflows.input, perdure.workflows.parent_id
FROM perdure.workflows
WHERE perdure.workflows.workflow_id = ANY (CAST(%(ids)s AS TEXT[]))

-- workflows.find
SELECT perdure.workflows.workflow_id, perdure.workflows.name, perdure.workflows.status, perdure.workflows.queue, perdure.workflows.priority, perdure.workflows.run_at, perdure.workflows.input, perdure.workflows.output, perdure.workflows.error, perdure.workflows.error_message, perdure.workflows.owner, perdure.workflows.epoch, perdure.workflows.recoveries, perdure.workflows.strikes, perdure.workflows.wake, perdure.workflows.parent_id, perdure.workflows.detached, perdure.workflows.timeout, perdure.workflows.deadline, perdure.workflows.cancel_requested_at, perdure.workflows.cancel_reason, perdure.workflows.code_version, perdure.workflows.attributes, perdure.workflows.created_at, perdure.workflows.started_at, perdure.workflows.completed_at
FROM perdure.workflows ORDER BY perdure.workflows.created_at DESC, perdure.workflows.workflow_id DESC
 LIMIT CAST(%(limit)s AS INTEGER)

-- workflows.find name statuses queue attributes parent_id after
SELECT perdure.workflows.workflow_id, perdure.workflows.name, perdure.workflows.status, perdure.workflows.queue, perdure.workflows.priority, perdure.workflows.run_at, perdure.workflows.input, perdure.workflows.output, perdure.workflows.error, perdure.workflows.error_message, perdure.workflows.owner, perdure.workflows.epoch, perdure.workflows.recoveries, perdure.workflows.strikes, perdure.workflows.wake, perdure.workflows.parent_id, perdure.workflows.detached, perdure.workflows.timeout, perdure.workflows.deadline, perdure.workflows.cancel_requested_at, perdure.workflows.cancel_reason, perdure.workflows.code_version, perdure.workflows.attributes, perdure.workflows.created_at, perdure.workflows.started_at, perdure.workflows.completed_at
FROM perdure.workflows
WHERE perdure.workflows.name = CAST(%(name)s AS TEXT) AND perdure.workflows.status = ANY (CAST(%(statuses)s AS TEXT[])) AND perdure.workflows.queue = CAST(%(queue)s AS TEXT) AND (CAST(perdure.workflows.attributes AS JSONB) @> CAST(%(attributes)s AS JSONB)) AND perdure.workflows.parent_id = CAST(%(parent_id)s AS TEXT) AND (perdure.workflows.created_at, perdure.workflows.workflow_id) < (CAST(%(after_at)s AS TIMESTAMP WITH TIME ZONE), CAST(%(after_id)s AS TEXT)) ORDER BY perdure.workflows.created_at DESC, perdure.workflows.workflow_id DESC
 LIMIT CAST(%(limit)s AS INTEGER)

-- workflows.load False
SELECT perdure.workflows.workflow_id, perdure.workflows.name, perdure.workflows.status, perdure.workflows.queue, perdure.workflows.priority, perdure.workflows.run_at, perdure.workflows.input, perdure.workflows.output, perdure.workflows.error, perdure.workflows.error_message, perdure.workflows.owner, perdure.workflows.epoch, perdure.workflows.recoveries, perdure.workflows.strikes, perdure.workflows.wake, perdure.workflows.parent_id, perdure.workflows.detached, perdure.workflows.timeout, perdure.workflows.deadline, perdure.workflows.cancel_requested_at, perdure.workflows.cancel_reason, perdure.workflows.code_version, perdure.workflows.attributes, perdure.workflows.created_at, perdure.workflows.started_at, perdure.workflows.completed_at
FROM perdure.workflows
WHERE perdure.workflows.workflow_id = ANY (CAST(%(ids)s AS TEXT[]))

-- workflows.load True
SELECT perdure.workflows.workflow_id, perdure.workflows.name, perdure.workflows.status, perdure.workflows.queue, perdure.workflows.priority, perdure.workflows.run_at, perdure.workflows.input, perdure.workflows.output, perdure.workflows.error, perdure.workflows.error_message, perdure.workflows.owner, perdure.workflows.epoch, perdure.workflows.recoveries, perdure.workflows.strikes, perdure.workflows.wake, perdure.workflows.parent_id, perdure.workflows.detached, perdure.workflows.timeout, perdure.workflows.deadline, perdure.workflows.cancel_requested_at, perdure.workflows.cancel_reason, perdure.workflows.code_version, perdure.workflows.attributes, perdure.workflows.created_at, perdure.workflows.started_at, perdure.workflows.completed_at
FROM perdure.workflows
WHERE perdure.workflows.workflow_id = ANY (CAST(%(ids)s AS TEXT[])) AND perdure.workflows.status IN ('success', 'error', 'cancelled', 'parked')

-- workflows.resume
UPDATE perdure.workflows SET status='enqueued', run_at=now(), error=NULL, error_message=NULL, strikes=0 WHERE perdure.workflows.workflow_id = CAST(%(id)s AS TEXT) AND perdure.workflows.status = 'parked' AND perdure.workflows.epoch = CAST(%(epoch)s AS BIGINT) AND perdure.workflows.owner IS NULL RETURNING perdure.workflows.status

-- workflows.standing
SELECT perdure.workflows.workflow_id, perdure.workflows.owner, perdure.workflows.epoch, perdure.workflows.status
FROM perdure.workflows
WHERE perdure.workflows.workflow_id = ANY (CAST(%(ids)s AS TEXT[]))

-- workflows.submit
WITH new AS MATERIALIZED
(SELECT new_item.workflow_id AS workflow_id, new_item.name AS name, new_item.input AS input, new_item.queue AS queue, new_item.shard AS shard, new_item.priority AS priority, new_item.delay AS delay, new_item.run_at AS run_at, new_item.attributes AS attributes, new_item.code_version AS code_version, new_item.parent_id AS parent_id, new_item.detached AS detached, new_item.timeout AS timeout, new_item.deadline AS deadline
FROM unnest(CAST(%(new_workflow_id)s AS TEXT[]), CAST(%(new_name)s AS TEXT[]), CAST(%(new_input)s AS TEXT[]), CAST(%(new_queue)s AS TEXT[]), CAST(%(new_shard)s AS SMALLINT[]), CAST(%(new_priority)s AS INTEGER[]), CAST(%(new_delay)s AS DOUBLE PRECISION[]), CAST(%(new_run_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(new_attributes)s AS TEXT[]), CAST(%(new_code_version)s AS TEXT[]), CAST(%(new_parent_id)s AS TEXT[]), CAST(%(new_detached)s AS BOOLEAN[]), CAST(%(new_timeout)s AS DOUBLE PRECISION[]), CAST(%(new_deadline)s AS TIMESTAMP WITH TIME ZONE[])) AS new_item(workflow_id, name, input, queue, shard, priority, delay, run_at, attributes, code_version, parent_id, detached, timeout, deadline))
 INSERT INTO perdure.workflows (workflow_id, name, input, queue, shard, priority, attributes, code_version, parent_id, detached, timeout, deadline, run_at, status) SELECT new.workflow_id, new.name, new.input, new.queue, new.shard, new.priority, new.attributes, new.code_version, new.parent_id, new.detached, new.timeout, new.deadline, coalesce(new.run_at, now() + coalesce(new.delay, 0) * INTERVAL '1 second') AS coalesce_1, CASE WHEN (coalesce(new.run_at, now() + coalesce(new.delay, 0) * INTERVAL '1 second') > now()) THEN 'delayed' ELSE 'enqueued' END AS anon_1
FROM new
WHERE 1 = 1 ORDER BY new.workflow_id ON CONFLICT DO NOTHING RETURNING perdure.workflows.workflow_id

-- workflows.submit attributes code_version deadline delay detached parent_id priority queue run_at shard timeout
WITH new AS MATERIALIZED
(SELECT new_item.workflow_id AS workflow_id, new_item.name AS name, new_item.input AS input
FROM unnest(CAST(%(new_workflow_id)s AS TEXT[]), CAST(%(new_name)s AS TEXT[]), CAST(%(new_input)s AS TEXT[])) AS new_item(workflow_id, name, input))
 INSERT INTO perdure.workflows (workflow_id, name, input) SELECT new.workflow_id, new.name, new.input
FROM new
WHERE 1 = 1 ORDER BY new.workflow_id ON CONFLICT DO NOTHING RETURNING perdure.workflows.workflow_id

-- workflows.submit fresh attributes code_version deadline delay detached parent_id priority queue run_at shard timeout
WITH new AS MATERIALIZED
(SELECT new_item.workflow_id AS workflow_id, new_item.name AS name, new_item.input AS input
FROM unnest(CAST(%(new_workflow_id)s AS TEXT[]), CAST(%(new_name)s AS TEXT[]), CAST(%(new_input)s AS TEXT[])) AS new_item(workflow_id, name, input))
 INSERT INTO perdure.workflows (workflow_id, name, input) SELECT new.workflow_id, new.name, new.input
FROM new
WHERE 1 = 1 ORDER BY new.workflow_id

-- workflows.wake
WITH workflows_ids AS MATERIALIZED
(SELECT perdure.workflows.workflow_id AS workflow_id
FROM perdure.workflows
WHERE perdure.workflows.status IN ('delayed', 'waiting') AND perdure.workflows.run_at <= now() ORDER BY perdure.workflows.run_at
 LIMIT CAST(%(limit)s AS INTEGER) FOR UPDATE SKIP LOCKED)
 UPDATE perdure.workflows SET status='enqueued' WHERE perdure.workflows.workflow_id IN (SELECT workflows_ids.workflow_id
FROM workflows_ids) AND perdure.workflows.status IN ('delayed', 'waiting') RETURNING perdure.workflows.workflow_id
