BEGIN;

CREATE TABLE perdure_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT perdure_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE IF NOT EXISTS workflows (
    workflow_id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'enqueued',
    queue TEXT NOT NULL DEFAULT 'default',
    shard SMALLINT NOT NULL DEFAULT 0,
    priority INTEGER NOT NULL DEFAULT 0,
    run_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
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
    cancel_requested_at TEXT,
    cancel_reason TEXT,
    parent_id TEXT,
    deadline TEXT,
    code_version TEXT,
    attributes TEXT NOT NULL DEFAULT '{}',
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    started_at TEXT,
    completed_at TEXT
);

CREATE TABLE IF NOT EXISTS workflow_steps (
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
    started_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    completed_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    epoch BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (workflow_id, branch, step_seq)
);

CREATE TABLE IF NOT EXISTS waits (
    workflow_id TEXT NOT NULL,
    branch TEXT NOT NULL DEFAULT '',
    step_seq INTEGER NOT NULL,
    kind TEXT NOT NULL,
    due TEXT NOT NULL,
    epoch BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (workflow_id, branch, step_seq)
);

CREATE TABLE IF NOT EXISTS workers (
    worker_id TEXT NOT NULL PRIMARY KEY,
    host TEXT,
    pid INTEGER,
    code_version TEXT,
    started_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    lease_until TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    beat BIGINT NOT NULL DEFAULT 0,
    dead_at TEXT,
    known TEXT NOT NULL DEFAULT '{}'
);

CREATE TABLE IF NOT EXISTS definitions (
    name TEXT NOT NULL PRIMARY KEY
);

CREATE INDEX IF NOT EXISTS workflows_ready
    ON workflows (queue, name, priority, run_at, workflow_id)
    WHERE status = 'enqueued' AND strikes < 2;

CREATE INDEX IF NOT EXISTS workflows_suspects
    ON workflows (queue, name, priority, run_at, workflow_id)
    WHERE status = 'enqueued' AND strikes >= 2;

CREATE INDEX IF NOT EXISTS workflows_owned
    ON workflows (owner) WHERE status = 'running';

CREATE INDEX IF NOT EXISTS workflows_due
    ON workflows (run_at) WHERE status IN ('delayed', 'waiting');

CREATE UNIQUE INDEX IF NOT EXISTS workers_life ON workers (worker_id, dead_at);

INSERT INTO perdure_version (version_num) VALUES ('0001') RETURNING version_num;

-- Running upgrade 0001 -> 0002

ALTER TABLE workflows ADD COLUMN detached BOOLEAN NOT NULL DEFAULT FALSE;

ALTER TABLE workflows ADD COLUMN timeout DOUBLE PRECISION;

CREATE TABLE IF NOT EXISTS messages (
    workflow_id TEXT NOT NULL,
    message_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    body TEXT,
    sender TEXT NOT NULL,
    position BIGINT NOT NULL,
    sent_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    consumed_branch TEXT,
    consumed_seq INTEGER,
    PRIMARY KEY (workflow_id, message_id)
);

CREATE TABLE IF NOT EXISTS wakeups (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id TEXT NOT NULL,
    n BIGINT NOT NULL,
    fan BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE TABLE IF NOT EXISTS subscriptions (
    workflow_id TEXT NOT NULL,
    target_id TEXT NOT NULL,
    PRIMARY KEY (target_id, workflow_id)
);

CREATE TABLE IF NOT EXISTS stream_items (
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
    ON messages (workflow_id, topic)
    WHERE consumed_seq IS NULL;

CREATE INDEX IF NOT EXISTS messages_by_sender
    ON messages (workflow_id, topic, sender, position)
    WHERE consumed_seq IS NULL;

CREATE INDEX IF NOT EXISTS workflow_steps_events
    ON workflow_steps (workflow_id, step_name, completed_at, branch, step_seq)
    WHERE kind = 'event';

CREATE INDEX IF NOT EXISTS workflows_children
    ON workflows (parent_id) WHERE parent_id IS NOT NULL;

CREATE INDEX IF NOT EXISTS workflows_deadlines
    ON workflows (deadline)
    WHERE deadline IS NOT NULL AND completed_at IS NULL AND cancel_requested_at IS NULL;

CREATE INDEX IF NOT EXISTS workflows_requests
    ON workflows (owner)
    WHERE status = 'running' AND cancel_requested_at IS NOT NULL;

UPDATE perdure_version SET version_num='0002' WHERE perdure_version.version_num = '0001';

COMMIT;
INSERT INTO workflows VALUES ('cancelled', 'work', 'cancelled', 'default', 0, 0, '2026-01-02T03:04:05.678000Z', '["cancelled"]', NULL, NULL, NULL, NULL, 0, 0, NULL, 0, 0, 0, '2026-01-02T03:04:05.678000Z', 'größe 🦆 "quoted" \back\slash and ''single''', 'running', '9000-01-01T00:00:00.000000Z', NULL, '{}', '2026-01-02T03:04:05.678000Z', NULL, '2026-01-02T03:04:05.678000Z', 1, '3600.0');
INSERT INTO workflows VALUES ('delayed', 'work', 'delayed', 'default', 0, 0, '9000-01-01T00:00:00.000000Z', '["delayed"]', NULL, NULL, NULL, NULL, 0, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000Z', NULL, NULL, 0, NULL);
INSERT INTO workflows VALUES ('due', 'work', 'delayed', 'default', 0, 0, '2026-01-02T03:04:05.678000Z', '["due"]', NULL, NULL, NULL, NULL, 0, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000Z', NULL, NULL, 0, NULL);
INSERT INTO workflows VALUES ('elsewhere', 'work', 'enqueued', 'other', 0, 0, '2026-01-02T03:04:05.678000Z', '["elsewhere"]', NULL, NULL, NULL, NULL, 0, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000Z', NULL, NULL, 0, NULL);
INSERT INTO workflows VALUES ('error', 'work', 'error', 'default', 0, 0, '2026-01-02T03:04:05.678000Z', '["error"]', NULL, '{}', 'größe 🦆 "quoted" \back\slash and ''single''', NULL, 1, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:05.678000Z', 0, NULL);
INSERT INTO workflows VALUES ('größe 🦆 "quoted" \back\slash and ''single''', 'work', 'enqueued', 'default', 0, -3, '2026-01-02T03:04:05.678000Z', '["gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"]', NULL, NULL, NULL, NULL, 0, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, 'v1', '{"customer": "größe 🦆 \"quoted\" \\back\\slash and ''single''", "amount": 12, "rate": 0.5, "vip": true}', '2026-01-02T03:04:05.678000Z', NULL, NULL, 0, NULL);
INSERT INTO workflows VALUES ('parked', 'work', 'parked', 'default', 0, 0, '2026-01-02T03:04:05.678000Z', '["parked"]', NULL, '{}', 'broken', NULL, 1, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:05.678000Z', NULL, 0, NULL);
INSERT INTO workflows VALUES ('running', 'work', 'running', 'default', 0, 0, '2026-01-02T03:04:05.678000Z', '["running"]', NULL, NULL, NULL, 'a', 1, 0, NULL, 1, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:05.678000Z', NULL, 0, NULL);
INSERT INTO workflows VALUES ('success', 'work', 'success', 'default', 0, 0, '2026-01-02T03:04:05.678000Z', '["success"]', '["gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"]', NULL, NULL, NULL, 1, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:05.678000Z', 0, NULL);
INSERT INTO workflows VALUES ('waiting', 'work', 'waiting', 'default', 0, 0, '2026-01-02T03:04:05.678000Z', '["waiting"]', NULL, NULL, NULL, NULL, 1, 0, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, '{}', '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:05.678000Z', NULL, 0, NULL);
INSERT INTO workflow_steps VALUES ('error', '', 1, 'größe 🦆 "quoted" \back\slash and ''single''', 'step', 'success', '"gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"', NULL, NULL, 1, '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:06.678000Z', 1);
INSERT INTO workflow_steps VALUES ('parked', '', 1, 'größe 🦆 "quoted" \back\slash and ''single''', 'step', 'success', '"gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"', NULL, NULL, 1, '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:06.678000Z', 1);
INSERT INTO workflow_steps VALUES ('running', '', 1, 'größe 🦆 "quoted" \back\slash and ''single''', 'step', 'success', '"gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"', NULL, NULL, 1, '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:06.678000Z', 1);
INSERT INTO workflow_steps VALUES ('running', '', 2, 'charge', 'step', 'error', NULL, '{}', 'größe 🦆 "quoted" \back\slash and ''single''', 3, '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:06.678000Z', 1);
INSERT INTO workflow_steps VALUES ('running', '0.1', 1, 'charge', 'step', 'success', '["running", 1, "0.1", 1]', NULL, NULL, 1, '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:06.678000Z', 1);
INSERT INTO workflow_steps VALUES ('success', '', 1, 'größe 🦆 "quoted" \back\slash and ''single''', 'step', 'success', '"gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"', NULL, NULL, 1, '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:06.678000Z', 1);
INSERT INTO workflow_steps VALUES ('waiting', '', 1, 'größe 🦆 "quoted" \back\slash and ''single''', 'step', 'success', '"gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"', NULL, NULL, 1, '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:06.678000Z', 1);
INSERT INTO waits VALUES ('running', '', 3, 'sleep', '2026-01-02T03:04:05.678000Z', 1);
INSERT INTO waits VALUES ('waiting', '', 2, 'sleep', '2026-01-02T03:04:05.678000Z', 1);
INSERT INTO workers VALUES ('a', 'host', 1, 'v1', '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:05.678000Z', 0, '2026-01-02T03:04:05.678000Z', '{"names": ["work", "größe 🦆 \"quoted\" \\back\\slash and ''single''"], "queues": ["default"]}');
INSERT INTO workers VALUES ('b', 'host', 1, NULL, '2026-01-02T03:04:05.678000Z', '2026-01-02T03:04:05.678000Z', 0, NULL, '{"names": ["work"], "queues": ["default"]}');
INSERT INTO definitions VALUES ('größe 🦆 "quoted" \back\slash and ''single''');
INSERT INTO definitions VALUES ('work');
INSERT INTO messages VALUES ('delayed', 'm', 'news', '"gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"', 'somebody', 1, '2026-01-02T03:04:05.678000Z', NULL, NULL);
INSERT INTO subscriptions VALUES ('delayed', 'running');
INSERT INTO wakeups (workflow_id, n, fan) VALUES ('delayed', 1, 0);
INSERT INTO wakeups (workflow_id, n, fan) VALUES ('running', 1, 0);
INSERT INTO stream_items VALUES ('running', 'log', 4294967296, '', 1, '"gr\u00f6\u00dfe \ud83e\udd86 \"quoted\" \\back\\slash and ''single''"', 0, 1);
INSERT INTO stream_items VALUES ('running', 'log', 4294967301, '0.1:1', 65539, '4294967301', 0, 1);
INSERT INTO stream_items VALUES ('success', 'größe 🦆 "quoted" \back\slash and ''single''', 1, '', 1, NULL, 1, 1);
