// The catalogs of PostgreSQL 15 that its clients read, as tables of this catalog. Columns have the
// names and the order of PostgreSQL's; where a type of its own stands (oid, name, "char",
// int2vector) there is the nearest of ours: bigint, text, text, smallint[].

import Base
import Columns
import SQL

/// A table of `pg_catalog`, or one of `information_schema` beyond those of `SystemTable`.
package enum PostgresTable: String, CaseIterable, Hashable, Sendable {
    case namespace = "pg_catalog.pg_namespace"
    case relation = "pg_catalog.pg_class"
    case attribute = "pg_catalog.pg_attribute"
    case type = "pg_catalog.pg_type"
    case procedure = "pg_catalog.pg_proc"
    case database = "pg_catalog.pg_database"
    case role = "pg_catalog.pg_roles"
    case user = "pg_catalog.pg_user"
    case accessMethod = "pg_catalog.pg_am"
    case description = "pg_catalog.pg_description"
    case tables = "pg_catalog.pg_tables"
    case views = "pg_catalog.pg_views"
    case materializedViews = "pg_catalog.pg_matviews"
    case constraint = "pg_catalog.pg_constraint"
    case index = "pg_catalog.pg_index"
    case indexes = "pg_catalog.pg_indexes"
    case attributeDefault = "pg_catalog.pg_attrdef"
    case enumeration = "pg_catalog.pg_enum"
    case inherits = "pg_catalog.pg_inherits"
    case trigger = "pg_catalog.pg_trigger"
    case policy = "pg_catalog.pg_policy"
    case rewrite = "pg_catalog.pg_rewrite"
    case depend = "pg_catalog.pg_depend"
    case sequence = "pg_catalog.pg_sequence"
    case range = "pg_catalog.pg_range"
    case tablespace = "pg_catalog.pg_tablespace"
    case collation = "pg_catalog.pg_collation"
    case extensions = "pg_catalog.pg_extension"
    case publication = "pg_catalog.pg_publication"
    /// Known to the process only.
    case settings = "pg_catalog.pg_settings"
    /// Known to the process only.
    case activity = "pg_catalog.pg_stat_activity"
    case informationViews = "information_schema.views"
    case informationConstraints = "information_schema.table_constraints"
    case informationKeys = "information_schema.key_column_usage"

    /// Tables of pg_catalog are found without their schema, too.
    package init?(_ name: QualifiedName) {
        if name.schema == nil, !name.name.hasPrefix("pg_") { return nil }
        self.init(rawValue: (name.schema ?? "pg_catalog") + "." + name.name)
    }

    package var name: QualifiedName {
        let parts = rawValue.split(separator: ".")
        return QualifiedName(schema: String(parts[0]), String(parts[1]))
    }

    package var schema: TableSchema { TableSchema(Self.fields(columns)) }

    /// `name:letter`: o oid, l bigint, i integer, h smallint, f real, b boolean, t text, z timestamptz,
    /// T text[], O oid[], H smallint[].
    private static func fields(_ text: String) -> [Field] {
        text.split { $0 == " " || $0 == "\n" }.map { word in
            let parts = word.split(separator: ":")
            let type: ColumnType =
                switch parts.last {
                case "o", "l": .int64
                case "i": .int32
                case "h": .int16
                case "f": .float32
                case "b": .boolean
                case "z": .timestampTZ
                case "T": .list(.text)
                case "O": .list(.int64)
                case "H": .list(.int16)
                default: .text
                }
            return Field(String(parts[0]), type)
        }
    }

    private var columns: String {
        switch self {
        case .namespace: "oid:o nspname:t nspowner:o nspacl:T"
        case .relation:
            """
            oid:o relname:t relnamespace:o reltype:o reloftype:o relowner:o relam:o relfilenode:o
            reltablespace:o relpages:i reltuples:f relallvisible:i reltoastrelid:o relhasindex:b
            relisshared:b relpersistence:t relkind:t relnatts:h relchecks:h relhasrules:b
            relhastriggers:b relhassubclass:b relrowsecurity:b relforcerowsecurity:b
            relispopulated:b relreplident:t relispartition:b relrewrite:o relfrozenxid:l
            relminmxid:l relacl:T reloptions:T relpartbound:t
            """
        case .attribute:
            """
            attrelid:o attname:t atttypid:o attstattarget:i attlen:h attnum:h attndims:i
            attcacheoff:i atttypmod:i attbyval:b attalign:t attstorage:t attcompression:t
            attnotnull:b atthasdef:b atthasmissing:b attidentity:t attgenerated:t attisdropped:b
            attislocal:b attinhcount:i attcollation:o attacl:T attoptions:T attfdwoptions:T
            attmissingval:t
            """
        case .type:
            """
            oid:o typname:t typnamespace:o typowner:o typlen:h typbyval:b typtype:t typcategory:t
            typispreferred:b typisdefined:b typdelim:t typrelid:o typsubscript:t typelem:o
            typarray:o typinput:t typoutput:t typreceive:t typsend:t typmodin:t typmodout:t
            typanalyze:t typalign:t typstorage:t typnotnull:b typbasetype:o typtypmod:i typndims:i
            typcollation:o typdefaultbin:t typdefault:t typacl:T
            """
        case .procedure:
            """
            oid:o proname:t pronamespace:o proowner:o prolang:o procost:f prorows:f provariadic:o
            prosupport:t prokind:t prosecdef:b proleakproof:b proisstrict:b proretset:b
            provolatile:t proparallel:t pronargs:h pronargdefaults:h prorettype:o proargtypes:O
            proallargtypes:O proargmodes:T proargnames:T proargdefaults:t protrftypes:O prosrc:t
            probin:t prosqlbody:t proconfig:T proacl:T
            """
        case .database:
            """
            oid:o datname:t datdba:o encoding:i datlocprovider:t datistemplate:b datallowconn:b
            datconnlimit:i datfrozenxid:l datminmxid:l dattablespace:o datcollate:t datctype:t
            daticulocale:t datcollversion:t datacl:T
            """
        case .role:
            """
            rolname:t rolsuper:b rolinherit:b rolcreaterole:b rolcreatedb:b rolcanlogin:b
            rolreplication:b rolconnlimit:i rolpassword:t rolvaliduntil:z rolbypassrls:b
            rolconfig:T oid:o
            """
        case .user:
            """
            usename:t usesysid:o usecreatedb:b usesuper:b userepl:b usebypassrls:b passwd:t
            valuntil:z useconfig:T
            """
        case .accessMethod: "oid:o amname:t amhandler:t amtype:t"
        case .description: "objoid:o classoid:o objsubid:i description:t"
        case .tables:
            """
            schemaname:t tablename:t tableowner:t tablespace:t hasindexes:b hasrules:b
            hastriggers:b rowsecurity:b
            """
        case .views: "schemaname:t viewname:t viewowner:t definition:t"
        case .materializedViews:
            """
            schemaname:t matviewname:t matviewowner:t tablespace:t hasindexes:b ispopulated:b
            definition:t
            """
        case .constraint:
            """
            oid:o conname:t connamespace:o contype:t condeferrable:b condeferred:b convalidated:b
            conrelid:o contypid:o conindid:o conparentid:o confrelid:o confupdtype:t confdeltype:t
            confmatchtype:t conislocal:b coninhcount:i connoinherit:b conkey:H confkey:H conpfeqop:O
            conppeqop:O conffeqop:O confdelsetcols:H conexclop:O conbin:t
            """
        case .index:
            """
            indexrelid:o indrelid:o indnatts:h indnkeyatts:h indisunique:b indnullsnotdistinct:b
            indisprimary:b indisexclusion:b indimmediate:b indisclustered:b indisvalid:b
            indcheckxmin:b indisready:b indislive:b indisreplident:b indkey:H indcollation:O
            indclass:O indoption:H indexprs:t indpred:t
            """
        case .indexes: "schemaname:t tablename:t indexname:t tablespace:t indexdef:t"
        case .attributeDefault: "oid:o adrelid:o adnum:h adbin:t"
        case .enumeration: "oid:o enumtypid:o enumsortorder:f enumlabel:t"
        case .inherits: "inhrelid:o inhparent:o inhseqno:i inhdetachpending:b"
        case .trigger:
            """
            oid:o tgrelid:o tgparentid:o tgname:t tgfoid:o tgtype:h tgenabled:t tgisinternal:b
            tgconstrrelid:o tgconstrindid:o tgconstraint:o tgdeferrable:b tginitdeferred:b tgnargs:h
            tgattr:H tgargs:t tgqual:t tgoldtable:t tgnewtable:t
            """
        case .policy:
            """
            oid:o polname:t polrelid:o polcmd:t polpermissive:b polroles:O polqual:t polwithcheck:t
            """
        case .rewrite:
            "oid:o rulename:t ev_class:o ev_type:t ev_enabled:t is_instead:b ev_qual:t ev_action:t"
        case .depend:
            "classid:o objid:o objsubid:i refclassid:o refobjid:o refobjsubid:i deptype:t"
        case .sequence:
            """
            seqrelid:o seqtypid:o seqstart:l seqincrement:l seqmax:l seqmin:l seqcache:l seqcycle:b
            """
        case .range:
            """
            rngtypid:o rngsubtype:o rngmultitypid:o rngcollation:o rngsubopc:o rngcanonical:t
            rngsubdiff:t
            """
        case .tablespace: "oid:o spcname:t spcowner:o spcacl:T spcoptions:T"
        case .collation:
            """
            oid:o collname:t collnamespace:o collowner:o collprovider:t collisdeterministic:b
            collencoding:i collcollate:t collctype:t colliculocale:t collversion:t
            """
        case .extensions:
            """
            oid:o extname:t extowner:o extnamespace:o extrelocatable:b extversion:t extconfig:O
            extcondition:T
            """
        case .publication:
            """
            oid:o pubname:t pubowner:o puballtables:b pubinsert:b pubupdate:b pubdelete:b
            pubtruncate:b pubviaroot:b
            """
        case .settings:
            """
            name:t setting:t unit:t category:t short_desc:t extra_desc:t context:t vartype:t
            source:t min_val:t max_val:t enumvals:T boot_val:t reset_val:t sourcefile:t
            sourceline:i pending_restart:b
            """
        case .activity:
            """
            datid:o datname:t pid:i usesysid:o usename:t application_name:t client_addr:t
            client_port:i backend_start:z query_start:z state_change:z wait_event:t state:t
            query_id:t query:t backend_type:t
            """
        case .informationViews:
            """
            table_catalog:t table_schema:t table_name:t view_definition:t check_option:t
            is_updatable:t is_insertable_into:t
            """
        case .informationConstraints:
            """
            constraint_catalog:t constraint_schema:t constraint_name:t table_catalog:t
            table_schema:t table_name:t constraint_type:t is_deferrable:t initially_deferred:t
            enforced:t
            """
        case .informationKeys:
            """
            constraint_catalog:t constraint_schema:t constraint_name:t table_catalog:t
            table_schema:t table_name:t column_name:t ordinal_position:i
            position_in_unique_constraint:i
            """
        }
    }

    /// The rows of the table: those that `image` has, or `live` ones that the process knows.
    package func rows(_ image: CatalogImage, live: [PostgresRow] = []) -> ColumnBatch {
        let rows = live + PostgresRows(image).rows(of: self)
        let columns = schema.fields.map { field in
            Column(field.type, rows.map { $0.values[field.name] ?? .null })
        }
        return ColumnBatch(columns: columns, rowCount: rows.count)
    }
}

/// One row: values by the names of the columns; those that are missing are NULL.
package struct PostgresRow: Sendable {
    // Only looked up, never iterated.
    var values: [String: Value]

    package init(_ values: [String: Value]) { self.values = values }
}
