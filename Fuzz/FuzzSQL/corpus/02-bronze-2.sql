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
