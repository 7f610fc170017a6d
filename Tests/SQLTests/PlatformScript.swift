/// A whole platform in the dialect: topics, gateway, change capture, bronze, silver, gold, windows,
/// scheduled work, quality. Everything must parse; what is not built must say so.
let platformScript = #"""
    -- 1 · names, secrets, connections
    CREATE SCHEMA bronze;  CREATE SCHEMA silver;  CREATE SCHEMA gold;  CREATE SCHEMA ops;
    CREATE SECRET pg_pw AS ENV 'TRAVEL_PG_PASSWORD';
    CREATE CONNECTION travel TO POSTGRES (HOST 'pg', DATABASE 'travel_booking', USER 'cdc',
        PASSWORD SECRET pg_pw, SSLMODE 'verify-full');
    CREATE CONNECTION orders_db TO POSTGRES (HOST 'pg2', DATABASE 'food', USER 'reader', PASSWORD
        SECRET pg_pw);

    -- 2 · the eight topics (+ users, orders)
    CREATE TOPIC topic_app_events (event_id uuid, event_type text, user_id text, session_id text,
        app_type text,
      "timestamp" timestamptz, properties jsonb, WATERMARK FOR "timestamp" AS "timestamp" -
          INTERVAL '10 minutes')
      KEY (user_id) FORMAT PLAIN ENCODE AVRO WITH (partitions = 6, replication = 3, retention =
          '1 day', compression = 'snappy');
    CREATE TOPIC topic_cdc_changes (change_id uuid, table_name text, operation text, primary_key
        jsonb, before_values jsonb,
      after_values jsonb, "timestamp" timestamptz, source_database text, debezium_metadata jsonb,
          lsn pg_lsn, seq int)
      KEY (table_name, primary_key) FORMAT PLAIN ENCODE AVRO WITH (partitions = 4, replication =
          3, retention = '7 days');
    CREATE TOPIC topic_clickstream (click_id uuid, user_id text, session_id text, page_url text,
        element_id text, x_coordinate int,
      y_coordinate int, "timestamp" timestamptz, device_type text, WATERMARK FOR "timestamp" AS
          "timestamp" - INTERVAL '10 minutes')
      KEY (user_id) FORMAT PLAIN ENCODE AVRO WITH (partitions = 8, replication = 3, retention =
          '3 days');
    CREATE TOPIC topic_app_logs (log_id uuid, service text, level text, message text, stack_trace
        text, duration_ms float8,
      "timestamp" timestamptz) FORMAT PLAIN ENCODE AVRO WITH (partitions = 4, replication = 2,
          retention = '2 days');
    CREATE TOPIC topic_external_data (external_data_id text, source text, source_type text,
        "timestamp" timestamptz, data jsonb)
      KEY (external_data_id) FORMAT PLAIN ENCODE JSON WITH (partitions = 3, replication = 2,
          retention = '30 days');
    CREATE TOPIC topic_processed_events (job text, window_start timestamptz, window_end
        timestamptz, dims jsonb, metrics jsonb)
      FORMAT PLAIN ENCODE JSON WITH (partitions = 6, replication = 3, retention = '7 days');
    CREATE TOPIC topic_user_state    KEY (user_id)    FORMAT UPSERT ENCODE AVRO WITH (partitions
        = 6, replication = 3, cleanup = 'compact');
    CREATE TOPIC topic_booking_state KEY (booking_id) FORMAT UPSERT ENCODE AVRO WITH (partitions
        = 6, replication = 3, cleanup = 'compact');
    CREATE TOPIC users_topic (raw jsonb) FORMAT PLAIN ENCODE JSON WITH (partitions = 3, retention
        = '24 hours');
    CREATE TOPIC food_orders_raw (order_id bigint, customer_name text, restaurant_name text, item
        text, amount numeric(12,2),
      order_status text, created_at timestamptz) FORMAT PLAIN ENCODE JSON WITH (partitions = 3);

    -- 3 · event gateway
    CREATE SOURCE gw_user WITH (connector = 'webhook', path = '/events/user', acks = 'all') INTO
        topic_app_events
      VALIDATE (body ? 'user_id' AND body->>'event_type' IN
          ('app_open','page_view','click','search','filter_applied','booking_view','click_cta'))
      AS SELECT coalesce((body->>'event_id')::uuid, gen_random_uuid()) AS event_id,
          body->>'event_type' AS event_type,
           body->>'user_id' AS user_id, body->>'session_id' AS session_id,
           coalesce(body->>'app_type','web') AS app_type,
           coalesce((body->>'timestamp')::timestamptz, received_at) AS "timestamp",
           body->'properties' AS properties FROM request;
    CREATE SOURCE gw_booking (LIKE gw_user) WITH (path = '/events/booking')
      VALIDATE (body->>'event_type' IN
          ('booking_created','booking_updated','payment_completed','booking_cancelled'));
    CREATE SOURCE gw_batch (LIKE gw_user) WITH (path = '/events/batch', body = 'array', max_rows
        = 1000) VALIDATE (body ? 'event_type');

    -- 4 · PostgreSQL CDC into the log, then tables
    CREATE SOURCE travel_cdc WITH (connector = 'postgres-cdc', connection = travel, slot =
        'weir_travel', slot_failover = true,
      publication = 'cdc_publication', snapshot = 'initial', heartbeat = '10 s', max_slot_lag =
          '8 GiB') INTO topic_cdc_changes;
    CREATE SOURCE orders_poll WITH (connector = 'postgres-poll', connection = orders_db,
        poll_interval = '5 s', cursor = '(created_at, order_id)',
      batch_limit = 1000) INTO food_orders_raw AS SELECT * FROM "2025em1100102_orders";
    CREATE TABLE bronze.users    (id text PRIMARY KEY, name text, email text, created_at
        timestamptz, updated_at timestamptz);
    CREATE TABLE bronze.bookings (id text PRIMARY KEY, user_id text, status text, price
        numeric(12,2), created_at timestamptz, updated_at timestamptz);
    CREATE TABLE bronze.payments (id text PRIMARY KEY, booking_id text, amount numeric(12,2),
        status text, created_at timestamptz);
    CREATE FLOW bookings_cdc AS AUTO CDC INTO bronze.bookings FROM STREAM(topic_cdc_changes)
        WHERE table_name = 'public.bookings'
      KEYS (id) ROW jsonb_populate_record(NULL::bronze.bookings, coalesce(after_values,
          before_values) || primary_key)
      APPLY AS DELETE WHEN operation = 'DELETE' SEQUENCE BY (lsn, seq) STORED AS SCD TYPE 1;

    -- 5 · bronze: append-only streaming tables
    CREATE STREAMING TABLE ops.dead_letter (at timestamptz, target text, rule text, source_topic
        text, "partition" int, "offset" bigint, row jsonb)
      WITH (retention = '30 days');
    CREATE STREAMING TABLE bronze.app_events (
        CONSTRAINT has_id   EXPECT (event_id IS NOT NULL AND "timestamp" IS NOT NULL) ON
        VIOLATION QUARANTINE INTO ops.dead_letter,
        CONSTRAINT has_user EXPECT (user_id IS NOT NULL),
        CONSTRAINT sane_ts  EXPECT ("timestamp" < now() + INTERVAL '1 day') ON VIOLATION DROP ROW)
      PARTITIONED BY (event_date) WITH (commit_interval = '10 s', retention = '90 days',
          time_travel = '30 days', late = 'quarantine')
      AS SELECT e.*, e."timestamp" AS event_timestamp, (e."timestamp" AT TIME ZONE 'UTC')::date
          AS event_date, now() AS load_timestamp,
           'topic_app_events' AS source_system, _partition, _offset FROM STREAM(topic_app_events)
           AS e;
    CREATE STREAMING TABLE bronze.clickstream (CONSTRAINT xy EXPECT (x_coordinate BETWEEN 0 AND
        20000 AND y_coordinate BETWEEN 0 AND 200000))
      PARTITIONED BY (click_date) AS SELECT c.*, c."timestamp" AS click_timestamp, (c."timestamp"
          AT TIME ZONE 'UTC')::date AS click_date,
      now() AS load_timestamp, 'topic_clickstream' AS source_system FROM
          STREAM(topic_clickstream) AS c;
    CREATE STREAMING TABLE bronze.cdc_changes PARTITIONED BY (change_date)
      AS SELECT c.*, (c."timestamp" AT TIME ZONE 'UTC')::date AS change_date FROM
          STREAM(topic_cdc_changes) AS c;
    CREATE STREAMING TABLE bronze.app_logs      AS SELECT * FROM STREAM(topic_app_logs);
    CREATE STREAMING TABLE bronze.external_data AS SELECT * FROM STREAM(topic_external_data);
    CREATE STREAMING TABLE bronze.orders PARTITIONED BY (date) WITH (layout = 'hive')
      AS SELECT o.*, to_char(created_at, 'YYYY-MM-DD') AS date,
           CASE WHEN order_id IS NOT NULL AND amount > 0 AND customer_name <> '' AND
           restaurant_name <> '' AND item <> '' AND order_status <> ''
                THEN 'SUCCESS' ELSE 'FAILED' END AS validation_status FROM
                STREAM(food_orders_raw) AS o;
    CREATE VIEW silver.orders AS SELECT * FROM bronze.orders WHERE validation_status = 'SUCCESS';

    -- 6 · silver
    CREATE STREAMING TABLE silver.app_events (CONSTRAINT known EXPECT (app_type IN
        ('mobile','web','booking')) ON VIOLATION FAIL UPDATE)
      CLUSTER BY (user_id, event_timestamp)
      AS SELECT DISTINCT ON (event_id, event_timestamp) event_id, event_type, user_id,
          session_id, app_type, event_timestamp, event_date,
           extract(hour FROM event_timestamp)::int AS event_hour, (properties->>'price')::numeric
           AS event_value, properties
         FROM STREAM(bronze.app_events) ORDER BY event_id, event_timestamp, load_timestamp;
    CREATE MATERIALIZED VIEW silver.clickstream_sessions AS
      SELECT user_id, window_start AS session_start, max(click_timestamp) AS session_end,
          max(click_timestamp) - min(click_timestamp) AS duration,
             count(*) AS clicks, count(DISTINCT page_url) AS pages, array_agg(page_url ORDER BY
             click_timestamp) AS page_sequence,
             count(*) = 1 AS bounced, (array_agg(device_type ORDER BY click_timestamp))[1] AS
             device_type
      FROM SESSION(bronze.clickstream, click_timestamp, user_id, INTERVAL '30 minutes') GROUP BY
          user_id, window_start, window_end;
    CREATE MATERIALIZED VIEW silver.users AS
      SELECT e.user_id, min(u.name) AS name, min(e.event_timestamp) AS first_seen,
          max(e.event_timestamp) AS last_seen,
             count(*) AS total_events, count(DISTINCT e.session_id) AS total_sessions,
             coalesce(sum(e.event_value), 0) AS total_value
      FROM silver.app_events e LEFT JOIN bronze.users u ON u.id = e.user_id GROUP BY e.user_id;

    -- 7 · windows of the stream jobs → topic_processed_events
    CREATE MATERIALIZED VIEW gold.app_events_5m AS
      SELECT window_start, window_end, event_type, app_type, count(*) AS events, count(DISTINCT
          user_id) AS unique_users
      FROM TUMBLE(silver.app_events, event_timestamp, INTERVAL '5 minutes') GROUP BY 1, 2, 3, 4;
    CREATE SINK app_events_5m_out INTO topic_processed_events AS
      SELECT 'app_events_5m' AS job, window_start, window_end, jsonb_build_object('type',
          event_type, 'app', app_type) AS dims,
             jsonb_build_object('events', events, 'users', unique_users) AS metrics FROM
             gold.app_events_5m EMIT ON WINDOW CLOSE;
    CREATE MATERIALIZED VIEW gold.clicks_10m AS
      SELECT c.window_start, c.window_end, c.page_url, count(DISTINCT click_id) AS clicks,
          count(DISTINCT c.user_id) AS users,
             count(DISTINCT click_id) FILTER (WHERE element_id LIKE '%cta%')::float8 /
             count(DISTINCT click_id) AS ctr,
             count(DISTINCT b.user_id)::float8 / nullif(count(DISTINCT c.user_id), 0) AS
             conversion
      FROM TUMBLE(bronze.clickstream, click_timestamp, INTERVAL '10 minutes') AS c
      LEFT JOIN silver.app_events b ON b.user_id = c.user_id AND b.event_type = 'booking_created'
            AND b.event_timestamp BETWEEN c.click_timestamp AND c.click_timestamp + INTERVAL
            '30 minutes' GROUP BY 1, 2, 3;
    CREATE MATERIALIZED VIEW gold.cdc_5m AS
      SELECT window_start, window_end, table_name, operation, count(*) AS changes, count(*)
          FILTER (WHERE after_values IS NULL) AS without_after
      FROM TUMBLE(bronze.cdc_changes, "timestamp", INTERVAL '5 minutes') GROUP BY 1, 2, 3, 4;
    CREATE MATERIALIZED VIEW gold.events_1m AS
      SELECT window_start, user_id, event_type, app_type, count(*) AS events FROM
          TUMBLE(silver.app_events, event_timestamp, INTERVAL '1 minute') GROUP BY 1, 2, 3, 4;

    -- 8 · gold and KPIs
    CREATE MATERIALIZED VIEW gold.event_metrics REFRESH POLICY INCREMENTAL WITH (commit_interval
        = '30 s', freshness_target = '1 s') AS
      SELECT event_date AS metric_date, event_hour AS metric_hour, event_type, app_type, count(*)
          AS total_events,
             count(DISTINCT user_id) AS unique_users, min(event_value) AS min_value,
             max(event_value) AS max_value, avg(event_value) AS avg_value
      FROM silver.app_events GROUP BY 1, 2, 3, 4;
    CREATE MATERIALIZED VIEW gold.daily_summary AS
      SELECT d.day, d.total_users, coalesce(n.new_users, 0) AS new_users,
             100.0 * (d.total_users - coalesce(n.new_users, 0)) / d.total_users AS
             return_user_pct, s.bounce_rate, s.avg_session
      FROM (SELECT event_date AS day, count(DISTINCT user_id) AS total_users FROM
          silver.app_events GROUP BY 1) d
      LEFT JOIN (SELECT first_seen::date AS day, count(*) AS new_users FROM silver.users GROUP BY
          1) n USING (day)
      LEFT JOIN (SELECT session_start::date AS day, avg(bounced::int) AS bounce_rate,
          avg(duration) AS avg_session FROM silver.clickstream_sessions GROUP BY 1) s USING (day);
    CREATE MATERIALIZED VIEW gold.hourly_metrics AS
      SELECT date_trunc('hour', "timestamp") AS hour, service, avg(duration_ms) AS
          avg_response_ms,
             count(*) FILTER (WHERE level IN ('ERROR','FATAL')) AS errors, count(*) AS lines FROM
             bronze.app_logs GROUP BY 1, 2;
    CREATE MATERIALIZED VIEW gold.user_segments WITH (now_resolution = '1 hour') AS
      SELECT user_id, score AS engagement_score, CASE WHEN score >= 80 AND total_value > 0 THEN
          'VIP' WHEN score >= 40 THEN 'Active'
               WHEN last_seen >= now() - INTERVAL '30 days' THEN 'Regular' ELSE 'Inactive' END AS
               segment,
             least(1.0, extract(epoch FROM now() - last_seen) / (30 * 86400)) AS churn_risk,
             CASE WHEN last_seen < now() - INTERVAL '30 days' THEN 'win-back mail' WHEN score >=
             80 THEN 'loyalty offer' ELSE 'none' END AS recommended_action
      FROM (SELECT *, least(100, total_events * 2 + total_sessions * 5) AS score FROM
          silver.users) u;
    CREATE VIEW app_events_bronze AS SELECT * FROM bronze.app_events;
    CREATE VIEW event_metrics_gold AS SELECT * FROM gold.event_metrics;

    -- 9 · compacted state + point lookup
    CREATE SINK user_state    FROM silver.users    INTO topic_user_state    FORMAT UPSERT;
    CREATE SINK booking_state INTO topic_booking_state FORMAT UPSERT AS
      SELECT b.id AS booking_id, b.user_id, b.status, b.price, p.status AS payment_status FROM
          bronze.bookings b LEFT JOIN bronze.payments p ON p.booking_id = b.id;
    SELECT * FROM silver.users WHERE user_id = 'user_123';
    SUBSCRIBE TO gold.event_metrics WITH (snapshot = true);
    SELECT count(*) FROM bronze.app_events FOR SYSTEM_TIME AS OF now() - INTERVAL '2 days';

    -- 10 · scheduled work
    CREATE TABLE ops.cities (city text PRIMARY KEY, lat float8, lon float8);
    CREATE TASK weather_data_ingestion SCHEDULE '0 */6 * * *' TIME ZONE 'UTC' WITH (retries = 2,
        retry_delay = '5 min', timeout = '10 min', catchup = false, overlap = false)
      AS INSERT INTO topic_external_data
      SELECT 'weather_' || lower(replace(city,' ','_')) || '_' || (extract(epoch FROM
          task_scheduled_at()) * 1000)::bigint, 'weather_api', 'api', now(),
             jsonb_build_object('city', city, 'temperature', r.body->'main'->'temp', 'humidity',
             r.body->'main'->'humidity', 'wind_speed', r.body->'wind'->'speed',
                                'condition', r.body->'weather'->0->'main', 'pressure_mb',
                                r.body->'main'->'pressure')
      FROM ops.cities, LATERAL http_get('https://weather.example/v1?lat=' || lat || '&lon=' ||
          lon) AS r WHERE r.status = 200;
    CREATE TASK maps_data_ingestion SCHEDULE '0 0 * * *' WITH (retries = 2, retry_delay =
        '5 min') AS
      INSERT INTO topic_external_data SELECT 'maps_' || city || '_' || task_run_id(), 'maps_api',
          'api', now(),
             r.body || jsonb_build_object('popularity', p.n, 'fetched_at', now())
      FROM ops.cities c CROSS JOIN LATERAL http_get('https://maps.example/v1/hotels?near=' ||
          c.city) AS r
      LEFT JOIN (SELECT properties->>'destination' AS city, count(*) AS n FROM silver.app_events
          GROUP BY 1) p USING (city);
    CREATE TABLE ops.sources (name text PRIMARY KEY, url text, kind text, batch_size int, enabled
        bool);
    CREATE TASK config_driven_pipeline SCHEDULE '@hourly' WITH (retries = 2, retry_delay =
        '5 min', parallelism = 4) AS
      INSERT INTO topic_external_data SELECT s.name || '_' || task_run_id() || '_' || i.n,
          s.name, s.kind, now(), i.item
      FROM ops.sources s, LATERAL http_get(s.url) AS r, LATERAL (SELECT n, item FROM
          parse_items(r.body, s.kind) WITH ORDINALITY AS t(item, n) LIMIT s.batch_size) i WHERE
          s.enabled;
    CREATE TASK kafka_stream SCHEDULE '*/5 * * * *' AS INSERT INTO users_topic SELECT body FROM
        http_get('https://randomuser.example/api');
    CREATE TASK nightly SCHEDULE '0 2 * * *' AS OPTIMIZE silver.app_events ZORDER BY (user_id,
        event_timestamp);
    CREATE TASK nightly_clean AFTER nightly AS VACUUM silver.app_events RETAIN INTERVAL '30 days';
    EXECUTE TASK weather_data_ingestion FROM '2026-02-01' TO '2026-02-07' WITH (reprocess =
        'failed', max_active = 2);

    -- 11 · quality, alerts, catalog, rights, tests
    CREATE ALERT lag_high WHEN (SELECT max(lag) FROM weir.consumer_lag) > 100000 FOR INTERVAL
        '1 minute' THEN WEBHOOK 'https://ops.example/hook';
    CREATE ALERT stale    WHEN EXISTS (SELECT 1 FROM weir.tables WHERE staleness >
        freshness_target * 5) THEN INSERT INTO ops.alerts;
    COMMENT ON MATERIALIZED VIEW gold.event_metrics IS 'hourly metrics';  ALTER TABLE
        silver.app_events OWNER TO data_eng;  ALTER TABLE gold.user_segments SET TAG pii = 'yes';
    GRANT SELECT ON ALL TABLES IN SCHEMA gold TO analyst;  GRANT READ ON TOPIC
        topic_processed_events TO dashboard;
    SELECT * FROM weir.lineage WHERE target = 'gold.event_metrics';  SELECT * FROM
        weir.expectations WHERE violations > 0;  SELECT * FROM weir.task_runs;
    EXPLAIN (INCREMENTAL) SELECT user_id, max(event_value) FROM silver.app_events GROUP BY 1;
    CREATE TEST bounce GIVEN bronze.clickstream (user_id, click_timestamp, page_url) VALUES
        ('u1','2026-02-16 10:00Z','/a'), ('u2','2026-02-16 10:00Z','/a'),
        ('u2','2026-02-16 10:05Z','/b')
      EXPECT silver.clickstream_sessions (user_id, clicks, bounced) VALUES ('u1',1,true),
          ('u2',2,false);
    """#
