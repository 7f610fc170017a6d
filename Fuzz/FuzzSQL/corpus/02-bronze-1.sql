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
