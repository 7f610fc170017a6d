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
