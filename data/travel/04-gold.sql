-- Gold: what dashboards and people ask for.

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

CREATE MATERIALIZED VIEW IF NOT EXISTS gold.daily_summary
  REFRESH POLICY FULL WITH (refresh_interval = '5 s') AS
  SELECT d.day, d.total_users, coalesce(n.new_users, 0) AS new_users,
         100.0 * (d.total_users - coalesce(n.new_users, 0)) / d.total_users AS return_user_pct,
         s.bounce_rate, s.avg_session_seconds
    FROM (SELECT event_date AS day, count(DISTINCT user_id) AS total_users
            FROM silver.app_events GROUP BY event_date) AS d
    LEFT JOIN (SELECT first_seen::date AS day, count(*) AS new_users
                 FROM silver.users GROUP BY first_seen::date) AS n USING (day)
    LEFT JOIN (SELECT session_start::date AS day,
                      avg(CASE WHEN bounced THEN 1.0 ELSE 0.0 END) AS bounce_rate,
                      avg(duration_seconds) AS avg_session_seconds
                 FROM silver.clickstream_sessions GROUP BY session_start::date) AS s USING (day);

CREATE MATERIALIZED VIEW IF NOT EXISTS gold.hourly_metrics
  REFRESH POLICY FULL WITH (refresh_interval = '5 s') AS
  SELECT date_trunc('hour', log_timestamp) AS hour, service,
         avg(duration_ms) AS avg_response_ms,
         max(duration_ms) AS max_response_ms,
         count(*) FILTER (WHERE level IN ('ERROR', 'FATAL')) AS errors,
         count(*) AS lines,
         CASE WHEN count(*) FILTER (WHERE level IN ('ERROR', 'FATAL')) * 20 > count(*)
              THEN 'degraded' ELSE 'healthy' END AS health
    FROM bronze.app_logs
   GROUP BY date_trunc('hour', log_timestamp), service;

CREATE MATERIALIZED VIEW IF NOT EXISTS gold.user_segments
  REFRESH POLICY FULL WITH (refresh_interval = '5 s') AS
  SELECT user_id, score AS engagement_score,
         CASE WHEN score >= 80 AND total_value > 0 THEN 'VIP'
              WHEN score >= 40 THEN 'Active'
              WHEN last_seen >= now() - INTERVAL '30 days' THEN 'Regular'
              ELSE 'Inactive' END AS segment,
         least(1.0, extract(epoch FROM now() - last_seen)::double precision / (30 * 86400))
           AS churn_risk,
         CASE WHEN last_seen < now() - INTERVAL '30 days' THEN 'win-back mail'
              WHEN score >= 80 THEN 'loyalty offer'
              ELSE 'none' END AS recommended_action
    FROM (SELECT user_id, last_seen, total_value,
                 least(100, total_events * 2 + total_sessions * 5) AS score
            FROM silver.users) AS u;

CREATE MATERIALIZED VIEW IF NOT EXISTS gold.external_sources
  REFRESH POLICY FULL WITH (refresh_interval = '5 s') AS
  SELECT source, source_type, count(*) AS observations, max(observed_at) AS last_observed
    FROM bronze.external_data
   GROUP BY source, source_type;

CREATE MATERIALIZED VIEW IF NOT EXISTS gold.cdc_operations
  REFRESH POLICY FULL WITH (refresh_interval = '5 s') AS
  SELECT table_name, operation, count(*) AS changes,
         count(*) FILTER (WHERE after_values IS NULL) AS without_after
    FROM bronze.cdc_changes
   GROUP BY table_name, operation;

-- The names that the platform's owners use.
CREATE VIEW IF NOT EXISTS ops.app_events_bronze AS SELECT * FROM bronze.app_events;
CREATE VIEW IF NOT EXISTS ops.event_metrics_gold AS SELECT * FROM gold.event_metrics;
