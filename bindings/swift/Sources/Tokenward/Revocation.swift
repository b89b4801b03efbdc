internal import Foundation

// Signing out at the service, too (RFC 7009): whatever comes of it, it is signed out here.
extension TokenManager {
    /// What the client presents; `nil` where that does not come, which is told.
    func credentialsToRevoke() async -> Signed? {
        do {
            return try await inTime { [self] in
                var credentials = Credentials()
                if case .credentials(let ask) = source { credentials = try await ask() }
                return try await signed(Prepared(credentials: credentials, bearer: nil))
            }
        } catch {
            tell(error)
            return nil
        }
    }

    /// Has the core forget the token; the request that ends it at the service, if one can be written.
    func revocation(_ ready: Signed) -> CoreRequest? {
        do {
            return try core.revoke(
                clientId: ready.credentials.clientId, clientSecret: ready.credentials.clientSecret, bearer: nil,
                assertion: ready.assertion, values: listed(ready.credentials.values))
        } catch {
            tell(TokenwardError(refused: error))
            return nil
        }
    }

    func revoke(_ request: CoreRequest) async {
        do {
            let response = try await send(request, begunAt: clock.now())
            let status = response.status
            switch try core.revoked(status: UInt32(clamping: status), body: response.body) {
            case .done: break
            case .later:
                announcements.send(
                    .revocationFailed(code: "temporarily_unavailable", answer: ServiceAnswer(status: status)))
            case .refused(let code):
                announcements.send(
                    .revocationFailed(code: "refused", answer: ServiceAnswer(status: status, error: code)))
            }
        } catch {
            tell(error)
        }
    }

    private func tell(_ error: any Error) {
        announcements.send(.revocationFailed(code: (error as? TokenwardError)?.code ?? "no_answer", answer: nil))
    }
}
