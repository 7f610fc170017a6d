// ASOF joins against what they mean: of the rows with equal keys on one side the first by distance.

import Base
import Columns
import Engine
import SQL
import Testing

@Suite struct AsofTests {
    private static let tables = """
        WITH a AS (SELECT i AS id, nullif(i * 7 % 5, 4) AS k, nullif(i * 31 % 700, 13) AS t
                   FROM generate_series(1, 3000) AS g(i)),
             b AS (SELECT i AS id, nullif(i * 3 % 6, 5) AS k, nullif(i * 17 % 900, 77) AS t
                   FROM generate_series(1, 2500) AS g(i))

        """

    private static let few = tables.replacing("(1, 3000)", with: "(1, 5)")

    @Test(arguments: ["<", "<=", ">", ">="], ["", "LEFT "])
    func `the partner is the nearest row of the same key`(comparison: String, kind: String) {
        for tables in [Self.tables, Self.few] {
            let found = answer(
                tables + "SELECT a.id, b.k, b.t FROM a ASOF \(kind)JOIN b "
                    + "ON a.k = b.k AND a.t \(comparison) b.t ORDER BY 1")
            // max and min ignore NULLs, and answer NULL where there is no partner.
            let nearest = comparison.hasPrefix(">") ? "max" : "min"
            let expected = answer(
                tables + "SELECT id, CASE WHEN n IS NOT NULL THEN k END, n FROM (SELECT id, k, "
                    + "(SELECT \(nearest)(t) FROM b WHERE a.k = b.k AND a.t \(comparison) b.t) AS n "
                    + "FROM a) x \(kind.isEmpty ? "WHERE n IS NOT NULL " : "")ORDER BY 1")
            #expect(found == expected)
            #expect(found.count > 1)
        }
    }

    @Test func `a key may say that NULLs are equal, and there may be no key`() {
        let tables =
            "WITH a(k, t) AS (VALUES (NULL, 5), (1, 1)), b(k, t) AS (VALUES (NULL, 4), (1, 2)) "
        #expect(
            answer(tables + "SELECT a.t, b.t FROM a ASOF JOIN b ON a.t >= b.t") == ["5|4"])
        #expect(
            answer(
                tables + "SELECT a.t, b.t FROM a ASOF LEFT JOIN b ON a.k = b.k AND a.t >= b.t "
                    + "ORDER BY 1") == ["1|NULL", "5|NULL"])
    }

    @Test func `USING shows the moment of the left side`() {
        #expect(
            answer(
                "SELECT * FROM (VALUES (1, 5, 'a')) AS a(k, t, x) "
                    + "ASOF JOIN (VALUES (1, 3, 'b'), (1, 4, 'c'), (1, 6, 'd')) AS b(k, t, y) "
                    + "USING (k, t)") == ["1|5|a|c"])
    }

    @Test func `an ASOF join stands where other joins do`() {
        let tables = """
            WITH a(k, t) AS (VALUES (1, 5), (2, 9)), b(k, t) AS (VALUES (1, 4), (2, 2), (2, 8)),
                 c(k, n) AS (VALUES (1, 'one'), (2, 'two'))

            """
        #expect(
            answer(
                tables + "SELECT n, b.t FROM c JOIN a USING (k) ASOF JOIN b "
                    + "ON a.k = b.k AND a.t > b.t ORDER BY 1") == ["one|4", "two|8"])
        // In a query that reads columns around it.
        #expect(
            answer(
                tables + "SELECT n, (SELECT max(b.t) FROM a ASOF JOIN b ON a.k = b.k AND a.t > b.t "
                    + "WHERE a.k <= c.k) FROM c ORDER BY 1") == ["one|4", "two|8"])
        // A condition on what is missing is not one on what may match.
        #expect(
            answer(
                tables + "SELECT a.k FROM a ASOF LEFT JOIN (SELECT * FROM b WHERE t < 4) b "
                    + "ON a.k = b.k AND a.t > b.t WHERE b.t IS NULL") == ["1"])
        // The word is still a name.
        #expect(answer("SELECT asof.x FROM (VALUES (1)) AS asof(x)") == ["1"])
        #expect(answer("SELECT asof.x FROM (VALUES (1)) asof(x)") == ["1"])
    }
}
