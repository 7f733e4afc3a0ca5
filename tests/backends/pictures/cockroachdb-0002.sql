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
INSERT INTO perdure.workflows VALUES ('cancelled', 'work', 'cancelled', 'default', 7, 0, '2026-01-02T03:04:05.678000+00:00', '["cancelled"]', NULL, NULL, NULL, NULL, 0, 0, NULL, FALSE, 0, 0, '2026-01-02T03:04:05.678000+00:00', 'größe 🦆 "quoted" \back\slash and ''single''', 'running', '9000-01-01T00:00:00+00:00', NULL, '{}', '2026-01-02T03:04:05.678000+00:00', NULL, '2026-01-02T03:04:05.678000+00:00', TRUE, '3600.0');
INSERT INTO perdure.workflows VALUES ('delayed', 'work', 'delayed', 'default', 7, 0, '9000-01-01T00:00:00+00:00', '["delayed"]', NULL, NULL, NULL, NULL, 0, 0, NULL, FALSE, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000+00:00', NULL, NULL, FALSE, NULL);
INSERT INTO perdure.workflows VALUES ('due', 'work', 'delayed', 'default', 10, 0, '2026-01-02T03:04:05.678000+00:00', '["due"]', NULL, NULL, NULL, NULL, 0, 0, NULL, FALSE, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000+00:00', NULL, NULL, FALSE, NULL);
INSERT INTO perdure.workflows VALUES ('elsewhere', 'work', 'enqueued', 'other', 5, 0, '2026-01-02T03:04:05.678000+00:00', '["elsewhere"]', NULL, NULL, NULL, NULL, 0, 0, NULL, FALSE, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000+00:00', NULL, NULL, FALSE, NULL);
INSERT INTO perdure.workflows VALUES ('error', 'work', 'error', 'default', 1, 0, '2026-01-02T03:04:05.678000+00:00', '["error"]', NULL, '{}', 'größe 🦆 "quoted" \back\slash and ''single''', NULL, 1, 0, NULL, FALSE, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:05.678000+00:00', FALSE, NULL);
INSERT INTO perdure.workflows VALUES ('größe 🦆 "quoted" \back\slash and ''single''', 'work', 'enqueued', 'default', 3, -3, '2026-01-02T03:04:05.678000+00:00', '["gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"]', NULL, NULL, NULL, NULL, 0, 0, NULL, FALSE, 0, 0, NULL, NULL, NULL, NULL, 'v1', '{"customer": "größe 🦆 \"quoted\" \\back\\slash and ''single''", "amount": 12, "rate": 0.5, "vip": true}', '2026-01-02T03:04:05.678000+00:00', NULL, NULL, FALSE, NULL);
INSERT INTO perdure.workflows VALUES ('parked', 'work', 'parked', 'default', 10, 0, '2026-01-02T03:04:05.678000+00:00', '["parked"]', NULL, '{}', 'broken', NULL, 1, 0, NULL, FALSE, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:05.678000+00:00', NULL, FALSE, NULL);
INSERT INTO perdure.workflows VALUES ('running', 'work', 'running', 'default', 15, 0, '2026-01-02T03:04:05.678000+00:00', '["running"]', NULL, NULL, NULL, 'a', 1, 0, NULL, TRUE, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:05.678000+00:00', NULL, FALSE, NULL);
INSERT INTO perdure.workflows VALUES ('success', 'work', 'success', 'default', 2, 0, '2026-01-02T03:04:05.678000+00:00', '["success"]', '["gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"]', NULL, NULL, NULL, 1, 0, NULL, FALSE, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:05.678000+00:00', FALSE, NULL);
INSERT INTO perdure.workflows VALUES ('waiting', 'work', 'waiting', 'default', 14, 0, '2026-01-02T03:04:05.678000+00:00', '["waiting"]', NULL, NULL, NULL, NULL, 1, 0, NULL, FALSE, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:05.678000+00:00', NULL, FALSE, NULL);
INSERT INTO perdure.workflow_steps VALUES ('error', '', 1, 'größe 🦆 "quoted" \back\slash and ''single''', 'step', 'success', '"gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"', NULL, NULL, 1, '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:06.678000+00:00', 1);
INSERT INTO perdure.workflow_steps VALUES ('parked', '', 1, 'größe 🦆 "quoted" \back\slash and ''single''', 'step', 'success', '"gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"', NULL, NULL, 1, '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:06.678000+00:00', 1);
INSERT INTO perdure.workflow_steps VALUES ('running', '', 1, 'größe 🦆 "quoted" \back\slash and ''single''', 'step', 'success', '"gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"', NULL, NULL, 1, '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:06.678000+00:00', 1);
INSERT INTO perdure.workflow_steps VALUES ('running', '', 2, 'charge', 'step', 'error', NULL, '{}', 'größe 🦆 "quoted" \back\slash and ''single''', 3, '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:06.678000+00:00', 1);
INSERT INTO perdure.workflow_steps VALUES ('running', '0.1', 1, 'charge', 'step', 'success', '["running", 1, "0.1", 1]', NULL, NULL, 1, '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:06.678000+00:00', 1);
INSERT INTO perdure.workflow_steps VALUES ('success', '', 1, 'größe 🦆 "quoted" \back\slash and ''single''', 'step', 'success', '"gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"', NULL, NULL, 1, '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:06.678000+00:00', 1);
INSERT INTO perdure.workflow_steps VALUES ('waiting', '', 1, 'größe 🦆 "quoted" \back\slash and ''single''', 'step', 'success', '"gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"', NULL, NULL, 1, '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:06.678000+00:00', 1);
INSERT INTO perdure.waits VALUES ('running', '', 3, 'sleep', '2026-01-02T03:04:05.678000+00:00', 1);
INSERT INTO perdure.waits VALUES ('waiting', '', 2, 'sleep', '2026-01-02T03:04:05.678000+00:00', 1);
INSERT INTO perdure.workers VALUES ('a', 'host', 1, 'v1', '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:05.678000+00:00', 0, '2026-01-02T03:04:05.678000+00:00', '{"names": ["work", "größe 🦆 \"quoted\" \\back\\slash and ''single''"], "queues": ["default"]}');
INSERT INTO perdure.workers VALUES ('b', 'host', 1, NULL, '2026-01-02T03:04:05.678000+00:00', '2026-01-02T03:04:05.678000+00:00', 0, NULL, '{"names": ["work"], "queues": ["default"]}');
INSERT INTO perdure.definitions VALUES ('größe 🦆 "quoted" \back\slash and ''single''');
INSERT INTO perdure.definitions VALUES ('work');
INSERT INTO perdure.messages VALUES ('delayed', 'm', 'news', '"gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"', 'somebody', 1, '2026-01-02T03:04:05.678000+00:00', NULL, NULL);
INSERT INTO perdure.subscriptions VALUES ('delayed', 'running');
INSERT INTO perdure.wakeups (workflow_id, n, fan) VALUES ('delayed', 1, FALSE);
INSERT INTO perdure.wakeups (workflow_id, n, fan) VALUES ('running', 1, FALSE);
INSERT INTO perdure.stream_items VALUES ('running', 'log', 4294967296, '', 1, '"gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"', FALSE, 1);
INSERT INTO perdure.stream_items VALUES ('running', 'log', 4294967301, '0.1:1', 65539, '4294967301', FALSE, 1);
INSERT INTO perdure.stream_items VALUES ('success', 'größe 🦆 "quoted" \back\slash and ''single''', 1, '', 1, NULL, TRUE, 1);
