SELECT span * 2, span + INTERVAL '1 month', justify_hours(span), make_interval(days => 3), ts + span FROM t
