// Made by scripts/embed-travel.sh from data/travel/*.sql. Do not edit.

/// The declarations of the travel platform, in the order in which they must run.
package let travelScripts: [(name: String, sql: String)] = [
    (
        "01-topics.sql",
        #"""
        -- The travel-booking platform: schemas and topics.
        -- Partitions, replication and retention as the platform's owners run them; on one node the
        -- replication factor is clamped to 1 and the statement says so.

        CREATE SCHEMA IF NOT EXISTS bronze;
        CREATE SCHEMA IF NOT EXISTS silver;
        CREATE SCHEMA IF NOT EXISTS gold;
        CREATE SCHEMA IF NOT EXISTS ops;

        -- What people do in the mobile app, on the web site and in the booking system.
        CREATE TOPIC IF NOT EXISTS topic_app_events (
            event_id text,
            event_type text,
            user_id text,
            session_id text,
            app_type text,
            "timestamp" timestamptz,
            properties jsonb)
          KEY (user_id) FORMAT PLAIN ENCODE JSON
          WITH (partitions = 6, replication = 3, retention = '1 day');

        -- Row changes of the booking database.
        CREATE TOPIC IF NOT EXISTS topic_cdc_changes (
            change_id text,
            table_name text,
            operation text,
            primary_key jsonb,
            before_values jsonb,
            after_values jsonb,
            "timestamp" timestamptz,
            source_database text,
            debezium_metadata jsonb)
          FORMAT PLAIN ENCODE JSON
          WITH (partitions = 4, replication = 3, retention = '7 days');

        CREATE TOPIC IF NOT EXISTS topic_clickstream (
            click_id text,
            user_id text,
            session_id text,
            page_url text,
            element_id text,
            x_coordinate integer,
            y_coordinate integer,
            "timestamp" timestamptz,
            device_type text)
          KEY (user_id) FORMAT PLAIN ENCODE JSON
          WITH (partitions = 8, replication = 3, retention = '3 days');

        CREATE TOPIC IF NOT EXISTS topic_app_logs (
            log_id text,
            service text,
            level text,
            message text,
            stack_trace text,
            duration_ms double precision,
            "timestamp" timestamptz)
          FORMAT PLAIN ENCODE JSON
          WITH (partitions = 4, replication = 2, retention = '2 days');

        -- Weather, markets, social media, travel trends.
        CREATE TOPIC IF NOT EXISTS topic_external_data (
            external_data_id text,
            source text,
            source_type text,
            "timestamp" timestamptz,
            data jsonb)
          KEY (external_data_id) FORMAT PLAIN ENCODE JSON
          WITH (partitions = 3, replication = 2, retention = '30 days');

        -- Output of streaming jobs, and the two compacted state topics.
        CREATE TOPIC IF NOT EXISTS topic_processed_events (
            job text,
            window_start timestamptz,
            window_end timestamptz,
            dims jsonb,
            metrics jsonb)
          FORMAT PLAIN ENCODE JSON
          WITH (partitions = 6, replication = 3, retention = '7 days');

        CREATE TOPIC IF NOT EXISTS topic_user_state (user_id text, state jsonb)
          KEY (user_id) FORMAT PLAIN ENCODE JSON
          WITH (partitions = 6, replication = 3, cleanup = 'compact');

        CREATE TOPIC IF NOT EXISTS topic_booking_state (booking_id text, state jsonb)
          KEY (booking_id) FORMAT PLAIN ENCODE JSON
          WITH (partitions = 6, replication = 3, cleanup = 'compact');
        """#
    ),
    (
        "02-bronze.sql",
        #"""
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
        """#
    ),
    (
        "03-silver.sql",
        #"""
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
        """#
    ),
    (
        "04-gold.sql",
        #"""
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
        """#
    ),
]
