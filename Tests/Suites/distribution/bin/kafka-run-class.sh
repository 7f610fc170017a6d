#!/bin/sh
# Starts a class of Apache Kafka. Suites start two: the broker, and librdkafka a producer of its own.
here=$(cd "$(dirname "$0")" && pwd)
class=$1
shift
case "$class" in
kafka.Kafka) exec python3 "$here/../start_broker.py" "$@" ;;
TransactionProducerCli) exec "${SUITE_PYTHON:?}" "$here/../../librdkafka/transaction_producer.py" "$@" ;;
*) echo "$0: no stand-in for the class $class" >&2; exit 1 ;;
esac
