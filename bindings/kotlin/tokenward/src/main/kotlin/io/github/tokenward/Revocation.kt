package io.github.tokenward

import io.github.tokenward.bridge.CoreException
import io.github.tokenward.bridge.CoreRequest
import io.github.tokenward.bridge.RevocationRecord

/** Signs out here, whatever comes of it at the service (RFC 7009): the request is written before the token is wiped. */
internal suspend fun TokenManager.signOutThere() {
    val ready = try {
        asked { signed(Prepared(if (source is TokenSource.Kind.Credentials) source.credentials() else Credentials.NONE)) }
    } catch (failed: Exception) {
        tell(failed)
        null
    }
    var request: CoreRequest? = null
    leave {
        if (ready == null) {
            bridged { core.clear() }
        } else {
            try {
                request = with(ready.credentials) {
                    core.revoke(clientId, clientSecret, bearer, ready.assertion, values)
                }
            } catch (refused: CoreException) {
                tell(refused.typed())
            }
        }
    }
    request?.let { present(it) }
}

private suspend fun TokenManager.present(request: CoreRequest) {
    val response = try {
        request.use { send(it, clock.instant()) }
    } catch (failed: Exception) {
        return tell(failed)
    }
    val status = response.status.coerceIn(0, MAX_STATUS)
    when (val said = bridged { core.revoked(status.toUInt(), response.body) }) {
        RevocationRecord.Done -> {}
        RevocationRecord.Later -> vault.report(TokenEvent.RevocationFailed("temporarily_unavailable", ServiceAnswer(status)))
        is RevocationRecord.Refused -> vault.report(TokenEvent.RevocationFailed(REFUSED, ServiceAnswer(status, said.code)))
    }
}

private fun TokenManager.tell(failed: Exception) =
    vault.report(TokenEvent.RevocationFailed((failed as? TokenwardException)?.code ?: NO_ANSWER, null))
