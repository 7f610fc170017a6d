CREATE MATERIALIZED VIEW IF NOT EXISTS silver.app_events
  REFRESH POLICY FULL WITH (refresh_interval = '2 s') AS
  SELECT DISTINCT ON (event_id) event_id, event_type, user_id, session_id, app_type,
         event_timestamp, event_date,
         extract(hour FROM event_timestamp)::integer AS event_hour,
         properties->>'page' AS page,
         properties->>'destination' AS destination,
         (properties->>'price')::numeric(12,2) AS event_value
    FROM bronze.app_events
   WHERE event_id IS NOT NULL AND user_id IS NOT NULL
   ORDER BY event_id, load_timestamp, _partition, _offset;
