internal import Foundation

// What happens between "there is no token" and "there is one". One flight is under way at a time.
extension TokenManager {
    /// Ends when the token is fresh, or when a usable one has to wait for its refresh; without a trace when someone has
    /// signed out since the session began.
    func fly(in session: Int) async throws {
        let deadline = clock.now() + UInt64(timeout * 1000)
        var asked = false
        while true {
            let report = await vault.sync(in: session)
            note(report)
            try bridgedNow { _ in try report.result.get() }
            try proceed(in: session)
            let poll = try bridgedNow { try core.poll(now: $0) }
            // Locked is not empty: a token may be there.
            if !poll.usable, !vault.wasRead, let failure = report.failure, failure.code == "storage_locked" {
                throw failure
            }
            switch poll.next {
            case .nothing: return
            case .wait, .awaitAnswer:
                if poll.usable { return }
                try await pause(until: poll.pollAt, deadline: deadline)
            // Only a core with storage of its own says the last two.
            case .reload, .load, .store: throw report.failure ?? .internal
            case .supply(_, let reason): return try await supply(reason, in: session, deadline: deadline)
            case .request:
                // A site token whose bearer was refused is asked for again with the parent's next one, once.
                if try await request(in: session, again: !asked) { return }
                asked = true
            }
        }
    }

    /// A sign-out, here or in another process, is not followed by a sign-in that nobody asked for.
    private func proceed(in session: Int) throws(TokenwardError) {
        guard vault.session == session, !vault.isSignedOut else { throw .signedOut }
    }

    /// Sleeps until `poll` may answer otherwise. Another process that refreshes is done long before.
    private func pause(until pollAt: UInt64?, deadline: UInt64) async throws(TokenwardError) {
        let now = clock.now()
        let until = pollAt ?? .max
        if until > deadline && !(vault.storage.isShared && now < deadline) {
            throw .temporarilyUnavailable(retryAfter: pollAt.map { TimeInterval($0 - min($0, now)) / 1000 })
        }
        await clock.sleep(milliseconds: min(until - min(until, now), vault.storage.isShared ? Self.glance : .max))
    }

    // MARK: - A token request

    /// Begin, persist, send; answer, persist, use. True where a token came, false where `poll` has to be asked again.
    private func request(in session: Int, again: Bool) async throws -> Bool {
        let bearer = try await bearer()
        let credentials = try await credentials()
        let report = await vault.transact(in: session) { [core, clock, vault] in
            // Another process may have been faster.
            guard case .request(let grant) = try core.poll(now: clock.now()).next else { return nil as Begun? }
            let request = try core.begin(
                now: clock.now(), clientId: credentials.clientId, clientSecret: credentials.clientSecret,
                username: credentials.username, password: credentials.password, bearer: bearer?.token)
            vault.owe()
            return Begun(request: request, id: try request.id(), grant: grant)
        }
        note(report)
        guard let begun = try bridgedNow({ _ in try report.result.get() }) else { return false }
        do {
            try proceed(in: session)
            // A refresh that storage does not announce could be another process's as well.
            if vault.storage.isShared, begun.grant == .refreshToken,
                try core.unpersisted(all: true) != nil
            {
                throw report.failure ?? TokenwardError.storage(code: "storage_failed", underlying: nil)
            }
            let response = try await send(begun.request, bearer)
            return try await take(response, begun, bearer, in: session, again: again)
        } catch let failure as NoAnswer {
            try? core.failed(now: clock.now(), requestId: begun.id)
            throw TokenwardError.transport(underlying: failure.underlying)
        } catch let failure as TokenwardError {
            try? core.failed(now: clock.now(), requestId: begun.id)
            throw failure
        }
    }

    private struct Begun: Sendable {
        let request: CoreRequest
        let id: UInt64
        let grant: TokenGrant
    }

    private struct NoAnswer: Error {
        let underlying: any Error
    }

    private func send(_ request: CoreRequest, _ bearer: Bearer?) async throws -> TransportResponse {
        let text = try bridgedNow { _ in try request.url() }
        guard let url = URL(string: text), bearer == nil || bearer?.url == text else { throw TokenwardError.internal }
        let fields = try bridgedNow { _ in try request.headers() }
        let sent = TransportRequest(
            method: try bridgedNow { _ in try request.method() }, url: url,
            headers: stride(from: 0, to: fields.count - 1, by: 2).map { (fields[$0], fields[$0 + 1]) },
            body: try bridgedNow { _ in try request.body() }, timeout: timeout)
        do {
            return try await transport.send(sent)
        } catch {
            throw NoAnswer(underlying: error)
        }
    }

    private func take(
        _ response: TransportResponse, _ begun: Begun, _ bearer: Bearer?, in session: Int, again: Bool
    ) async throws -> Bool {
        let refusal: TokenwardError
        do {
            let outcome = try core.answer(
                now: clock.now(), requestId: begun.id, status: UInt32(clamping: response.status),
                headers: response.headers.flatMap { [$0.name, $0.value] }, body: response.body, wall: clock.wall())
            if case .token(let generation) = outcome {
                persisting += 1
                defer { wasPersisted() }
                note(await vault.sync(in: session, owing: true))
                try proceed(in: session)
                stored(generation)
                return true
            }
            note(await vault.sync(in: session, owing: true))
            refusal = .temporarilyUnavailable(retryAfter: nil)
        } catch CoreError.State("stale_request", _) {
            // Signed out or installed meanwhile.
            return false
        } catch CoreError.Input(let code, _, _), CoreError.Capacity(let code, _) {
            // It may have brought a new refresh token all the same.
            note(await vault.sync(in: session, owing: true))
            let inTrouble = response.status >= 500 || [408, 425, 429].contains(response.status)
            refusal = inTrouble ? .temporarilyUnavailable(retryAfter: nil) : .badAnswer(code: code)
        } catch {
            throw TokenwardError.internal
        }
        if response.status == 401, let bearer, again, try await bearer.isReplaced(after: response) { return false }
        let (now, poll) = try bridgedNow { ($0, try core.poll(now: $0)) }
        guard case .wait = poll.next else { return false }
        if case .temporarilyUnavailable = refusal {
            throw TokenwardError.temporarilyUnavailable(
                retryAfter: poll.pollAt.map { TimeInterval($0 - min($0, now)) / 1000 })
        }
        throw refusal
    }

    private func credentials() async throws -> Credentials {
        guard case .credentials(let ask) = source else { return Credentials() }
        return try await asking(ask)
    }

    // MARK: - A parent's token as bearer

    private struct Bearer {
        let parent: TokenManager
        let url: String
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
        let url = try bridgedNow { _ in try core.tokenUrl() }
        guard let target = URL(string: url) else { throw TokenwardError.configuration(code: "bad_url", fact: nil) }
        let authorization = try await parent.authorize(method: "POST", url: target)
        return Bearer(
            parent: parent, url: url, token: String(authorization.header.dropFirst("Bearer ".count)),
            generation: authorization.generation)
    }

    // MARK: - A token from elsewhere

    private func supply(_ reason: TokenReason, in session: Int, deadline: UInt64) async throws {
        switch (source, reason) {
        case (.fixed(let ask), .noToken), (.backend(let ask), .noToken), (.backend(let ask), .revoked),
            (.backend(let ask), .refreshTokenRejected), (.backend(let ask), .grantRejected):
            let usable = try bridgedNow { try core.poll(now: $0).usable }
            while clock.now() < supplyAt {
                if usable { return }
                try await pause(until: supplyAt, deadline: deadline)
            }
            do {
                try await keep(try await asking(ask), in: session)
            } catch {
                try proceed(in: session)
                supplyFailures += 1
                let doubled = policy.firstBackoffMs << min(supplyFailures - 1, 20)
                supplyAt = clock.now() + min(doubled, policy.maxBackoffMs)
                throw error
            }
        default:
            let error = TokenwardError(supply: reason)
            if case .signInRequired = error { announcements.send(.needsSignIn(reason: reason)) }
            throw error
        }
    }

    /// Asks an app's closure. Its failures are those of the way to its server.
    private func asking<T: Sendable>(_ ask: @Sendable () async throws -> T) async throws(TokenwardError) -> T {
        do {
            return try await ask()
        } catch let error as TokenwardError {
            throw error
        } catch {
            throw .transport(underlying: error)
        }
    }
}
