internal import Foundation

// The executor: it does what `poll` says. One flight is under way at a time.
extension TokenManager {
    /// Ends when the token is usable and nothing is to be done, or when nothing more comes of waiting.
    func fly(_ flight: UInt64) async throws {
        var (trouble, prepared, isReplaced) = (nil as Trouble?, nil as Signed?, false)
        try await vault.claimed()
        try lookForSignIn()
        while true {
            if let failure = await settle() { trouble = Trouble(underlying: failure) }
            guard self.flight == flight, !isSignedOut else { throw TokenwardError.signedOut }
            let poll = try bridgedNow { try core.poll(now: $0) }
            switch poll.next {
            case .load, .store: continue
            case .request:
                // The app may be slow to answer: `poll` is asked again before anything is sent.
                guard let ready = prepared else {
                    prepared = try await signed(prepare())
                    continue
                }
                guard let begun = try begin(ready) else { continue }
                prepared = nil
                asks(flight)
                defer { hasAsked(flight) }
                trouble = try await request(begun, flight, again: !isReplaced)
                tell(trouble)
                isReplaced = true
                if trouble == nil && isUsable { return }
            case .supply(let id, let reason):
                guard let ask = source.program(for: reason) else {
                    if told.insert(reason).inserted {
                        announcements.send(.needsSignIn(reason: reason, signInBy: signInBy(poll)))
                    }
                    if poll.usable { return }
                    throw TokenwardError(supply: reason, trouble?.answer)
                }
                asks(flight)
                defer { hasAsked(flight) }
                trouble = try await supply(id, ask, flight)
                tell(trouble)
                if trouble == nil && isUsable { return }
            default:
                if poll.usable { return }
                prepared = nil
                let error = (trouble ?? Trouble()).told(seconds(until: poll.pollAt))
                guard await nap(until: poll.pollAt ?? .max, orThrow: error) else { throw error }
            }
        }
    }

    /// Why no token came, for whoever will not wait until there is another try.
    private struct Trouble {
        var answer: ServiceAnswer?
        var underlying: (any Error)?

        func told(_ retryAfter: TimeInterval?) -> TokenwardError {
            if let answer, answer.isRefusal { return .configuration(code: "refused", answer: answer) }
            return .temporarilyUnavailable(retryAfter: retryAfter, answer: answer, underlying: underlying)
        }
    }

    private func tell(_ trouble: Trouble?) {
        guard let trouble else { return }
        let isRefused = trouble.answer?.error != nil
        announcements.send(
            .refreshFailed(
                code: isRefused ? "refused" : (trouble.underlying as? TokenwardError)?.code ?? "no_answer",
                answer: trouble.answer, retryAfter: seconds(until: (try? core.poll(now: clock.now()))?.pollAt)))
    }

    /// A token has come, if storage has it so: another process may have signed out or in meanwhile.
    private func stored(_ flight: UInt64) async {
        await settle()
        if self.flight == flight, !isSignedOut, let generation = try? core.generation() { refreshed(generation) }
    }

    private var isUsable: Bool { (try? core.poll(now: clock.now()).usable) == true }

    // MARK: - A token request

    /// What a request is made of that the manager does not keep.
    struct Prepared: Sendable {
        let credentials: Credentials
        let bearer: Bearer?
    }

    /// The same for one request.
    struct Signed: Sendable {
        let credentials: Credentials
        let bearer: Bearer?
        let assertion: AssertionRecord
    }

    private struct Begun {
        let request: CoreRequest
        let id: UInt64
        let at: UInt64
        let bearer: Bearer?
    }

    func prepare() async throws -> Prepared {
        let bearer = try await bearer()
        guard case .credentials(let ask) = source else { return Prepared(credentials: Credentials(), bearer: bearer) }
        return Prepared(credentials: try await asked(ask), bearer: bearer)
    }

    /// What an assertion is made of, anew for each request: whether the client authenticates by one the provider says.
    func signed(_ ready: Prepared) async throws -> Signed {
        let credentials = ready.credentials
        var assertion = AssertionRecord(
            random: randomBytes(16), wall: clock.wall(),
            keyId: credentials.keyId, certificateThumbprint: credentials.signer?.certificateThumbprint,
            algorithm: credentials.signer?.algorithm, signature: nil)
        if let signer = credentials.signer,
            let input = try bridged({ try core.signingInput(clientId: credentials.clientId, assertion: assertion) })
        {
            assertion.signature = try await asked { try await signer.sign(input) }
        }
        return Signed(credentials: credentials, bearer: ready.bearer, assertion: assertion)
    }

    /// What a closure of the app's brings.
    private func asked<T: Sendable>(_ ask: @Sendable () async throws -> T) async throws -> T {
        do {
            return try await ask()
        } catch {
            throw error as? TokenwardError ?? TokenwardError.transport(underlying: error)
        }
    }

    /// `nil` where `poll` has something else to say by now.
    private func begin(_ ready: Signed) throws(TokenwardError) -> Begun? {
        try bridgedNow { now in
            do {
                let request = try core.begin(
                    now: now, clientId: ready.credentials.clientId, clientSecret: ready.credentials.clientSecret,
                    username: ready.credentials.username, password: ready.credentials.password,
                    bearer: ready.bearer?.token, assertion: ready.assertion,
                    values: listed(ready.credentials.values), parameters: listed(ready.credentials.parameters))
                return Begun(request: request, id: try request.id(), at: now, bearer: ready.bearer)
            } catch CoreError.State(let code, _) where ["not_due", "request_in_flight"].contains(code) {
                return nil
            }
        }
    }

    /// Sends it; why no token came.
    private func request(_ begun: Begun, _ flight: UInt64, again: Bool) async throws -> Trouble? {
        let response: TransportResponse
        do {
            response = try await send(begun.request, begunAt: begun.at)
        } catch {
            try? core.failed(now: clock.now(), requestId: begun.id)
            return Trouble(underlying: error)
        }
        let trouble: Trouble
        do {
            let outcome = try core.answer(
                now: clock.now(), requestId: begun.id, status: UInt32(clamping: response.status),
                headers: response.headers.flatMap { [$0.name, $0.value] }, body: response.body, wall: clock.wall())
            switch outcome {
            case .token:
                await stored(flight)
                return nil
            case .error(let code, _, _):
                trouble = Trouble(answer: ServiceAnswer(status: response.status, error: code))
            }
        } catch CoreError.State("stale_request", _) {
            // Signed out or installed meanwhile.
            return nil
        } catch CoreError.Input(let code, _, _), CoreError.Capacity(let code, _) {
            trouble = Trouble(
                answer: ServiceAnswer(status: response.status), underlying: TokenwardError.badAnswer(code: code))
        } catch {
            throw TokenwardError.internal
        }
        // A site token whose bearer was refused is asked for again with the parent's next one, once.
        if response.status == 401, let bearer = begun.bearer, again, try await bearer.isReplaced(after: response) {
            try core.retry()
            return nil
        }
        return trouble
    }

    /// Sends what the core has written.
    func send(_ request: CoreRequest, begunAt: UInt64) async throws -> TransportResponse {
        let address = try request.url()
        // The core checks where the request goes, the parent only where its token goes.
        if case .parent = source, address != (try core.tokenUrl()) { throw TokenwardError.internal }
        guard let url = URL(string: address) else { throw TokenwardError.internal }
        let fields = try request.headers()
        let message = TransportRequest(
            method: try request.method(), url: url,
            headers: stride(from: 0, to: fields.count - 1, by: 2).map { (fields[$0], fields[$0 + 1]) },
            body: try request.body(), timeout: TimeInterval(timeout) / 1000)
        // Others count on it that nothing is sent later, and this process may have slept.
        guard clock.now() <= begunAt + timeout / 4 else { throw URLError(.timedOut) }
        return try await transport.send(message)
    }

    // MARK: - A parent's token as bearer

    struct Bearer: Sendable {
        let parent: TokenManager
        let token: String
        let generation: UInt64

        /// Tells the parent of a 401, which may come with another token.
        func isReplaced(after response: TransportResponse) async throws -> Bool {
            let challenges = response.headers.filter { $0.name.lowercased() == "www-authenticate" }.map(\.value)
            let decision = try await parent.rejected(
                generation: generation, status: response.status,
                challenge: challenges.isEmpty ? nil : challenges.joined(separator: "\n"))
            if case .surface(let reason, _) = decision, reason == .revoked || reason == .noToken {
                throw TokenwardError.signInRequired(reason: reason.code)
            }
            return decision == .retry
        }
    }

    /// The parent's own rules decide whether its token opens this token endpoint.
    private func bearer() async throws -> Bearer? {
        guard case .parent(let parent) = source else { return nil }
        guard let url = URL(string: try bridged { try core.tokenUrl() }) else {
            throw TokenwardError.configuration(code: "bad_url")
        }
        let authorization = try await parent.authorize(method: "POST", url: url)
        return Bearer(
            parent: parent, token: authorization.header.split(separator: " ").last.map(String.init) ?? "",
            generation: authorization.generation)
    }

    // MARK: - A token from elsewhere

    /// Why no token came. What comes too late is stale.
    private func supply(
        _ id: UInt64, _ ask: @escaping @Sendable () async throws -> IssuedToken, _ flight: UInt64
    ) async throws -> Trouble? {
        try bridgedNow { try core.took(now: $0, id: id) }
        do {
            _ = try take(try await inTime(ask), supply: id)
            await stored(flight)
            return nil
        } catch CoreError.State("stale_request", _) {
            // Signed out or installed meanwhile.
            return nil
        } catch {
            let isRefused = error is CoreError
            try? core.supplyFailed(now: clock.now(), id: id, retryable: !isRefused)
            return Trouble(underlying: isRefused ? TokenwardError(refused: error) : error)
        }
    }

    /// What an app's closure brings within the time of a request: one that does not end is left to itself.
    func inTime<T: Sendable>(_ ask: @escaping @Sendable () async throws -> T) async throws -> T {
        let answer = Locked<Result<T, any Error>>(.failure(URLError(.timedOut)))
        let timer = Task { [clock, end = clock.now() + timeout] in await clock.sleep(until: end) }
        let asking = Task {
            do {
                let value = try await ask()
                answer.current = .success(value)
            } catch {
                answer.current = .failure(error)
            }
            timer.cancel()
        }
        await timer.value
        asking.cancel()
        return try answer.current.get()
    }
}

/// Name, value, name, value, in the order of the names.
func listed(_ values: [String: String]) -> [String] {
    values.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
}

extension ServiceAnswer {
    /// The service is there and will not give a token for this: waiting mends nothing.
    fileprivate var isRefusal: Bool {
        (400..<500).contains(status) && ![408, 425, 429].contains(status) && error != "slow_down"
    }
}
