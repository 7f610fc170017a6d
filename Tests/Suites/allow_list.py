"""Tests that fail, with the reason; docs/operating/compatibility.md has the same list in prose.

By suite, then by the last part of the test's name. An entry goes when its reason goes.
"""
KERBEROS = "Kerberos is not there, and no key distribution centre"

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
}
