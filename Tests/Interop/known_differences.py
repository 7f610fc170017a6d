"""Where Weir's answer is another than PostgreSQL's for a reason: each entry says which answers it explains."""

KNOWN = [
    # (reason, whether it explains this difference)
    ("an aggregate whose arguments are columns of the query around it alone is one of that query in PostgreSQL, "
     "which refuses it in WHERE; Weir computes it where it stands",
     lambda statement, expected, found: expected == "42803" and isinstance(found, list)),
    ("a number out of range in one side of a join whose other side is empty: the engine that reads the empty side "
     "first never computes it, and neither language nor manual say which side that is",
     # A count above the join makes one row of its none.
     lambda statement, expected, found: expected in ([], [[0.0]]) and found == "22003" and "JOIN" in statement),
]


def reason(statement, expected, found):
    """Why the two differ; None when nobody knows."""
    for why, explains in KNOWN:
        if explains(statement, expected, found):
            return why
    return None
