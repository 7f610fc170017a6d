-- The travel-booking platform: schemas and topics.
-- Partitions, replication and retention as the platform's owners run them; on one node the
-- replication factor is clamped to 1 and the statement says so.

CREATE SCHEMA IF NOT EXISTS bronze;
CREATE SCHEMA IF NOT EXISTS silver;
CREATE SCHEMA IF NOT EXISTS gold;
CREATE SCHEMA IF NOT EXISTS ops;

-- What people do in the mobile app, on the web site and in the booking system.
CREATE TOPIC IF NOT EXISTS topic_app_events (
    event_id text,
    event_type text,
    user_id text,
    session_id text,
    app_type text,
    "timestamp" timestamptz,
    properties jsonb)
  KEY (user_id) FORMAT PLAIN ENCODE JSON
  WITH (partitions = 6, replication = 3, retention = '1 day');

-- Row changes of the booking database.
CREATE TOPIC IF NOT EXISTS topic_cdc_changes (
    change_id text,
    table_name text,
    operation text,
    primary_key jsonb,
    before_values jsonb,
    after_values jsonb,
    "timestamp" timestamptz,
    source_database text,
    debezium_metadata jsonb)
  FORMAT PLAIN ENCODE JSON
  WITH (partitions = 4, replication = 3, retention = '7 days');

CREATE TOPIC IF NOT EXISTS topic_clickstream (
    click_id text,
    user_id text,
    session_id text,
    page_url text,
    element_id text,
    x_coordinate integer,
    y_coordinate integer,
    "timestamp" timestamptz,
    device_type text)
  KEY (user_id) FORMAT PLAIN ENCODE JSON
  WITH (partitions = 8, replication = 3, retention = '3 days');

CREATE TOPIC IF NOT EXISTS topic_app_logs (
    log_id text,
    service text,
    level text,
    message text,
    stack_trace text,
    duration_ms double precision,
    "timestamp" timestamptz)
  FORMAT PLAIN ENCODE JSON
  WITH (partitions = 4, replication = 2, retention = '2 days');

-- Weather, markets, social media, travel trends.
CREATE TOPIC IF NOT EXISTS topic_external_data (
    external_data_id text,
    source text,
    source_type text,
    "timestamp" timestamptz,
    data jsonb)
  KEY (external_data_id) FORMAT PLAIN ENCODE JSON
  WITH (partitions = 3, replication = 2, retention = '30 days');

-- Output of streaming jobs, and the two compacted state topics.
CREATE TOPIC IF NOT EXISTS topic_processed_events (
    job text,
    window_start timestamptz,
    window_end timestamptz,
    dims jsonb,
    metrics jsonb)
  FORMAT PLAIN ENCODE JSON
  WITH (partitions = 6, replication = 3, retention = '7 days');

CREATE TOPIC IF NOT EXISTS topic_user_state (user_id text, state jsonb)
  KEY (user_id) FORMAT PLAIN ENCODE JSON
  WITH (partitions = 6, replication = 3, cleanup = 'compact');

CREATE TOPIC IF NOT EXISTS topic_booking_state (booking_id text, state jsonb)
  KEY (booking_id) FORMAT PLAIN ENCODE JSON
  WITH (partitions = 6, replication = 3, cleanup = 'compact');
