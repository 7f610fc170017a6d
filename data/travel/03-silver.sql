-- Silver: cleaned, one row for each event, typed.

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

CREATE MATERIALIZED VIEW IF NOT EXISTS silver.clickstream_sessions
  REFRESH POLICY FULL WITH (refresh_interval = '2 s') AS
  SELECT session_id, user_id,
         min(click_timestamp) AS session_start,
         max(click_timestamp) AS session_end,
         extract(epoch FROM max(click_timestamp) - min(click_timestamp))::double precision
           AS duration_seconds,
         count(*) AS clicks,
         count(DISTINCT page_url) AS pages,
         count(*) = 1 AS bounced,
         min(device_type) AS device_type
    FROM bronze.clickstream
   GROUP BY session_id, user_id;

CREATE MATERIALIZED VIEW IF NOT EXISTS silver.users
  REFRESH POLICY FULL WITH (refresh_interval = '2 s') AS
  SELECT user_id,
         min(event_timestamp) AS first_seen,
         max(event_timestamp) AS last_seen,
         count(*) AS total_events,
         count(DISTINCT session_id) AS total_sessions,
         coalesce(sum(event_value), 0) AS total_value
    FROM silver.app_events
   GROUP BY user_id;

CREATE MATERIALIZED VIEW IF NOT EXISTS silver.bookings
  REFRESH POLICY FULL WITH (refresh_interval = '2 s') AS
  SELECT DISTINCT ON (booking_id) booking_id, status, user_id, price, change_timestamp
    FROM (SELECT primary_key->>'id' AS booking_id,
                 after_values->>'status' AS status,
                 after_values->>'user_id' AS user_id,
                 (after_values->>'price')::numeric(12,2) AS price,
                 change_timestamp, _partition, _offset
            FROM bronze.cdc_changes
           WHERE table_name = 'public.bookings' AND operation <> 'DELETE') AS changes
   ORDER BY booking_id, change_timestamp DESC, _partition, _offset DESC;
