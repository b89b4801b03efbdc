package io.github.tokenward

import io.github.tokenward.bridge.CoreManager
import io.github.tokenward.bridge.OptionsRecord
import io.github.tokenward.bridge.SourceRecord
import io.github.tokenward.bridge.StorageRecord
import io.github.tokenward.testing.Json
import io.github.tokenward.testing.members
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.delay
import kotlinx.coroutines.withContext
import java.io.IOException
import kotlin.random.Random
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds
import kotlin.time.TimeSource

/** What a script says is not what came of it, or no driver knows it. */
class Differs(message: String) : AssertionError(message)

/** The members of an object of a script: each has to be taken, and as what it is. */
class ScriptMembers(json: Any?) {
    val rest = (json.members() ?: throw Differs("no object: $json")).toMutableMap()

    operator fun contains(name: String) = name in rest

    inline fun <reified T : Any> maybe(name: String): T? = if (name in rest) take<T>(name) else null

    inline fun <reified T : Any> take(name: String): T =
        rest.remove(name) as? T ?: throw Differs("no `$name`, or of another kind")

    fun text(name: String) = maybe<String>(name)

    fun number(name: String) = maybe<ULong>(name)?.toLong()

    fun flag(name: String) = maybe<Boolean>(name) ?: false

    fun list(name: String) = take<List<Any?>>(name)

    fun texts(name: String) = list(name).map { it as? String ?: throw Differs("no text in `$name`: $it") }

    fun end() {
        if (rest.isNotEmpty()) throw Differs("unknown: ${rest.keys}")
    }
}

/** The token service of a script, and what its app's function brings. */
class ScriptedService : TokenTransport {
    class Answer(json: Any?) {
        val response: TransportResponse
        val isCut: Boolean
        val after: Long
        val hold: String?

        init {
            val members = ScriptMembers(json)
            val body = LinkedHashMap<String, Any>()
            members.text("token")?.let { body += mapOf("access_token" to it, "token_type" to "Bearer") }
            for (name in listOf("refresh_token", "error")) members.text(name)?.let { body[name] = it }
            members.number("expires_in")?.let { body["expires_in"] = it }
            val fields = listOf("Retry-After" to members.text("retry_after"), "Location" to members.text("location"))
            response = TransportResponse(
                members.number("status")?.toInt() ?: 200,
                fields.mapNotNull { (name, value) -> value?.let { TransportHeader(name, it) } },
                (members.text("body") ?: Json.write(body)).encodeToByteArray(),
            )
            isCut = listOf("cut", "cut_body").map(members::flag).any { it }
            after = members.number("after_ms") ?: 0
            hold = members.text("hold")
            members.end()
        }
    }

    class Supply(json: Any?) {
        val token: String?
        val hold: String?

        init {
            val members = ScriptMembers(json)
            token = members.text("token")
            hold = members.text("hold")
            if ((token == null) != members.flag("fails")) throw Differs("a token, or none")
            members.end()
        }
    }

    private val answers = ArrayDeque<Answer>()
    private val supplies = ArrayDeque<Supply>()
    private val released = HashSet<String>()
    private var got = ArrayList<String>()
    private var otherwise = Answer(mapOf("status" to 500uL))

    /** The script is: nothing is held any more. */
    @Volatile
    var isOver = false

    @get:Synchronized
    var asked = 0
        private set

    val requests: Int @Synchronized get() = got.size

    @Synchronized
    fun answer(next: List<Answer>) {
        answers += next
    }

    @Synchronized
    fun otherwise(answer: Answer) {
        otherwise = answer
    }

    @Synchronized
    fun supply(next: List<Supply>) {
        supplies += next
    }

    @Synchronized
    fun release(hold: String) {
        released += hold
    }

    /** The requests since this was called last. */
    @Synchronized
    fun takeRequests(): List<String> = got.also { got = ArrayList() }

    @Synchronized
    private fun next(request: TransportRequest): Answer {
        got += text(request)
        return answers.removeFirstOrNull() ?: otherwise
    }

    @Synchronized
    private fun nextSupply(): Supply? {
        asked++
        return supplies.removeFirstOrNull()
    }

    override suspend fun send(request: TransportRequest): TransportResponse {
        val answer = next(request)
        delay(answer.after)
        untilReleased(answer.hold)
        if (answer.isCut) throw IOException("the connection has ended")
        return answer.response
    }

    /** A function that is deaf to its cancellation. */
    suspend fun supply(): IssuedToken = withContext(NonCancellable) {
        val supply = nextSupply()
        untilReleased(supply?.hold)
        IssuedToken(supply?.token ?: throw IOException("no token"))
    }

    /** What the function that brings the credentials waits for. */
    @Volatile
    var person: String? = null

    suspend fun credentials(username: String? = null, password: String? = null): Credentials {
        untilReleased(person)
        return Credentials("id", "secret", username, password)
    }

    private suspend fun untilReleased(hold: String?) {
        while (hold != null && !isOver && !synchronized(this) { hold in released }) delay(2)
    }

    /** The grant, and the refresh token that is presented. */
    private fun text(request: TransportRequest): String {
        val form = checkNotNull(request.body).decodeToString().split('&')
        return listOf("grant_type=", "refresh_token=").mapNotNull { name ->
            form.find { it.startsWith(name) }?.removePrefix(name)
        }.joinToString(" ")
    }
}

/** What outlives a process. */
class ScriptedDisk {
    @Volatile
    var bytes: ByteArray? = null

    @Volatile
    var key = ByteArray(SEAL_KEY_BYTES) { 7 }
        private set

    @Volatile
    var state = "works"
        set(state) {
            if (state !in STATES) throw Differs("an unknown state of storage")
            field = state
        }

    private var holder: ScriptedProcess? = null

    @Synchronized
    fun isTaken(by: ScriptedProcess): Boolean {
        if (holder != null || state == "held" || !by.isAlive) return false
        holder = by
        return true
    }

    @Synchronized
    fun letGo(by: ScriptedProcess) {
        if (holder === by) holder = null
    }

    fun damage(kind: String) {
        if (kind == "key") {
            key = ByteArray(SEAL_KEY_BYTES) { 0x5a }
            return
        }
        val whole = bytes ?: throw Differs("nothing is stored")
        bytes = when (kind) {
            "torn" -> whole.copyOf(whole.size / 2)
            "bit" -> whole.clone().also { it[40] = (it[40].toInt() xor 1).toByte() }
            "emptied" -> ByteArray(0)
            "deleted" -> null
            else -> throw Differs("an unknown damage")
        }
    }

    private companion object {
        val STATES = setOf("works", "unreadable", "unwritable", "held", "held_write", "silent")
    }
}

/** A process as its storage and its network see it: what it does after its end reaches neither. */
class ScriptedProcess(private val disk: ScriptedDisk, private val service: ScriptedService, override val isShared: Boolean) :
    TokenStorage,
    TokenTransport,
    StorageAccess {
    @Volatile
    var isAlive = true
        private set

    fun kill() {
        isAlive = false
        disk.letGo(this)
    }

    override fun sealKey() = disk.key

    override fun locked(body: (StorageAccess) -> Unit) {
        val end = TimeSource.Monotonic.markNow() + 5.seconds
        while (!disk.isTaken(this)) {
            if (end.hasPassedNow()) throw StorageLockedException("somebody else holds it")
            Thread.sleep(2)
        }
        try {
            if (disk.state != "silent") body(this)
        } finally {
            disk.letGo(this)
        }
    }

    override fun read(): ByteArray? {
        if (!isAlive || disk.state == "unreadable") throw IOException("unreadable")
        return disk.bytes
    }

    override fun write(item: ByteArray) {
        while (isAlive && disk.state == "held_write") Thread.sleep(2)
        if (!isAlive || disk.state == "unwritable") throw IOException("unwritable")
        disk.bytes = item
    }

    override suspend fun send(request: TransportRequest): TransportResponse {
        if (!isAlive) throw IOException("ended")
        return service.send(request)
    }
}

/** Another process on the same storage, which has the core and no executor. */
class ScriptedOther(provider: TokenProvider, private val process: ScriptedProcess) : AutoCloseable {
    private val clock = TokenClock.system
    private val core = CoreManager(
        clock.instant(),
        provider,
        TokenIdentity {},
        4096u,
        4096u,
        Random.nextLong().toULong(),
        true,
        OptionsRecord(StorageRecord(process.isShared, true, 1u, 0uL, false), SourceRecord.PERSON),
    )

    override fun close() = core.close()

    fun act(json: Any?) {
        settle()
        if (json == "sign_out") {
            core.clear()
            return settle()
        }
        val act = ScriptMembers(json)
        val token = ScriptMembers(act.take(if ("install" in act) "install" else "refresh"))
        val access = token.take<String>("token")
        val refresh = token.text("refresh_token")
        val seconds = token.maybe<ULong>("expires_in")
        token.end()
        val presented = act.text("presents")
        if (presented != null) {
            core.renew()
            settle()
            core.begin(clock.instant(), "id", "secret", null, null, null, null, emptyList(), emptyList()).use { request ->
                if ("&refresh_token=$presented&" !in checkNotNull(request.body()).decodeToString()) {
                    throw Differs("the other process presents something else")
                }
                val members = mapOf(
                    "access_token" to access,
                    "token_type" to "Bearer",
                    "expires_in" to seconds,
                    "refresh_token" to refresh,
                )
                val body = Json.write(members.filterValues { it != null }).encodeToByteArray()
                core.answer(clock.instant(), request.id(), 200u, emptyList(), body, clock.unixTime())
            }
        } else {
            core.install(clock.instant(), clock.unixTime(), access, null, seconds, refresh)
        }
        act.end()
        settle()
    }

    private fun settle() = process.locked { access ->
        while (isDone(access)) {
            // `poll` says what is next.
        }
    }

    /** Does what `poll` says of storage; false: that is nothing. */
    private fun isDone(access: StorageAccess): Boolean {
        val (now, wall) = clock.instant() to clock.unixTime()
        when (val next = core.poll(now).next) {
            is TokenNext.Load -> core.loaded(now, wall, next.id, process.sealKey(), listOf(access.read()))
            is TokenNext.Store -> {
                access.write(core.snapshot(now, wall, next.id, process.sealKey()))
                core.stored(now, next.id)
            }
            else -> return false
        }
        return true
    }
}

/** Waits until it is so; false: it is not within so many milliseconds. */
suspend fun within(limit: Long, isSo: () -> Boolean): Boolean {
    val end = TimeSource.Monotonic.markNow() + limit.milliseconds
    while (!isSo()) {
        if (end.hasPassedNow()) return false
        delay(5)
    }
    return true
}
