-- A file as tequio 0.1.0 made it: the schema to the letter, and two jobs of inputs.
CREATE TABLE meta (epoch INTEGER NOT NULL) STRICT;
INSERT INTO meta (epoch) VALUES (0);

CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    op TEXT NOT NULL,
    priority INTEGER NOT NULL,
    grid TEXT,
    total INTEGER NOT NULL,
    is_open INTEGER NOT NULL CHECK (is_open IN (0, 1)),
    state TEXT NOT NULL
        CHECK (state IN ('draft', 'running', 'paused', 'done', 'cancelled')),
    submitted_at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE input (
    job INTEGER NOT NULL REFERENCES job (id),
    first INTEGER NOT NULL CHECK (first >= 0),
    count INTEGER NOT NULL CHECK (count > 0),
    inputs TEXT NOT NULL,
    UNIQUE (job, first)
) STRICT;

CREATE TABLE outcome (
    job INTEGER NOT NULL REFERENCES job (id),
    first INTEGER NOT NULL CHECK (first >= 0),
    count INTEGER NOT NULL CHECK (count > 0),
    failed INTEGER NOT NULL CHECK (failed BETWEEN 0 AND count),
    duration_ms REAL,
    worker INTEGER NOT NULL,
    agent TEXT NOT NULL,
    recorded_at_ms INTEGER NOT NULL,
    outcomes TEXT NOT NULL,
    UNIQUE (job, first)
) STRICT;
CREATE INDEX outcome_extent ON outcome (job, first, count, failed);

PRAGMA application_id = 1415934325;
PRAGMA user_version = 1;

INSERT INTO job (name, op, priority, grid, total, is_open, state, submitted_at_ms)
VALUES ('closed', 'repeat_multiply', 0, NULL, 3, 0, 'running', 1),
       ('open', 'repeat_multiply', 0, NULL, 2, 1, 'running', 2);
INSERT INTO input (job, first, count, inputs)
VALUES (1, 0, 3, '[{"initial":1.0,"factor":1.5,"times":1},{"initial":1.0,"factor":1.5,"times":2},{"initial":1.0,"factor":1.5,"times":3}]'),
       (2, 0, 2, '[{"initial":1.0,"factor":1.5,"times":1},{"initial":1.0,"factor":1.5,"times":2}]');
INSERT INTO outcome (job, first, count, failed, duration_ms, worker, agent, recorded_at_ms, outcomes)
VALUES (1, 0, 2, 0, 1.5, 1, 'Test/1.0', 3, '[1.5,2.25]');
