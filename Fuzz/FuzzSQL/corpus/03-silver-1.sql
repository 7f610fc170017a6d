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
