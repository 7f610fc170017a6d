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
