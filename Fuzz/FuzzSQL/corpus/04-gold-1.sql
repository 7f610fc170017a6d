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
