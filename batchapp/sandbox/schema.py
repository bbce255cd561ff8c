"""The database tables of the sandbox."""

SCHEMA = """
-- An uploaded file, or one of the two virtual files of a batch.
CREATE TABLE IF NOT EXISTS files (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    purpose TEXT NOT NULL,               -- batch | batch_output | batch_error
    batch INTEGER,                       -- of a virtual file
    filename TEXT NOT NULL,
    bytes INTEGER NOT NULL,              -- as uploaded, before fields were stripped
    created_at REAL NOT NULL,
    expires_at REAL,
    state TEXT NOT NULL                  -- receiving | ready | deleted
);
CREATE INDEX IF NOT EXISTS files_by_owner ON files (owner, pk);

-- The position of each line in an uploaded file, and the planned outcome of its request.
CREATE TABLE IF NOT EXISTS lines (
    file INTEGER NOT NULL,
    number INTEGER NOT NULL,             -- from 1, blank lines not counted
    offset INTEGER NOT NULL,
    length INTEGER NOT NULL,
    custom_id TEXT NOT NULL,
    model TEXT NOT NULL,
    first_status INTEGER NOT NULL,       -- HTTP status of the first attempt, 0 for a timeout
    later_status INTEGER NOT NULL,       -- HTTP status of every retry
    is_slow INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    PRIMARY KEY (file, number)
) WITHOUT ROWID;

-- The cache markers of the lines that have any.
CREATE TABLE IF NOT EXISTS marked_prompts (
    file INTEGER NOT NULL,
    line INTEGER NOT NULL,
    error TEXT NOT NULL,                 -- why the markers are invalid, or empty
    prompt TEXT NOT NULL,                -- positions, lifetimes and digests, as JSON
    PRIMARY KEY (file, line)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS file_models (
    file INTEGER NOT NULL,
    model TEXT NOT NULL,
    requests INTEGER NOT NULL,
    body_bytes INTEGER NOT NULL,
    PRIMARY KEY (file, model)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS file_models_by_model ON file_models (model, file);

-- Every batch that was ever created, including deleted ones.
CREATE TABLE IF NOT EXISTS batches (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    file INTEGER NOT NULL,
    output_file_id TEXT,
    error_file_id TEXT,
    endpoint TEXT NOT NULL,
    completion_window TEXT NOT NULL,
    metadata TEXT NOT NULL,
    has_credit INTEGER NOT NULL,
    created_at REAL NOT NULL,
    populated_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    settled_at REAL NOT NULL,            -- when the last request settles
    finalized_at REAL,                   -- when the end was first reported
    cancelled_at REAL,
    deleted_at REAL,
    total INTEGER NOT NULL,
    failing INTEGER NOT NULL             -- how many will have failed once all have settled
);
CREATE INDEX IF NOT EXISTS batches_by_owner ON batches (owner, pk);
CREATE INDEX IF NOT EXISTS batches_by_file ON batches (file);

CREATE TABLE IF NOT EXISTS requests (
    batch INTEGER NOT NULL,
    line INTEGER NOT NULL,
    status INTEGER NOT NULL,             -- HTTP status, 0 for a timeout, 1 for an invalid marker
    has_failed INTEGER NOT NULL,
    settles_at REAL,                     -- NULL if cancelled
    PRIMARY KEY (batch, line)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS requests_by_outcome
    ON requests (batch, has_failed, settles_at, line);

-- The input tokens of a request that its model read from the prompt cache, and wrote to it for
-- each lifetime. Requests whose model had no cache have no row.
CREATE TABLE IF NOT EXISTS cached_tokens (
    batch INTEGER NOT NULL,
    line INTEGER NOT NULL,
    cache_read INTEGER NOT NULL,
    cache_5m INTEGER NOT NULL,
    cache_1h INTEGER NOT NULL,
    cache_24h INTEGER NOT NULL,
    PRIMARY KEY (batch, line)
) WITHOUT ROWID;

-- The multipliers of the input price at the creation of a batch, as decimal texts.
CREATE TABLE IF NOT EXISTS batch_cache_tariffs (
    batch INTEGER NOT NULL,
    model TEXT NOT NULL,
    write_5m TEXT NOT NULL,
    write_1h TEXT NOT NULL,
    write_24h TEXT NOT NULL,
    read TEXT NOT NULL,
    PRIMARY KEY (batch, model)
) WITHOUT ROWID;

-- The requests that wrote or read a marked prompt; the latest that has ended decides how long the
-- prompt is kept. Requests that end at the same time share a row.
CREATE TABLE IF NOT EXISTS cache_uses (
    owner TEXT NOT NULL,
    model TEXT NOT NULL,
    digest TEXT NOT NULL,
    ends_at REAL NOT NULL,
    expires_at REAL NOT NULL,
    ttl TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    PRIMARY KEY (owner, model, digest, ends_at)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS cache_uses_by_batch ON cache_uses (batch, ends_at);

-- The fault rules; rules in a key are added at the first call that they match.
CREATE TABLE IF NOT EXISTS faults (
    id TEXT PRIMARY KEY,
    source TEXT NOT NULL,                -- options | request | key
    rule TEXT NOT NULL,
    added_at REAL NOT NULL,
    calls INTEGER NOT NULL DEFAULT 0,    -- calls that matched the active rule
    struck INTEGER NOT NULL DEFAULT 0    -- calls to which the fault was applied
) WITHOUT ROWID;

-- Objects to which a fault was applied that happens once per object.
CREATE TABLE IF NOT EXISTS fault_marks (
    fault TEXT NOT NULL,
    what TEXT NOT NULL,
    PRIMARY KEY (fault, what)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS webhooks (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    user TEXT NOT NULL,                  -- account of the platform key, which manages the webhook
    owner TEXT NOT NULL,                 -- account of the inference key that owns the batches
    rules TEXT NOT NULL,                 -- fault rules for deliveries in the key, as JSON
    url TEXT NOT NULL,
    event_types TEXT,                    -- a JSON list; NULL for all
    description TEXT,
    secret TEXT NOT NULL,
    is_enabled INTEGER NOT NULL,
    failures INTEGER NOT NULL,           -- attempts since the last success
    created_at REAL NOT NULL
);

-- One event for one webhook; a retried batch has another event at its next end.
CREATE TABLE IF NOT EXISTS webhook_events (
    pk INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    webhook INTEGER NOT NULL,
    batch INTEGER NOT NULL,
    settled_at REAL NOT NULL,
    body TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at REAL,                         -- next attempt; NULL if there is none
    is_held INTEGER NOT NULL DEFAULT 0,  -- waits until a later event was delivered
    delivered_at REAL,
    UNIQUE (webhook, batch, settled_at)
);

-- A response that was asked for in the background, and is ready later.
CREATE TABLE IF NOT EXISTS responses (
    id TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    model TEXT NOT NULL,
    service_tier TEXT NOT NULL,
    content BLOB NOT NULL,
    ready_at REAL NOT NULL
) WITHOUT ROWID;
"""
