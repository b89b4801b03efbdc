public import Foundation

#if canImport(FoundationNetworking)
    public import FoundationNetworking
#endif

/// A header field that carries a token, and which token it is.
public struct Authorization: Sendable {
    /// The field's name: `Authorization`, if the provider has no other.
    public let name: String
    /// The field's value: `Bearer` and the token, if the provider has no other scheme.
    public let header: String
    /// For ``TokenManager/rejected(generation:status:challenge:)``.
    public let generation: UInt64

    public init(header: String, generation: UInt64, name: String = "Authorization") {
        self.name = name
        self.header = header
        self.generation = generation
    }

    /// - Parameter line: `<generation> Bearer <token>`, as the bridge writes it.
    init?(name: String, line: String) {
        guard let space = line.utf8.firstIndex(of: UInt8(ascii: " ")), let generation = UInt64(line[..<space]) else {
            return nil
        }
        self.name = name
        header = String(line[line.utf8.index(after: space)...])
        self.generation = generation
    }
}

/// A request that carries its `Authorization` field.
public struct AuthorizedRequest: Sendable {
    public let request: URLRequest
    /// For ``TokenManager/rejected(generation:status:challenge:)``.
    public let generation: UInt64
}

extension Authorization: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "Authorization(generation: \(generation), \(redacted))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, showing: ["generation": generation]) }
}

extension AuthorizedRequest: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "AuthorizedRequest(generation: \(generation), \(redacted))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, showing: ["generation": generation]) }
}

extension URLSession {
    /// Sends a request with a token and, if the server rejects that, once more with the next one.
    ///
    /// A redirect is followed only if the manager's origins and routes allow the token there; otherwise it is the
    /// response. A body stream is sent once: not again after a refusal, nor to the target of a redirect. On Linux the session's
    /// configuration is used, not its delegate.
    ///
    /// - Throws: ``TokenwardError`` if there is no token, or what the session throws.
    public func data(
        for request: URLRequest, authorizedBy manager: any TokenKeeper
    ) async throws -> (Data, URLResponse) {
        let first = try await manager.authorize(request)
        let answer = try await data(for: first.request, redirectedBy: manager)
        guard let response = answer.1 as? HTTPURLResponse, manager.isRefusal(status: response.statusCode) else {
            return answer
        }
        let decision = try await manager.rejected(
            generation: first.generation, status: response.statusCode,
            challenge: response.value(forHTTPHeaderField: "WWW-Authenticate"))
        guard decision == .retry, request.httpBodyStream == nil else { return answer }
        let second = try await manager.authorize(request)
        return try await data(for: second.request, redirectedBy: manager)
    }

    /// Uploads bytes with a token, as ``data(for:authorizedBy:)`` sends a request: once more with the next token if the server
    /// rejects the first.
    ///
    /// - Throws: ``TokenwardError`` if there is no token, or what the session throws.
    public func upload(
        for request: URLRequest, from body: Data, authorizedBy manager: any TokenKeeper
    ) async throws -> (Data, URLResponse) {
        var request = request
        request.httpBody = body
        return try await data(for: request, authorizedBy: manager)
    }

    /// A token goes nowhere that its manager does not know.
    private func data(
        for request: URLRequest, redirectedBy manager: any TokenKeeper
    ) async throws -> (Data, URLResponse) {
        #if canImport(FoundationNetworking)
            // Foundation on Linux loses any body on its way to where a redirect leads.
            let isReadOnce = request.httpBody != nil || request.httpBodyStream != nil
        #else
            let isReadOnce = request.httpBodyStream != nil
        #endif
        let exchanges = Exchanges { [method = request.httpMethod] next in
            // The same method takes the same body.
            if isReadOnce && next.httpMethod == method { return nil }
            return try? await manager.authorize(next).request
        }
        #if canImport(FoundationNetworking)
            let session = URLSession(configuration: configuration, delegate: exchanges, delegateQueue: nil)
            defer { session.finishTasksAndInvalidate() }
            return try await exchanges.run(session.dataTask(with: request))
        #else
            return try await data(for: request, delegate: AuthorizedRedirects(exchanges))
        #endif
    }
}

#if !canImport(FoundationNetworking)
    /// Redirects alone: for everything else the session's own delegate is asked.
    private final class AuthorizedRedirects: NSObject, URLSessionTaskDelegate {
        private let exchanges: Exchanges

        init(_ exchanges: Exchanges) {
            self.exchanges = exchanges
        }

        func urlSession(
            _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
            newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
        ) {
            exchanges.urlSession(
                session, task: task, willPerformHTTPRedirection: response, newRequest: request,
                completionHandler: completionHandler)
        }
    }
#endif
