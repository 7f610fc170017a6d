-- Bronze: every record of a topic as a row, exactly once, with where it came from.
-- Rows that break a rule are counted and kept: bronze loses nothing.

CREATE STREAMING TABLE IF NOT EXISTS bronze.app_events (
    CONSTRAINT has_id EXPECT (event_id IS NOT NULL AND event_timestamp IS NOT NULL),
    CONSTRAINT has_user EXPECT (user_id IS NOT NULL),
    CONSTRAINT known_app EXPECT (app_type IN ('mobile', 'web', 'booking')))
  PARTITIONED BY (event_date)
  WITH (commit_interval = '1 s')
  AS SELECT e.event_id, e.event_type, e.user_id, e.session_id, e.app_type,
       e."timestamp" AS event_timestamp, e.properties,
       (e."timestamp" AT TIME ZONE 'UTC')::date AS event_date,
       now() AS load_timestamp, 'topic_app_events' AS source_system,
       e._partition, e._offset
     FROM STREAM(topic_app_events) AS e;

CREATE STREAMING TABLE IF NOT EXISTS bronze.clickstream (
    CONSTRAINT on_page EXPECT (x_coordinate BETWEEN 0 AND 20000 AND y_coordinate BETWEEN 0 AND 200000))
  PARTITIONED BY (click_date)
  WITH (commit_interval = '1 s')
  AS SELECT c.click_id, c.user_id, c.session_id, c.page_url, c.element_id, c.x_coordinate,
       c.y_coordinate, c."timestamp" AS click_timestamp, c.device_type,
       (c."timestamp" AT TIME ZONE 'UTC')::date AS click_date,
       now() AS load_timestamp, 'topic_clickstream' AS source_system,
       c._partition, c._offset
     FROM STREAM(topic_clickstream) AS c;

CREATE STREAMING TABLE IF NOT EXISTS bronze.cdc_changes (
    CONSTRAINT known_operation EXPECT (operation IN ('INSERT', 'UPDATE', 'DELETE')))
  PARTITIONED BY (change_date)
  WITH (commit_interval = '1 s')
  AS SELECT c.change_id, c.table_name, c.operation, c.primary_key, c.before_values,
       c.after_values, c."timestamp" AS change_timestamp, c.source_database,
       c.debezium_metadata,
       (c."timestamp" AT TIME ZONE 'UTC')::date AS change_date,
       now() AS load_timestamp, 'topic_cdc_changes' AS source_system,
       c._partition, c._offset
     FROM STREAM(topic_cdc_changes) AS c;

CREATE STREAMING TABLE IF NOT EXISTS bronze.app_logs (
    CONSTRAINT known_level EXPECT (level IN ('DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL')))
  WITH (commit_interval = '1 s')
  AS SELECT l.log_id, l.service, l.level, l.message, l.stack_trace, l.duration_ms,
       l."timestamp" AS log_timestamp,
       now() AS load_timestamp, 'topic_app_logs' AS source_system,
       l._partition, l._offset
     FROM STREAM(topic_app_logs) AS l;

CREATE STREAMING TABLE IF NOT EXISTS bronze.external_data (
    CONSTRAINT has_source EXPECT (source IS NOT NULL AND data IS NOT NULL))
  WITH (commit_interval = '1 s')
  AS SELECT x.external_data_id, x.source, x.source_type, x."timestamp" AS observed_at, x.data,
       now() AS load_timestamp, 'topic_external_data' AS source_system,
       x._partition, x._offset
     FROM STREAM(topic_external_data) AS x;
