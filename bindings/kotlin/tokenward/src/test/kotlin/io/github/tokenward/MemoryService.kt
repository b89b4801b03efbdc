package io.github.tokenward

import io.github.tokenward.bridge.FoundRecord
import kotlinx.coroutines.CompletableDeferred
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.delay
import kotlinx.coroutines.test.StandardTestDispatcher
import kotlinx.coroutines.test.TestScope
import kotlinx.coroutines.test.currentTime
import java.io.IOException
import java.util.concurrent.CopyOnWriteArrayList
import kotlin.test.assertFailsWith
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** A token service in memory, with refresh tokens that rotate and may be used once. */
class MemoryService(private val lifetimeSeconds: Int = 3600, private val latency: Duration = 100.milliseconds) : TokenTransport {
    /** The bodies of all requests, in order. */
    val requests = CopyOnWriteArrayList<String>()

    /** The next answers in place of a token; each is given once. */
    val answers = ArrayDeque<TransportResponse>()

    @Volatile var isDown = false

    /** Holds answers back until it is completed. */
    @Volatile var gate: CompletableDeferred<Unit>? = null

    private val used = HashSet<String>()

    override suspend fun send(request: TransportRequest): TransportResponse {
        val body = checkNotNull(request.body).decodeToString()
        requests += body
        if (isDown) throw IOException("no route to host")
        delay(latency)
        gate?.await()
        answers.removeFirstOrNull()?.let { return it }
        val presented = Regex("refresh_token=([^&]+)").find(body)?.groupValues?.get(1)
        if (presented != null && !used.add(presented)) return answer(400, """{"error":"invalid_grant"}""")
        val serial = requests.size
        return answer(
            200,
            """{"access_token":"access-$serial","token_type":"Bearer","expires_in":$lifetimeSeconds,"refresh_token":"refresh-$serial"}""",
        )
    }

    /** `client_credentials`, `refresh_token`, … in order. */
    val grants: List<String> get() = requests.map { it.substringAfter("grant_type=").substringBefore('&') }

    companion object {
        fun answer(status: Int, body: String, vararg headers: Pair<String, String>) =
            TransportResponse(status, headers.map { (name, value) -> TransportHeader(name, value) }, body.encodeToByteArray())
    }
}

const val API = "https://api.acme.example/v1/things"

val ACME = TokenProvider("acme", "https://login.acme.example", "/oauth2/token") {
    apiOrigins = listOf("https://api.acme.example")
    primaryGrant = TokenGrant.CLIENT_CREDENTIALS
    refreshGrant = true
    authentication = ClientAuthentication.POST
    exposure = Exposure.APP_ALLOWED
    policy = RefreshPolicy { jitterPermille = 0u }
}

/** Tokens are installed. */
val NO_GRANT: TokenProvider.() -> Unit = {
    primaryGrant = null
    refreshGrant = false
}

val CREDENTIALS = TokenSource.credentials { Credentials("id", "client-secret-canary") }

/** What came in place of a token while a caller waited. */
suspend fun TokenManager.trouble(): Throwable? =
    assertFailsWith<TokenwardException.TemporarilyUnavailable> { authorize("GET", API) }.cause

/** A core alone. [isShared]: whether storage is; null: there is none. */
internal fun core(isShared: Boolean? = null, provider: TokenProvider = ACME, accessCapacity: Int = 4096) =
    LendingCore(0uL, provider, TokenIdentity {}, TokenManagerOptions(accessCapacity), 0uL, CREDENTIALS.kind, isShared)

/** A storage as another process has it: nothing shows that a manager of this one keeps it too. */
class Elsewhere(storage: TokenStorage) : TokenStorage by storage

/** What is stored; null if nothing is. */
fun TokenStorage.item(): ByteArray? {
    var item: ByteArray? = null
    locked { item = it.read() }
    return item
}

/** Whether what is stored says that somebody has signed out: then it holds no token. */
fun TokenStorage.isTombstone(provider: TokenProvider = ACME): Boolean = core(isShared, provider).use { core ->
    val id = (core.poll(0uL).next as TokenNext.Load).id
    core.loaded(0uL, null, id, sealKey(), listOf(item())) == FoundRecord.SIGNED_OUT
}

/** The virtual clock of a test. */
@OptIn(ExperimentalCoroutinesApi::class)
class VirtualClock(private val scope: TestScope) : TokenClock {
    override fun now(): Long = scope.currentTime

    override fun wall(): Long = START + scope.currentTime / 1000

    companion object {
        const val START = 1_800_000_000L
    }
}

/** A manager whose threads and clock are those of the test. */
fun TestScope.manager(
    transport: TokenTransport?,
    source: TokenSource = CREDENTIALS,
    provider: TokenProvider = ACME,
    identity: TokenIdentity = TokenIdentity {},
    storage: TokenStorage = MemoryTokenStorage(),
    allowServerOnly: Boolean = false,
    clock: TokenClock = VirtualClock(this),
    patience: Duration = 30.seconds,
): TokenManager {
    val dispatcher = StandardTestDispatcher(testScheduler)
    val options = TokenManagerOptions(4096, 4096, patience, allowServerOnly, clock)
    return TokenManager(provider, identity, source, transport, storage, options, dispatcher, dispatcher, 0)
}
