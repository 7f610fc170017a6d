SELECT -span FROM t
