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
