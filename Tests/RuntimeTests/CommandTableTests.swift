import Base
import Runtime
import Testing

@Suite struct CommandTableTests {
    let table = CommandTable(
        program: "weir", summary: "test",
        globalFlags: [
            FlagSpec(
                "output", "o", value: "FORM", "form", fallback: "text", choices: ["text", "json"]),
            FlagSpec("server", value: "HOST:PORT", "server", readsEnvironment: true),
            FlagSpec("quiet", "q", "no chatter", readsEnvironment: true),
        ],
        commands: [
            CommandSpec(
                "topic create", "Creates", arguments: [ArgumentSpec("TOPIC", .one, "name")],
                flags: [
                    FlagSpec("partitions", "p", value: "N", "how many", fallback: "1"),
                    FlagSpec("config", "c", value: "K=V", "setting", isRepeatable: true),
                    FlagSpec("force", "f", "really"),
                ]),
            CommandSpec("topic list", "Lists"),
            CommandSpec(
                "topic describe", "Describes", arguments: [ArgumentSpec("TOPIC", .any, "x")]),
            CommandSpec(
                "serve", "Serves", flags: [FlagSpec("data", value: "DIR", "where")],
                takesSettings: true),
        ])

    func parse(_ line: String, _ environment: [String: String] = [:]) throws -> Invocation {
        try table.parse(line.split(separator: " ").map(String.init)) { environment[$0] }
    }

    func problem(_ line: String) -> Problem? {
        do throws(Problem) {
            _ = try table.parse(line.split(separator: " ").map(String.init)) { _ in nil }
            return nil
        } catch {
            return error
        }
    }

    @Test func `a command with all kinds of flags is understood`() throws {
        let call = try parse("-o json topic create orders -p6 --config a=1 -c b=2 -fq --server=h:1")
        #expect(call.command.name == "topic create")
        #expect(call.arguments == ["orders"])
        #expect(call.string("output") == "json")
        #expect(try call.integer("partitions", in: 1...10) == 6)
        #expect(call.strings("config") == ["a=1", "b=2"])
        #expect(call.isSet("force"))
        #expect(call.isSet("quiet"))
        #expect(call.string("server") == "h:1")
    }

    @Test func `defaults hold when nothing is said`() throws {
        let call = try parse("topic create t")
        #expect(call.string("output") == "text")
        #expect(call.string("partitions") == "1")
        #expect(!call.isSet("force"))
        #expect(call.string("server") == nil)
    }

    @Test func `a flag beats a setting, a setting beats the environment`() throws {
        let environment = ["WEIR_SERVER": "e:1", "WEIR_QUIET": "0"]
        #expect(try parse("topic list", environment).string("server") == "e:1")
        #expect(try !parse("topic list", environment).isSet("quiet"))
        #expect(try parse("topic list -X server=x:1", environment).string("server") == "x:1")
        #expect(
            try parse("topic list --server f:1 -X server=x:1", environment).string("server")
                == "f:1")
    }

    @Test func `settings reach the commands that take them`() throws {
        let call = try parse("serve -X data=/d -Xlog.retention.ms=5 -X a.b==")
        #expect(call.string("data") == "/d")
        #expect(call.settings.map(\.name) == ["log.retention.ms", "a.b"])
        #expect(call.settings.map(\.value) == ["5", "="])
        #expect(problem("topic list -X what=1")?.code == "usage.unknownSetting")
        #expect(problem("serve -X what")?.code == "usage.value")
    }

    @Test func `everything behind two hyphens is an argument`() throws {
        #expect(try parse("topic create -- --config").arguments == ["--config"])
        #expect(try parse("topic describe - -5").arguments == ["-", "-5"])
    }

    @Test(arguments: [
        ("topic creat x", "usage.unknownCommand", "did you mean \"topic create\"?"),
        ("topc list", "usage.unknownCommand", "did you mean \"topic\"?"),
        ("zzzzzz", "usage.unknownCommand", "one of: topic, serve"),
        ("topic", "usage.incomplete", "one of: create, list, describe"),
        ("", "usage.incomplete", "one of: topic, serve"),
        ("topic create t --partition 3", "usage.unknownFlag", "did you mean \"--partitions\"?"),
        ("topic list --outptu json", "usage.unknownFlag", "did you mean \"--output\"?"),
        ("topic list -o jsno", "usage.value", "did you mean \"json\"?"),
    ])
    func `what is misspelt gets a suggestion`(line: String, code: String, note: String) throws {
        let found = try #require(problem(line))
        #expect(found.code == code)
        #expect(found.notes.contains(note))
        #expect(ExitCode(for: found) == .usage)
    }

    @Test(arguments: [
        ("topic create", "usage.missingArgument"), ("topic create a b", "usage.extraArgument"),
        ("topic create a -p", "usage.value"), ("topic create a -p 1 -p 2", "usage.value"),
        ("topic create a --force=1", "usage.value"), ("topic create a -z", "usage.unknownFlag"),
        ("--data x serve", "usage.unknownFlag"),
    ])
    func `incomplete lines are refused`(line: String, code: String) {
        #expect(problem(line)?.code == code)
    }

    @Test func `a number out of range names its flag`() throws {
        let call = try parse("topic create t -p 99")
        #expect(throws: Problem.self) { try call.integer("partitions", in: 1...10) }
    }

    @Test func `help is found wherever it is asked for`() throws {
        #expect(try parse("topic create --help").wantsHelp)
        #expect(try parse("topic --help").command.name == "topic")
        #expect(try parse("-h").wantsHelp)
        let all = try table.help(for: [])
        #expect(all.contains("topic create TOPIC"))
        let one = try table.help(for: ["topic", "create"])
        #expect(one.contains("-p, --partitions N"))
        #expect(one.contains("default 1"))
        #expect(one.contains("WEIR_SERVER"))
        #expect(throws: Problem.self) { try table.help(for: ["topik"]) }
        for line in (all + one).split(separator: "\n") { #expect(line.count <= 100) }
    }
}

@Suite struct StatementSplitterTests {
    @Test(
        arguments: [
            ("a; b ;c", ["a", "b"], "c"), ("select ';' ; x", ["select ';'"], "x"),
            ("select 'it''s;' ;", ["select 'it''s;'"], ""), ("\"a;b\";", ["\"a;b\""], ""),
            ("-- no;\nyes;", ["-- no;\nyes"], ""),
            ("/* a; /* b; */ c; */ d;", ["/* a; /* b; */ c; */ d"], ""),
            ("$$ a;b $$; c", ["$$ a;b $$"], "c"), ("$x$ $$; $x$;", ["$x$ $$; $x$"], ""),
            ("$1; a$b$;", ["$1", "a$b$"], ""), (";;;", [], ""), ("", [], ""),
            ("select E'it\\'s; x'; b", ["select E'it\\'s; x'"], "b"),
            ("e'\\\\'; b;", ["e'\\\\'", "b"], ""), ("E'a''\\';';", ["E'a''\\';'"], ""),
            ("type'\\'; b;", ["type'\\'", "b"], ""), ("'\\'; b;", ["'\\'", "b"], ""),
            ("a; -- no more", ["a"], ""), ("-- a;\n;/* b; /* c */ */ ; d", [], "d"),
            ("/* no end", [], "/* no end"), ("a /", [], "a /"), ("- - 1;", ["- - 1"], ""),
        ] as [(String, [String], String)])
    func `statements end at semicolons that count`(text: String, whole: [String], rest: String) {
        var splitter = StatementSplitter()
        #expect(splitter.add(text) == whole)
        #expect(splitter.rest() == rest)
    }

    @Test func `a statement may come in lines, and the prompt says what is open`() {
        var splitter = StatementSplitter()
        #expect(splitter.waitsFor == "=")
        #expect(splitter.add("select '\n").isEmpty)
        #expect(splitter.waitsFor == "'")
        #expect(splitter.add("x' /* \n").isEmpty)
        #expect(splitter.waitsFor == "*")
        #expect(splitter.add("*/ from t\n").isEmpty)
        #expect(splitter.waitsFor == "-")
        #expect(splitter.add("; next") == ["select '\nx' /* \n*/ from t"])
        splitter.reset()
        #expect(splitter.isEmpty)
        #expect(splitter.add("-- a remark begins nothing\n").isEmpty)
        #expect(splitter.waitsFor == "=" && splitter.isEmpty && !splitter.isQuoted)
        #expect(splitter.add("select E'\\'\n").isEmpty)
        #expect(splitter.waitsFor == "'" && splitter.isQuoted)
        #expect(splitter.add("' /* \n").isEmpty)
        #expect(splitter.waitsFor == "*" && splitter.isQuoted)
    }
}
