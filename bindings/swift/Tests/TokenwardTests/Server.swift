internal import Foundation
import Testing
@testable import Tokenward

/// A server on loopback that does what it is told, and keeps what it was asked.
final class Server: Sendable {
    struct Request: Sendable {
        let method: String
        let path: String
        let authorization: String?
        let body: String
    }

    /// What one request is answered; without an answer its connection is closed.
    struct Answer: Sendable {
        var status = 200
        var fields: [String] = []
        var body = ""

        static func redirect(_ status: Int, _ target: String) -> Answer {
            Answer(status: status, fields: ["Location: \(target)"])
        }
        static func token(_ number: Int) -> Answer {
            Answer(body: #"{"access_token":"t\#(number)","expires_in":3600,"refresh_token":"r\#(number)"}"#)
        }
    }

    #if canImport(FoundationNetworking)
        static let isLinux = true
    #else
        static let isLinux = false
    #endif

    let base: String
    private let listener: Int32
    private let seen = Locked<[Request]>([])

    var requests: [Request] { seen.current }

    /// - Parameter answer: To a request, with how many there have been.
    init(_ answer: @escaping @Sendable (Request, Int) -> Answer?) throws {
        #if canImport(Darwin)
            let stream = SOCK_STREAM
        #else
            let stream = Int32(SOCK_STREAM.rawValue)
        #endif
        // Who asked may have left when the answer is written.
        signal(SIGPIPE, SIG_IGN)
        let listener = socket(AF_INET, stream, 0)
        // No child may keep it open.
        _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
        var (address, size) = (sockaddr_in(), socklen_t(MemoryLayout<sockaddr_in>.size))
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isOpen = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, size) == 0 && listen(listener, 16) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        try #require(isOpen)
        self.listener = listener
        base = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
        let respond = { @Sendable [seen] (request: Request) -> Answer? in
            let count = seen.with {
                $0.append(request)
                return $0.count
            }
            return answer(request, count)
        }
        Thread.detachNewThread {
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                Thread.detachNewThread { Self.serve(connection, respond) }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    func url(_ path: String) -> URL { URL(string: base + path)! }

    private static func serve(_ connection: Int32, _ respond: (Request) -> Answer?) {
        defer { close(connection) }
        while let request = read(connection), let answer = respond(request) {
            let head = ["HTTP/1.1 \(answer.status) Answer", "Content-Length: \(answer.body.utf8.count)"] + answer.fields
            let text = head.joined(separator: "\r\n") + "\r\n\r\n" + answer.body
            guard send(connection, text, text.utf8.count, 0) == text.utf8.count else { return }
        }
    }

    private static func read(_ connection: Int32) -> Request? {
        guard let head = lines(connection, until: ""), let first = head.first else { return nil }
        let words = first.split(separator: " ")
        func field(_ name: String) -> String? {
            head.first { $0.lowercased().hasPrefix(name + ":") }
                .map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) }
        }
        var body = ""
        if field("transfer-encoding") != nil {
            while let size = lines(connection, count: 1)?.first.flatMap({ Int($0, radix: 16) }) {
                body += bytes(connection, size) ?? ""
                guard size > 0, bytes(connection, 2) != nil else { break }
            }
            _ = lines(connection, until: "")
        } else if let size = field("content-length").flatMap({ Int($0) }) {
            body = bytes(connection, size) ?? ""
        }
        return Request(
            method: String(words[0]), path: String(words[1]), authorization: field("authorization"), body: body)
    }

    private static func lines(_ connection: Int32, until last: String? = nil, count: Int = .max) -> [String]? {
        var lines: [String] = []
        while lines.count < count {
            var line = ""
            while !line.hasSuffix("\r\n") {
                guard let next = bytes(connection, 1) else { return nil }
                line += next
            }
            line = line.trimmingCharacters(in: .newlines)
            if line == last { return lines }
            lines.append(line)
        }
        return lines
    }

    private static func bytes(_ connection: Int32, _ count: Int) -> String? {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while bytes.count < count {
            guard recv(connection, &byte, 1, 0) == 1 else { return nil }
            bytes.append(byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Server {
    /// A service whose token endpoint is `/token`, with a route table.
    func provider(_ routes: [TokenRoute] = [], _ change: (inout TokenProvider) -> Void = { _ in }) -> TokenProvider {
        TokenProvider(name: "acme", baseUrl: base, tokenPath: "/token") {
            ($0.loopbackHttp, $0.exposure) = (true, .appAllowed)
            ($0.primaryGrant, $0.refreshGrant) = (.clientCredentials, true)
            $0.routes = routes.isEmpty ? nil : routes
            $0.policy = RefreshPolicy { $0.minIntervalMs = 0 }
            change(&$0)
        }
    }

    func manager(
        _ routes: [TokenRoute] = [], patience: TimeInterval = 30, _ change: (inout TokenProvider) -> Void = { _ in }
    ) throws -> TokenManager {
        var options = TokenManagerOptions()
        options.requestTimeout = patience
        return try TokenManager(
            provider: provider(routes, change),
            source: .credentials { Credentials(clientId: "id", clientSecret: "secret") }, options: options)
    }
}
