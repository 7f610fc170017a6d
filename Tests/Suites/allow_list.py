"""Tests that fail, with the reason; docs/operating/compatibility.md has the same list in prose.

By suite, or suite and mode, then by the last part of the test's name. An entry goes when its reason
goes.
"""
KERBEROS = "Kerberos is not there, and no key distribution centre"
CLASSIC = "expects that everything is revoked and assigned again, as in classic groups"

ALLOWED: dict[str, dict[str, str]] = {
    "kafka-python": {},
    "aiokafka": {
        "test_sasl_plaintext_gssapi": KERBEROS,
        "test_admin_client_sasl_plaintext_gssapi": KERBEROS,
    },
    "librdkafka": {
        "0028_long_topicnames": "asks for a topic whose name has 255 bytes; the suite knows",
        "0047_partial_buf_tmout": "fills the client's own queue, before any answer; the suite "
                                  "knows",
        "0179_share_consumer_destroy": "one part expects two partitions in two answers, as from "
                                       "two brokers",
    },
    "librdkafka consumer": {
        "0045_resubscribe_with_regex": "expects topics that a pattern finds one answer later than "
                                       "those with a name; here all come at once",
        "0045_subscribe_update_topic_remove": CLASSIC,
        "0045_subscribe_update_non_exist_and_partchange": CLASSIC,
    },
}
