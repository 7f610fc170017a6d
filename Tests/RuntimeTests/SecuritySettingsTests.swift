import Base
import Node
import Runtime
import Security
import Testing

@Suite struct SecuritySettingsTests {
    @Test(arguments: [
        ("DEFAULT", "CN=alice,OU=x", "CN=alice,OU=x"),
        ("RULE:^CN=(.*?),OU=ServiceUsers.*$/$1/", "CN=alice,OU=ServiceUsers,O=y", "alice"),
        ("RULE:^CN=(.*?),OU=Other.*$/$1/,DEFAULT", "CN=alice,OU=x", "CN=alice,OU=x"),
        ("RULE:^CN=([^,]*),.*$/$1@weir/L, DEFAULT", "CN=ALICE,OU=x", "alice@weir"),
        ("RULE:CN=(.*)/$1/U", "CN=bob", "BOB"),
        ("RULE:CN=(a\\/b)/$1\\/c/", "CN=a/b", "a/b/c"),
        ("RULE:(.*),(.*)/$2-$1-$9\\$1/", "x,y", "y-x-$1"),
        ("", "CN=z", "CN=z"),
    ])
    func `rules map the name of a certificate`(
        _ rules: String, _ name: String, _ user: String
    ) throws {
        #expect(try PrincipalMapping(parsing: rules).user(name) == user)
    }

    @Test func `a name that no rule fits is nobody`() throws {
        let mapping = try PrincipalMapping(parsing: "RULE:CN=(a+)/$1/")
        #expect(mapping.user("CN=aaa") == "aaa")
        // The whole name has to match.
        #expect(mapping.user("CN=aaa,O=x") == nil)
    }

    @Test(arguments: ["RULE", "RULE:x", "RULE:x/y", "RULE:(/y/", "DEFAULTS", "x", "RULE:x/y/Q"])
    func `rules of another form are refused`(_ rules: String) {
        #expect(throws: Problem.self) { try PrincipalMapping(parsing: rules) }
    }

    @Test func `listeners have names, and protocols by name or by map`() throws {
        var settings = ServerSettings()
        try settings.set("listeners", "INSIDE://localhost:9092, sasl_ssl://[::1]:9093")
        try settings.set("listener.security.protocol.map", "INSIDE:SSL")
        #expect(settings.security.listeners.map(\.name) == ["INSIDE", "SASL_SSL"])
        #expect(settings.security.listeners.map(\.address.port) == [9092, 9093])
        #expect(settings.security.protocols["INSIDE"] == .ssl)
        for (name, value) in [
            ("listeners", ""), ("listeners", "localhost:9092"), ("listeners", "A://x:1,A://y:2"),
            ("listeners", "A://x:99999"), ("listener.security.protocol.map", "A:B"),
            ("sasl.enabled.mechanisms", "GSSAPI"), ("sasl.enabled.mechanisms", ""),
            ("ssl.client.auth", "maybe"), ("ssl.keystore.type", "JKS"),
            ("super.users", "alice"), ("authorizer.class.name", "com.example.Mine"),
            ("sasl.oauthbearer.jwks.endpoint.url", "https://example.com/keys"),
            ("connections.max.reauth.ms", "-1"), ("advertised.listeners", "A://:1"),
        ] {
            #expect(throws: Problem.self, "\(name)=\(value)") { try settings.set(name, value) }
        }
        try settings.set("listener.name.inside.sasl.enabled.mechanisms", "PLAIN")
        #expect(settings.security.mechanismsOfListeners["INSIDE"] == [.plain])
        #expect(throws: Problem.self) {
            try settings.set("listener.name.inside.sasl.enabled.mechanisms", "x")
        }
        #expect(throws: Problem.self) { try settings.set("listener.name.inside.x", "x") }
        try settings.set("super.users", "User:admin; User:CN=x,O=y")
        #expect(
            settings.security.authorizer.superUsers
                == [Principal(user: "admin"), Principal(user: "CN=x,O=y")])
    }

    @Test func `contradictions stop the start with a reason`() throws {
        func start(_ pairs: [(String, String)]) -> Problem? {
            do {
                let directory = try TemporaryDirectory()
                var settings = ServerSettings()
                for (name, value) in pairs { try settings.set(name, value) }
                let service = try BrokerService(
                    data: directory.path + "/data", listening: HostPort(host: "localhost", port: 0),
                    settings: settings, diagnostics: SilentDiagnostics())
                _ = service.stop()
                return nil
            } catch let problem as Problem {
                return problem
            } catch {
                return Problem("test", "\(error)")
            }
        }
        #expect(start([("listeners", "MINE://localhost:0")])?.code == "config.listeners")
        #expect(start([("listeners", "SSL://localhost:0")])?.code == "config.tls")
        #expect(
            start([
                ("listeners", "SSL://localhost:0"), ("ssl.keystore.location", "/does/not/exist"),
            ])?.code == "tls.files")
        #expect(
            start([("listeners", "A://localhost:0"), ("listener.security.protocol.map", "A:SSL")])?
                .code == "config.tls")
        #expect(
            start([
                ("listeners", "PLAINTEXT://localhost:0"), ("advertised.listeners", "B://x:1"),
            ])?.code == "config.listeners")
        #expect(start([("sasl.enabled.mechanisms", "OAUTHBEARER")])?.code == "config.sasl")
    }

    @Test func `a file of settings is read as it is`() throws {
        let text = """
            # comment
            ! another
              num.partitions = 3

            super.users=User:a;\\
                User:b
            x==y
            """
        let file = try SettingsFile(parsing: Bytes(utf8: text), path: "f")
        #expect(file.entries.map(\.name) == ["num.partitions", "super.users", "x"])
        #expect(file.entries.map(\.value) == ["3", "User:a;User:b", "=y"])
        let wrong = #expect(throws: Problem.self) {
            try SettingsFile(parsing: Bytes(utf8: "a=1\nb"), path: "f")
        }
        #expect(wrong?.message.contains("line 2 of f") == true)
    }

    @Test func `secrets never show`() throws {
        let secret = Secret("canary-5309")
        var settings = ServerSettings()
        try settings.set("ssl.key.password", "canary-5310")
        var dumped = ""
        dump(settings, to: &dumped)
        for text in [
            "\(secret)", String(describing: secret), String(reflecting: secret),
            "\(settings)", String(reflecting: settings), dumped,
        ] {
            #expect(!text.contains("canary"), "\(text)")
        }
    }
}
