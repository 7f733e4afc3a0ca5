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
 UPDATE perdure.workflows SET status='running', owner=fence.worker_id, epoch=(perdure.workflows.epoch + 1), started_at=coalesce(perdure.workflows.started_at, now()) FROM fence WHERE perdure.workflows.workflow_id IN (SELECT candidate_ids.workflow_id
FROM candidate_ids) AND fence.worker_id IS NOT NULL RETURNING perdure.workflows.workflow_id, perdure.workflows.name, perdure.workflows.queue, perdure.workflows.input, perdure.workflows.epoch, perdure.workflows.strikes, perdure.workflows.created_at, perdure.workflows.priority, perdure.workflows.run_at

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
 UPDATE perdure.workflows SET status='running', owner=fence.worker_id, epoch=(perdure.workflows.epoch + 1), started_at=coalesce(perdure.workflows.started_at, now()) FROM fence WHERE perdure.workflows.workflow_id IN (SELECT candidate_ids.workflow_id
FROM candidate_ids) AND fence.worker_id IS NOT NULL RETURNING perdure.workflows.workflow_id, perdure.workflows.name, perdure.workflows.queue, perdure.workflows.input, perdure.workflows.epoch, perdure.workflows.strikes, perdure.workflows.created_at, perdure.workflows.priority, perdure.workflows.run_at

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
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.branch, step.step_seq ON CONFLICT DO NOTHING RETURNING perdure.workflow_steps.workflow_id)
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
FROM wait_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = wait.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY wait.workflow_id, wait.branch, wait.step_seq ON CONFLICT DO NOTHING RETURNING perdure.waits.workflow_id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'waits', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM awaited

-- commits.commit transitions
WITH fence AS MATERIALIZED
(SELECT perdure.workers.worker_id AS worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL FOR KEY SHARE),
transition AS MATERIALIZED
(SELECT transition_item.workflow_id AS workflow_id, transition_item.epoch AS epoch, transition_item.status AS status, transition_item.output AS output, transition_item.error AS error, transition_item.error_message AS error_message, transition_item.run_at AS run_at
FROM unnest(CAST(%(transition_workflow_id)s AS TEXT[]), CAST(%(transition_epoch)s AS BIGINT[]), CAST(%(transition_status)s AS TEXT[]), CAST(%(transition_output)s AS TEXT[]), CAST(%(transition_error)s AS TEXT[]), CAST(%(transition_error_message)s AS TEXT[]), CAST(%(transition_run_at)s AS TIMESTAMP WITH TIME ZONE[])) AS transition_item(workflow_id, epoch, status, output, error, error_message, run_at)),
transition_ids AS MATERIALIZED
(SELECT transition.workflow_id AS workflow_id
FROM transition),
moved AS
(UPDATE perdure.workflows SET status=transition.status, run_at=coalesce(transition.run_at, perdure.workflows.run_at), output=transition.output, error=transition.error, error_message=transition.error_message, owner=NULL, completed_at=CASE WHEN (transition.status IN ('success', 'error')) THEN now() END FROM transition, fence WHERE perdure.workflows.workflow_id = transition.workflow_id AND perdure.workflows.workflow_id IN (SELECT transition_ids.workflow_id
FROM transition_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = transition.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'transitions', count(*) AS count_2, array_agg(moved.workflow_id) AS array_agg_1
FROM moved

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
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.branch, step.step_seq ON CONFLICT DO NOTHING RETURNING perdure.workflow_steps.workflow_id),
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
FROM wait_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = wait.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY wait.workflow_id, wait.branch, wait.step_seq ON CONFLICT DO NOTHING RETURNING perdure.waits.workflow_id)
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
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.branch, step.step_seq ON CONFLICT DO NOTHING RETURNING perdure.workflow_steps.workflow_id),
transition AS MATERIALIZED
(SELECT transition_item.workflow_id AS workflow_id, transition_item.epoch AS epoch, transition_item.status AS status, transition_item.output AS output, transition_item.error AS error, transition_item.error_message AS error_message, transition_item.run_at AS run_at
FROM unnest(CAST(%(transition_workflow_id)s AS TEXT[]), CAST(%(transition_epoch)s AS BIGINT[]), CAST(%(transition_status)s AS TEXT[]), CAST(%(transition_output)s AS TEXT[]), CAST(%(transition_error)s AS TEXT[]), CAST(%(transition_error_message)s AS TEXT[]), CAST(%(transition_run_at)s AS TIMESTAMP WITH TIME ZONE[])) AS transition_item(workflow_id, epoch, status, output, error, error_message, run_at)),
transition_ids AS MATERIALIZED
(SELECT transition.workflow_id AS workflow_id
FROM transition),
moved AS
(UPDATE perdure.workflows SET status=transition.status, run_at=coalesce(transition.run_at, perdure.workflows.run_at), output=transition.output, error=transition.error, error_message=transition.error_message, owner=NULL, completed_at=CASE WHEN (transition.status IN ('success', 'error')) THEN now() END FROM transition, fence WHERE perdure.workflows.workflow_id = transition.workflow_id AND perdure.workflows.workflow_id IN (SELECT transition_ids.workflow_id
FROM transition_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = transition.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded UNION ALL SELECT 'transitions', count(*) AS count_3, array_agg(moved.workflow_id) AS array_agg_1
FROM moved

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
FROM wait_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = wait.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY wait.workflow_id, wait.branch, wait.step_seq ON CONFLICT DO NOTHING RETURNING perdure.waits.workflow_id),
transition AS MATERIALIZED
(SELECT transition_item.workflow_id AS workflow_id, transition_item.epoch AS epoch, transition_item.status AS status, transition_item.output AS output, transition_item.error AS error, transition_item.error_message AS error_message, transition_item.run_at AS run_at
FROM unnest(CAST(%(transition_workflow_id)s AS TEXT[]), CAST(%(transition_epoch)s AS BIGINT[]), CAST(%(transition_status)s AS TEXT[]), CAST(%(transition_output)s AS TEXT[]), CAST(%(transition_error)s AS TEXT[]), CAST(%(transition_error_message)s AS TEXT[]), CAST(%(transition_run_at)s AS TIMESTAMP WITH TIME ZONE[])) AS transition_item(workflow_id, epoch, status, output, error, error_message, run_at)),
transition_ids AS MATERIALIZED
(SELECT transition.workflow_id AS workflow_id
FROM transition),
moved AS
(UPDATE perdure.workflows SET status=transition.status, run_at=coalesce(transition.run_at, perdure.workflows.run_at), output=transition.output, error=transition.error, error_message=transition.error_message, owner=NULL, completed_at=CASE WHEN (transition.status IN ('success', 'error')) THEN now() END FROM transition, fence WHERE perdure.workflows.workflow_id = transition.workflow_id AND perdure.workflows.workflow_id IN (SELECT transition_ids.workflow_id
FROM transition_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = transition.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'waits', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM awaited UNION ALL SELECT 'transitions', count(*) AS count_3, array_agg(moved.workflow_id) AS array_agg_1
FROM moved

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
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.branch, step.step_seq ON CONFLICT DO NOTHING RETURNING perdure.workflow_steps.workflow_id),
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
FROM wait_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = wait.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY wait.workflow_id, wait.branch, wait.step_seq ON CONFLICT DO NOTHING RETURNING perdure.waits.workflow_id),
transition AS MATERIALIZED
(SELECT transition_item.workflow_id AS workflow_id, transition_item.epoch AS epoch, transition_item.status AS status, transition_item.output AS output, transition_item.error AS error, transition_item.error_message AS error_message, transition_item.run_at AS run_at
FROM unnest(CAST(%(transition_workflow_id)s AS TEXT[]), CAST(%(transition_epoch)s AS BIGINT[]), CAST(%(transition_status)s AS TEXT[]), CAST(%(transition_output)s AS TEXT[]), CAST(%(transition_error)s AS TEXT[]), CAST(%(transition_error_message)s AS TEXT[]), CAST(%(transition_run_at)s AS TIMESTAMP WITH TIME ZONE[])) AS transition_item(workflow_id, epoch, status, output, error, error_message, run_at)),
transition_ids AS MATERIALIZED
(SELECT transition.workflow_id AS workflow_id
FROM transition),
moved AS
(UPDATE perdure.workflows SET status=transition.status, run_at=coalesce(transition.run_at, perdure.workflows.run_at), output=transition.output, error=transition.error, error_message=transition.error_message, owner=NULL, completed_at=CASE WHEN (transition.status IN ('success', 'error')) THEN now() END FROM transition, fence WHERE perdure.workflows.workflow_id = transition.workflow_id AND perdure.workflows.workflow_id IN (SELECT transition_ids.workflow_id
FROM transition_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = transition.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded UNION ALL SELECT 'waits', count(*) AS count_3, CAST(NULL AS TEXT[]) AS anon_1
FROM awaited UNION ALL SELECT 'transitions', count(*) AS count_4, array_agg(moved.workflow_id) AS array_agg_1
FROM moved

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
FROM step_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = step.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY step.workflow_id, step.branch, step.step_seq RETURNING perdure.workflow_steps.workflow_id),
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
FROM wait_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = wait.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END ORDER BY wait.workflow_id, wait.branch, wait.step_seq ON CONFLICT DO NOTHING RETURNING perdure.waits.workflow_id),
transition AS MATERIALIZED
(SELECT transition_item.workflow_id AS workflow_id, transition_item.epoch AS epoch, transition_item.status AS status, transition_item.output AS output, transition_item.error AS error, transition_item.error_message AS error_message, transition_item.run_at AS run_at
FROM unnest(CAST(%(transition_workflow_id)s AS TEXT[]), CAST(%(transition_epoch)s AS BIGINT[]), CAST(%(transition_status)s AS TEXT[]), CAST(%(transition_output)s AS TEXT[]), CAST(%(transition_error)s AS TEXT[]), CAST(%(transition_error_message)s AS TEXT[]), CAST(%(transition_run_at)s AS TIMESTAMP WITH TIME ZONE[])) AS transition_item(workflow_id, epoch, status, output, error, error_message, run_at)),
transition_ids AS MATERIALIZED
(SELECT transition.workflow_id AS workflow_id
FROM transition),
moved AS
(UPDATE perdure.workflows SET status=transition.status, run_at=coalesce(transition.run_at, perdure.workflows.run_at), output=transition.output, error=transition.error, error_message=transition.error_message, owner=NULL, completed_at=CASE WHEN (transition.status IN ('success', 'error')) THEN now() END FROM transition, fence WHERE perdure.workflows.workflow_id = transition.workflow_id AND perdure.workflows.workflow_id IN (SELECT transition_ids.workflow_id
FROM transition_ids) AND CASE WHEN (perdure.workflows.owner = fence.worker_id AND perdure.workflows.epoch = transition.epoch AND perdure.workflows.status = 'running') THEN true ELSE false END RETURNING perdure.workflows.workflow_id)
 SELECT 'fence', count(*) AS count_1, CAST(NULL AS TEXT[]) AS anon_1
FROM fence UNION ALL SELECT 'steps', count(*) AS count_2, CAST(NULL AS TEXT[]) AS anon_1
FROM recorded UNION ALL SELECT 'waits', count(*) AS count_3, CAST(NULL AS TEXT[]) AS anon_1
FROM awaited UNION ALL SELECT 'transitions', count(*) AS count_4, array_agg(moved.workflow_id) AS array_agg_1
FROM moved

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

-- migrate.current
SELECT perdure.perdure_version.version_num
FROM perdure.perdure_version

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
WHERE perdure.workflows.status = 'running' UNION ALL SELECT (SELECT min(perdure.workflows.owner) AS min_2
FROM perdure.workflows
WHERE perdure.workflows.status = 'running' AND perdure.workflows.owner > owners.owner) AS anon_5
FROM owners
WHERE owners.owner IS NOT NULL),
renewed AS
(UPDATE perdure.workers SET lease_until=(now() + CAST(%(lease)s AS DOUBLE PRECISION) * INTERVAL '1 second'), beat=(perdure.workers.beat + 1) WHERE perdure.workers.worker_id = CAST(%(me)s AS TEXT) AND perdure.workers.dead_at IS NULL RETURNING perdure.workers.worker_id, perdure.workers.beat, perdure.workers.lease_until)
 SELECT perdure.workers.worker_id, CASE WHEN (perdure.workers.worker_id = renewed.worker_id) THEN renewed.beat ELSE perdure.workers.beat END AS anon_1, CASE WHEN (perdure.workers.worker_id = renewed.worker_id) THEN renewed.lease_until ELSE perdure.workers.lease_until END AS anon_2, now() AS now_1, (SELECT min(perdure.workflows.run_at) AS min_1
FROM perdure.workflows
WHERE perdure.workflows.status IN ('delayed', 'waiting')) AS anon_3, CASE WHEN (EXISTS (SELECT abandoned.owner
FROM (SELECT owners.owner AS owner
FROM owners
WHERE owners.owner IS NOT NULL AND NOT (EXISTS (SELECT perdure.workers.worker_id
FROM perdure.workers
WHERE perdure.workers.worker_id = owners.owner AND perdure.workers.dead_at IS NULL))) AS abandoned)) THEN 1 ELSE 0 END AS anon_4
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
SELECT perdure.workflows.workflow_id, perdure.workflows.name, perdure.workflows.input
FROM perdure.workflows
WHERE perdure.workflows.workflow_id = ANY (CAST(%(ids)s AS TEXT[]))

-- workflows.find
SELECT perdure.workflows.workflow_id, perdure.workflows.name, perdure.workflows.status, perdure.workflows.queue, perdure.workflows.priority, perdure.workflows.run_at, perdure.workflows.input, perdure.workflows.output, perdure.workflows.error, perdure.workflows.error_message, perdure.workflows.owner, perdure.workflows.epoch, perdure.workflows.recoveries, perdure.workflows.strikes, perdure.workflows.parent_id, perdure.workflows.code_version, perdure.workflows.attributes, perdure.workflows.created_at, perdure.workflows.started_at, perdure.workflows.completed_at
FROM perdure.workflows ORDER BY perdure.workflows.created_at DESC, perdure.workflows.workflow_id DESC
 LIMIT CAST(%(limit)s AS INTEGER)

-- workflows.find name statuses queue attributes parent_id after
SELECT perdure.workflows.workflow_id, perdure.workflows.name, perdure.workflows.status, perdure.workflows.queue, perdure.workflows.priority, perdure.workflows.run_at, perdure.workflows.input, perdure.workflows.output, perdure.workflows.error, perdure.workflows.error_message, perdure.workflows.owner, perdure.workflows.epoch, perdure.workflows.recoveries, perdure.workflows.strikes, perdure.workflows.parent_id, perdure.workflows.code_version, perdure.workflows.attributes, perdure.workflows.created_at, perdure.workflows.started_at, perdure.workflows.completed_at
FROM perdure.workflows
WHERE perdure.workflows.name = CAST(%(name)s AS TEXT) AND perdure.workflows.status = ANY (CAST(%(statuses)s AS TEXT[])) AND perdure.workflows.queue = CAST(%(queue)s AS TEXT) AND (CAST(perdure.workflows.attributes AS JSONB) @> CAST(%(attributes)s AS JSONB)) AND perdure.workflows.parent_id = CAST(%(parent_id)s AS TEXT) AND (perdure.workflows.created_at, perdure.workflows.workflow_id) < (CAST(%(after_at)s AS TIMESTAMP WITH TIME ZONE), CAST(%(after_id)s AS TEXT)) ORDER BY perdure.workflows.created_at DESC, perdure.workflows.workflow_id DESC
 LIMIT CAST(%(limit)s AS INTEGER)

-- workflows.load False
SELECT perdure.workflows.workflow_id, perdure.workflows.name, perdure.workflows.status, perdure.workflows.queue, perdure.workflows.priority, perdure.workflows.run_at, perdure.workflows.input, perdure.workflows.output, perdure.workflows.error, perdure.workflows.error_message, perdure.workflows.owner, perdure.workflows.epoch, perdure.workflows.recoveries, perdure.workflows.strikes, perdure.workflows.parent_id, perdure.workflows.code_version, perdure.workflows.attributes, perdure.workflows.created_at, perdure.workflows.started_at, perdure.workflows.completed_at
FROM perdure.workflows
WHERE perdure.workflows.workflow_id = ANY (CAST(%(ids)s AS TEXT[]))

-- workflows.load True
SELECT perdure.workflows.workflow_id, perdure.workflows.name, perdure.workflows.status, perdure.workflows.queue, perdure.workflows.priority, perdure.workflows.run_at, perdure.workflows.input, perdure.workflows.output, perdure.workflows.error, perdure.workflows.error_message, perdure.workflows.owner, perdure.workflows.epoch, perdure.workflows.recoveries, perdure.workflows.strikes, perdure.workflows.parent_id, perdure.workflows.code_version, perdure.workflows.attributes, perdure.workflows.created_at, perdure.workflows.started_at, perdure.workflows.completed_at
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
(SELECT new_item.workflow_id AS workflow_id, new_item.name AS name, new_item.input AS input, new_item.queue AS queue, new_item.shard AS shard, new_item.priority AS priority, new_item.delay AS delay, new_item.run_at AS run_at, new_item.attributes AS attributes, new_item.code_version AS code_version
FROM unnest(CAST(%(new_workflow_id)s AS TEXT[]), CAST(%(new_name)s AS TEXT[]), CAST(%(new_input)s AS TEXT[]), CAST(%(new_queue)s AS TEXT[]), CAST(%(new_shard)s AS SMALLINT[]), CAST(%(new_priority)s AS INTEGER[]), CAST(%(new_delay)s AS DOUBLE PRECISION[]), CAST(%(new_run_at)s AS TIMESTAMP WITH TIME ZONE[]), CAST(%(new_attributes)s AS TEXT[]), CAST(%(new_code_version)s AS TEXT[])) AS new_item(workflow_id, name, input, queue, shard, priority, delay, run_at, attributes, code_version))
 INSERT INTO perdure.workflows (workflow_id, name, input, queue, shard, priority, attributes, code_version, run_at, status) SELECT new.workflow_id, new.name, new.input, new.queue, new.shard, new.priority, new.attributes, new.code_version, coalesce(new.run_at, now() + coalesce(new.delay, 0) * INTERVAL '1 second') AS coalesce_1, CASE WHEN (coalesce(new.run_at, now() + coalesce(new.delay, 0) * INTERVAL '1 second') > now()) THEN 'delayed' ELSE 'enqueued' END AS anon_1
FROM new
WHERE 1 = 1 ORDER BY new.workflow_id ON CONFLICT DO NOTHING RETURNING perdure.workflows.workflow_id

-- workflows.wake
WITH workflows_ids AS MATERIALIZED
(SELECT perdure.workflows.workflow_id AS workflow_id
FROM perdure.workflows
WHERE perdure.workflows.status IN ('delayed', 'waiting') AND perdure.workflows.run_at <= now() ORDER BY perdure.workflows.run_at
 LIMIT CAST(%(limit)s AS INTEGER) FOR UPDATE SKIP LOCKED)
 UPDATE perdure.workflows SET status='enqueued' WHERE perdure.workflows.workflow_id IN (SELECT workflows_ids.workflow_id
FROM workflows_ids) AND perdure.workflows.status IN ('delayed', 'waiting') RETURNING perdure.workflows.workflow_id
