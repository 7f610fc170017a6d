CREATE MATERIALIZED VIEW IF NOT EXISTS gold.event_metrics
  REFRESH POLICY FULL WITH (refresh_interval = '2 s') AS
  SELECT event_date AS metric_date, event_hour AS metric_hour, event_type, app_type,
         count(*) AS total_events,
         count(DISTINCT user_id) AS unique_users,
         min(event_value) AS min_value,
         max(event_value) AS max_value,
         avg(event_value) AS avg_value
    FROM silver.app_events
   GROUP BY event_date, event_hour, event_type, app_type;
