#!/bin/sh
# The tool of Apache Kafka with this name, by means of Weir's command line.
exec python3 "$(dirname "$0")/../../kafka_tools.py" acls "$@"
