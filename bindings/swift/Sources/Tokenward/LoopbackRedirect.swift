#if os(macOS) || os(Linux)
    public import Foundation

    extension TokenManager {
        /// Has a person sign in in a browser of this machine, which comes back to a port of 127.0.0.1 (RFC 8252 section 7.3).
        /// The port is a free one, and open before the service hears of it: register `http://127.0.0.1/callback`. Waits for as
        /// long as the caller does.
        ///
        /// ```swift
        /// try await manager.signInByLoopback { print("Sign in at \($0)") }
        /// ```
        ///
        /// - Parameters:
        ///   - path: Where the browser comes back to.
        ///   - pending: As in ``signIn(redirectURI:pending:browser:)``.
        ///   - open: Opens a browser, or prints the URL for a person to open.
        /// - Throws: ``TokenwardError``, as ``signIn(redirectURI:pending:browser:)`` says; `URLError`, if there is no free port.
        public func signInByLoopback(
            path: String = "/callback", pending: (any TokenStorage)? = nil, open: @Sendable (URL) async throws -> Void
        ) async throws {
            let port = try LoopbackPort()
            try await signIn(redirectURI: port.origin + path, pending: pending) { request in
                let (callbacks, found) = AsyncStream.makeStream(of: URL.self)
                port.serve { callback in
                    guard request.isAnswered(by: callback) else { return false }
                    found.yield(callback)
                    return true
                }
                try await open(request.url)
                for await callback in callbacks { return callback }
                throw CancellationError()
            }
        }
    }

    /// A free port of 127.0.0.1, and a browser that comes back to it.
    private final class LoopbackPort: Sendable {
        let origin: String
        private let listener: Int32

        init() throws {
            #if canImport(Darwin)
                let stream = SOCK_STREAM
            #else
                let stream = Int32(SOCK_STREAM.rawValue)
            #endif
            let listener = socket(AF_INET, stream, 0)
            _ = fcntl(listener, F_SETFD, FD_CLOEXEC)
            var (address, size) = (sockaddr_in(), socklen_t(MemoryLayout<sockaddr_in>.size))
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let isOpen = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listener, $0, size) == 0 && listen(listener, 16) == 0 && getsockname(listener, $0, &size) == 0
                }
            }
            self.listener = listener
            origin = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
            if !isOpen { throw URLError(.cannotConnectToHost) }
        }

        /// Tells of each URL that comes until this is let go of; whether it is the right one, the page says.
        func serve(_ isRight: @escaping @Sendable (URL) -> Bool) {
            Thread.detachNewThread { [weak self, listener] in
                while true {
                    var waiting = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
                    let isReady = poll(&waiting, 1, 100) > 0
                    // The descriptor is another's once this is let go of: it is held while it is used.
                    guard let held = self else { return }
                    if isReady { held.answer(isRight) }
                }
            }
        }

        private func answer(_ isRight: @escaping @Sendable (URL) -> Bool) {
            let (connection, origin) = (accept(listener, nil, nil), origin)
            guard connection >= 0 else { return }
            // Browsers open connections that they do not use: nobody waits for these.
            Thread.detachNewThread {
                defer { close(connection) }
                let words = Self.head(connection).prefix { $0 != "\r\n" }.split(separator: " ")
                let callback = words.count == 3 && words[0] == "GET" ? URL(string: origin + words[1]) : nil
                let isRight = callback.map(isRight) == true
                let answer = Self.page(
                    isRight ? "200 OK" : "404 Not Found", isRight ? "You may close this window." : "Nobody waits for this.")
                // Who asked may have left.
                #if canImport(Darwin)
                    var on: Int32 = 1
                    setsockopt(connection, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
                    _ = send(connection, answer, answer.count, 0)
                #else
                    _ = send(connection, answer, answer.count, Int32(MSG_NOSIGNAL))
                #endif
            }
        }

        /// A request to its empty line: a browser whose request was not read to there may not show the answer.
        private static func head(_ connection: Int32) -> String {
            var patience = timeval(tv_sec: 5, tv_usec: 0)
            setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
            var (head, buffer) = ("", [UInt8](repeating: 0, count: 4096))
            while head.utf8.count < 65_536, !head.hasSuffix("\r\n\r\n"),
                case let count = recv(connection, &buffer, buffer.count, 0), count > 0
            {
                head += String(decoding: buffer[..<count], as: UTF8.self)
            }
            return head
        }

        private static func page(_ status: String, _ said: String) -> [UInt8] {
            let page = "<!doctype html><html lang=en><meta charset=utf-8><title>tokenward</title><p>\(said)</p></html>\n"
            let fields = [
                "HTTP/1.1 \(status)", "Content-Type: text/html; charset=utf-8", "Content-Length: \(page.utf8.count)",
                "Cache-Control: no-store", "Referrer-Policy: no-referrer", "Content-Security-Policy: default-src 'none'",
                "Connection: close", "", page,
            ]
            return Array(fields.joined(separator: "\r\n").utf8)
        }

        deinit { close(listener) }
    }
#endif
