/// `COPY table [(columns)] FROM 'file'`, `COPY table|(query) TO 'file'`, as PostgreSQL writes it.
package struct Copy: Hashable, Sendable {
    package enum Subject: Hashable, Sendable {
        /// No columns = all of the table.
        case table(ObjectName, columns: [Identifier])
        case query(Query)
    }

    package enum Direction: String, Hashable, Sendable { case from, to }

    package var subject: Subject
    package var direction: Direction
    package var path: String
    /// `FROM STDIN`: the rows come with the request.
    package var isFromRequest = false
    package var pathPosition: Int
    /// `(FORMAT csv, HEADER, DELIMITER ';')`: names in lower case, a bare name is `true`.
    package var options: [StatementOption]
}
