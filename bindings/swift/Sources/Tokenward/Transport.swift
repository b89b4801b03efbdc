public import Foundation

#if canImport(FoundationNetworking)
    public import FoundationNetworking
#endif

/// How requests to a token endpoint travel. An implementation follows no redirect, keeps no cookie and no cache, and
/// ends by the request's timeout.
public protocol TokenTransport: Sendable {
    /// - Throws: Anything, where no whole answer came.
    func send(_ request: TransportRequest) async throws -> TransportResponse
}

public typealias TransportHeader = (name: String, value: String)

/// A request to a token endpoint. It carries credentials.
public struct TransportRequest: Sendable {
    public let method: String
    public let url: URL
    public let headers: [TransportHeader]
    public let body: Data?
    /// Seconds.
    public let timeout: TimeInterval
}

/// Its answer. It carries tokens.
public struct TransportResponse: Sendable {
    public let status: Int
    public let headers: [TransportHeader]
    public let body: Data

    public init(status: Int, headers: [TransportHeader], body: Data) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

extension TransportRequest: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "TransportRequest(\(method) \(url))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, showing: ["method": method, "url": url]) }
}

extension TransportResponse: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "TransportResponse(\(status))" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, showing: ["status": status]) }
}

/// Token requests over a `URLSession` of its own.
public final class URLSessionTransport: TokenTransport {
    /// No token answer is longer; what is counts as broken.
    static let maximumBody = 256 * 1024

    private let configuration: URLSessionConfiguration

    /// - Parameter configuration: Copied. Cookies, caches and stored credentials are turned off in any case, and how long a
    ///   request may take, the provider's policy says.
    public init(configuration: URLSessionConfiguration = .ephemeral) {
        self.configuration = configuration.copy() as? URLSessionConfiguration ?? .ephemeral
        self.configuration.urlCache = nil
        self.configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
        self.configuration.httpCookieStorage = nil
        self.configuration.httpShouldSetCookies = false
        self.configuration.urlCredentialStorage = nil
    }

    public func send(_ request: TransportRequest) async throws -> TransportResponse {
        var sent = URLRequest(url: request.url.withLowercasedScheme, timeoutInterval: request.timeout)
        sent.httpMethod = request.method
        sent.httpBody = request.body
        for (name, value) in request.headers { sent.setValue(value, forHTTPHeaderField: name) }
        // On a connection of its own: where one that was used before turns out to be closed, HTTP clients may send a
        // request again, and the service may have taken it already.
        let exchanges = Exchanges(maximumBody: Self.maximumBody) { _ in nil }
        let configuration = configuration.copy() as? URLSessionConfiguration ?? configuration
        if sent.url?.scheme == "http" { configuration.connectionProxyDictionary = [:] }
        configuration.timeoutIntervalForRequest = request.timeout
        configuration.timeoutIntervalForResource = request.timeout
        let session = URLSession(configuration: configuration, delegate: exchanges, delegateQueue: nil)
        defer { session.finishTasksAndInvalidate() }
        let task = session.dataTask(with: sent)
        // The session's own timeout starts anew with each byte.
        let limit = DispatchWorkItem { exchanges.fail(task, URLError(.timedOut)) }
        DispatchQueue.global().asyncAfter(deadline: .now() + request.timeout, execute: limit)
        defer { limit.cancel() }
        let (body, response) = try await exchanges.run(task)
        return TransportResponse(
            status: response.statusCode, headers: response.allHeaderFields.map { ("\($0.key)", "\($0.value)") },
            body: body)
    }
}

#if canImport(FoundationNetworking)
    /// Foundation on Linux leaves proxies to libcurl, which takes them from the environment: also for plain `http`, which
    /// is for this machine alone.
    private func isProxied(_ url: URL?) -> Bool {
        let environment = ProcessInfo.processInfo.environment
        func isSet(_ name: String) -> Bool { environment[name].map { !$0.isEmpty } ?? false }
        guard let url, url.scheme == "http", ["http_proxy", "all_proxy", "ALL_PROXY"].contains(where: isSet) else {
            return false
        }
        let direct = (environment["no_proxy"] ?? environment["NO_PROXY"] ?? "").split { ", ".contains($0) }
        return !direct.contains { $0 == "*" || $0 == url.host ?? "" }
    }
#else
    private func isProxied(_ url: URL?) -> Bool { false }
#endif

extension URL {
    /// Foundation on Linux knows `http`, but not `HTTP`.
    fileprivate var withLowercasedScheme: URL {
        var components = URLComponents(url: self, resolvingAgainstBaseURL: false)
        components?.scheme = scheme?.lowercased()
        return components?.url ?? self
    }
}

/// The exchanges of one session, as its delegate. (Foundation on Linux asks a task's own delegate nothing.)
final class Exchanges: NSObject, URLSessionDataDelegate, @unchecked Sendable {
    typealias Answer = (Data, HTTPURLResponse)

    private struct Exchange {
        let continuation: CheckedContinuation<Answer, any Error>
        var body = Data()
        var isChallenged = false
    }

    private let running = Locked<[Int: Exchange]>([:])
    private let maximumBody: Int
    private let redirected: @Sendable (URLRequest) async -> URLRequest?

    /// - Parameter redirected: The request to follow a redirect with; `nil`: the redirect is the answer.
    init(maximumBody: Int = .max, redirected: @escaping @Sendable (URLRequest) async -> URLRequest?) {
        self.maximumBody = maximumBody
        self.redirected = redirected
    }

    func run(_ task: URLSessionTask) async throws -> Answer {
        if isProxied(task.originalRequest?.url) {
            task.cancel()
            let advice = "plain http to this machine would go through a proxy: name the host in no_proxy"
            throw URLError(.cannotConnectToHost, userInfo: [NSLocalizedDescriptionKey: advice])
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                running.with { $0[task.taskIdentifier] = Exchange(continuation: continuation) }
                task.resume()
            }
        } onCancel: {
            task.cancel()
        }
    }

    func fail(_ task: URLSessionTask, _ error: URLError) {
        end(task, .failure(error))
        task.cancel()
    }

    private func end(_ task: URLSessionTask, _ result: Result<Answer, any Error>) {
        running.with { $0.removeValue(forKey: task.taskIdentifier) }?.continuation.resume(with: result)
    }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
    ) {
        Task { [redirected] in completionHandler(isProxied(request.url) ? nil : await redirected(request)) }
    }

    /// A refusal of our own credentials is an answer: nobody is asked for others.
    func urlSession(
        _ session: URLSession, task: URLSessionTask, didReceive challenge: URLAuthenticationChallenge,
        completionHandler: @escaping @Sendable (URLSession.AuthChallengeDisposition, URLCredential?) -> Void
    ) {
        let passwords = [NSURLAuthenticationMethodHTTPBasic, NSURLAuthenticationMethodHTTPDigest]
        let isPassword = passwords.contains(challenge.protectionSpace.authenticationMethod)
        if isPassword { running.with { $0[task.taskIdentifier]?.isChallenged = true } }
        completionHandler(isPassword ? .rejectProtectionSpace : .performDefaultHandling, nil)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        let length = running.with { running in
            running[dataTask.taskIdentifier]?.body.append(data)
            return running[dataTask.taskIdentifier]?.body.count ?? 0
        }
        if length > maximumBody { fail(dataTask, URLError(.dataLengthExceedsMaximum)) }
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        let exchange = running.with { $0[task.taskIdentifier] }
        // Foundation on Linux counts the rejected challenge as a cancellation; the answer is there all the same.
        let isWhole = error == nil || exchange?.isChallenged == true && (error as? URLError)?.code == .cancelled
        guard isWhole, let exchange, let response = task.response as? HTTPURLResponse else {
            return end(task, .failure(error ?? URLError(.badServerResponse)))
        }
        end(task, .success((exchange.body, response)))
    }
}
