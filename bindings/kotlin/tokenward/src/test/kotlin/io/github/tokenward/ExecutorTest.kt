package io.github.tokenward

import io.github.tokenward.testing.Json
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.cancel
import kotlinx.coroutines.delay
import kotlinx.coroutines.job
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.sync.Semaphore
import kotlinx.coroutines.sync.withPermit
import kotlinx.coroutines.withTimeoutOrNull
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.DynamicTest.dynamicTest
import org.junit.jupiter.api.TestFactory
import java.io.File
import java.util.concurrent.ConcurrentHashMap
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.seconds

/** The scripts of `core/conformance/executors`, whose README says what their members mean. */
class ExecutorTest {
    @TestFactory
    fun `an executor does what poll says`(): List<DynamicTest> {
        val (turns, scope) = Semaphore(TURNS) to CoroutineScope(Dispatchers.IO)
        return File(SCRIPTS).listFiles { file -> file.extension == "json" }.orEmpty().sorted().map(::Script)
            .filter { "kotlin" in it.drivers }
            .map { script ->
                val outcome = scope.async { turns.withPermit { runCatching { play(script) } } }
                dynamicTest(script.name) { runBlocking { outcome.await() }.getOrThrow() }
            }
    }

    private suspend fun play(script: Script) = Stage(script).use { stage ->
        script.steps.forEachIndexed { number, step ->
            try {
                stage.step(ScriptMembers(step))
            } catch (failed: Throwable) {
                throw AssertionError("${script.name}, step ${number + 1}, ${Json.write(step)}: ${failed.message}", failed)
            }
        }
    }

    private companion object {
        const val SCRIPTS = "../../../core/conformance/executors"

        /** How many play at a time. */
        const val TURNS = 8
    }
}

private class Script(file: File) {
    val name: String = file.nameWithoutExtension
    private val members = ScriptMembers(Json.parse(file.readText())).also { it.take<String>("rule") }
    val service = members.take<String>("service")
    val storage = members.take<String>("storage")
    val patience = (members.number("patience_ms") ?: 5000).milliseconds
    val steps = members.list("steps")
    val drivers = members.texts("runs_on").also { members.end() }
}

/** One manager, and what is around it. */
private class Stage(private val script: Script) : AutoCloseable {
    /** How a call ended; null: it has not. */
    private class Call(var job: Job? = null, @Volatile var outcome: String? = null)

    private val provider = TokenProvider("scripted", "https://service.example", "/token") {
        primaryGrant = when (script.service) {
            "client", "both" -> TokenGrant.CLIENT_CREDENTIALS
            "password" -> TokenGrant.PASSWORD
            else -> null
        }
        refreshGrant = script.service in setOf("both", "refresh", "password")
        authentication = ClientAuthentication.POST
        policy = RefreshPolicy {
            jitterPermille = 0u
            marginMs = 0uL
            minIntervalMs = 0uL
            firstBackoffMs = 100uL
            maxBackoffMs = 400uL
            responseTimeoutMs = 2000uL
        }
    }
    private val service = ScriptedService()
    private val disk = ScriptedDisk()
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.IO)
    private val callers = HashMap<String, List<Call>>()
    private val lent = ConcurrentHashMap<String, Authorization>()
    private val events = ArrayList<String>()
    private lateinit var process: ScriptedProcess
    private var manager: TokenManager? = null
    private var leaving: Call? = null

    init {
        start(null)
    }

    private fun made(account: String?): TokenManager {
        val source = when (script.service) {
            "client", "both", "refresh" -> TokenSource.credentials { service.credentials() }
            "password" -> TokenSource.credentials { service.credentials("user", "word") }
            "fixed" -> TokenSource.fixed { IssuedToken("key") }
            "backend" -> TokenSource.backend(service::supply)
            else -> throw Differs("an unknown service")
        }
        val storage = when (script.storage) {
            "shared", "own" -> process
            "none" -> MemoryTokenStorage()
            else -> throw Differs("an unknown storage")
        }
        val options = TokenManagerOptions(requestTimeout = script.patience, dangerouslyAllowServerOnlyCredentials = true)
        return TokenManager(provider, TokenIdentity { this.account = account }, source, process, storage, options)
    }

    private fun start(account: String?) {
        val process = ScriptedProcess(disk, service, script.storage == "shared").also { process = it }
        val manager = made(account).also { manager = it }
        // Nothing happens before it is listened for.
        scope.launch(Dispatchers.Unconfined, CoroutineStart.UNDISPATCHED) {
            manager.events.collect { if (process.isAlive) synchronized(events) { events += text(it) } }
        }
    }

    private suspend fun stop(limit: Long) {
        val manager = present()
        manager.close()
        withTimeoutOrNull(limit) { manager.scope.coroutineContext.job.join() } ?: throw Differs("the manager does not end")
        this.manager = null
        process.kill()
    }

    private fun present() = manager ?: throw Differs("there is no manager")

    override fun close() {
        service.isOver = true
        process.kill()
        manager?.close()
        scope.cancel()
    }

    suspend fun step(step: ScriptMembers) {
        val limit = step.number("within_ms") ?: 10_000
        when {
            "answers" in step -> service.answer(step.list("answers").map(ScriptedService::Answer))
            "otherwise" in step -> service.otherwise(ScriptedService.Answer(step.take("otherwise")))
            "supply" in step -> service.supply(step.list("supply").map(ScriptedService::Supply))
            "credentials" in step -> service.person = step.take("credentials")
            "release" in step -> service.release(step.take("release"))
            "ask" in step -> {
                val (name, status) = step.take<String>("ask") to step.number("after")?.toInt()
                val count = step.number("callers")?.toInt()
                val start = if (count == null) CoroutineStart.UNDISPATCHED else CoroutineStart.DEFAULT
                // Callers of one name are told apart: each reports what it got itself.
                callers[name] = List(count ?: 1) { ask(present(), "$name $it", status, start) }
            }
            "got" in step -> {
                val calls = callers.getValue(step.take("got"))
                val wanted = step.text("token")?.let { "token $it" } ?: step.take<String>("error")
                val reason = step.text("reason")?.let { " $it" }.orEmpty()
                for (call in calls) same(ended(call, limit), wanted + reason)
            }
            "waits" in step -> {
                delay(LONGER)
                for (call in callers.getValue(step.take("waits"))) same(call.outcome ?: "waits", "waits")
            }
            "cancel" in step -> callers.getValue(step.take("cancel")).forEach { it.job?.cancel() }
            "requests" in step -> {
                val wanted = step.texts("requests")
                settled(limit) { service.requests >= wanted.size }
                same(service.takeRequests(), wanted)
            }
            "forget_requests" in step -> {
                flag(step, "forget_requests")
                service.takeRequests()
            }
            "supplies" in step -> {
                val count = step.take<ULong>("supplies").toInt()
                settled(limit) { service.asked >= count }
                same(service.asked, count)
            }
            "events" in step -> {
                val wanted = step.texts("events")
                settled(limit) { synchronized(events) { events.size >= wanted.size } }
                same(synchronized(events) { events.toList().also { events.clear() } }, wanted)
            }
            "state" in step -> {
                val (manager, wanted) = present() to step.take<String>("state")
                within(limit) { text(manager.state.value) == wanted }
                same(text(manager.state.value), wanted)
            }
            "sleep_ms" in step -> delay(step.take<ULong>("sleep_ms").toLong())
            else -> change(step, limit)
        }
        step.end()
    }

    /** What changes the manager, its process and its storage. */
    private suspend fun change(step: ScriptMembers, limit: Long) {
        when {
            "install" in step -> {
                val (manager, token) = present() to issued(step.take("install"))
                val call = call { manager.install(token) }
                if (!step.flag("pending")) same(ended(call, limit), "ok")
            }
            "sign_out" in step -> {
                val (manager, wanted) = present() to step.take<String>("sign_out")
                val call = call { manager.signOut() }.also { leaving = it }
                if (wanted != "pending") same(ended(call, limit), wanted)
            }
            "sign_out_ends" in step ->
                same(ended(leaving ?: throw Differs("nobody signs out"), limit), step.take<String>("sign_out_ends"))
            "reload" in step -> flag(step, "reload").also { present().reload() }
            "renew" in step -> flag(step, "renew").also { present().renew() }
            "retry" in step -> flag(step, "retry").also { present().retry() }
            "restart" in step -> {
                flag(step, "restart")
                stop(limit)
                start(null)
            }
            "stop" in step -> flag(step, "stop").also { stop(limit) }
            "start" in step -> flag(step, "start").also { start(step.text("account")) }
            "kill" in step -> {
                flag(step, "kill")
                for (call in callers.values.flatten()) call.job?.cancel()
                process.kill()
                start(null)
            }
            "storage" in step -> disk.state = step.take("storage")
            "damage" in step -> disk.damage(step.take("damage"))
            "other" in step -> ScriptedOther(provider, ScriptedProcess(disk, service, true)).use { it.act(step.take("other")) }
            "second" in step -> same(ended(call { made(null).close() }, limit), step.take<String>("second"))
            "status" in step -> {
                val (manager, status) = present() to ScriptMembers(step.take("status"))
                val usable = status.take<Boolean>("usable")
                status.end()
                same(ended(call { same(manager.status().isUsable, usable) }, limit), "ok")
            }
            else -> throw Differs("no driver knows this step")
        }
    }

    private fun ask(manager: TokenManager, name: String, status: Int?, start: CoroutineStart): Call {
        suspend fun authorize() = manager.authorize("GET", "https://service.example/api").also { lent[name] = it }
        return call(start) { call ->
            val refused = status?.let { manager.rejected((lent[name] ?: authorize()).generation, it) }
            call.outcome = if (refused is RetryDecision.Surface) {
                "surface ${refused.reason.code}"
            } else {
                "token ${authorize().header.removePrefix("Bearer ")}"
            }
        }
    }

    /** A call that has begun when its step ends, if many do not begin at once. */
    private fun call(start: CoroutineStart = CoroutineStart.UNDISPATCHED, make: suspend (Call) -> Unit) = Call().also { call ->
        call.job = scope.launch(start = start) {
            try {
                make(call)
                call.outcome = call.outcome ?: "ok"
            } catch (failed: Throwable) {
                call.outcome = text(failed)
            }
        }
    }

    private suspend fun ended(call: Call, limit: Long): String {
        within(limit) { call.outcome != null }
        return call.outcome ?: "waits"
    }

    /** Waits for what is expected, and a while longer for more. */
    private suspend fun settled(limit: Long, isSo: () -> Boolean) {
        within(limit, isSo)
        delay(LONGER)
    }

    private fun issued(json: Any?): IssuedToken {
        val token = ScriptMembers(json)
        val (access, lifetime) = token.text("token").orEmpty() to token.number("expires_in")?.seconds
        return IssuedToken(access, lifetime, token.text("refresh_token")).also { token.end() }
    }

    private companion object {
        const val LONGER = 300L
    }
}

private fun flag(step: ScriptMembers, name: String) {
    if (!step.take<Boolean>(name)) throw Differs("`$name` is true or not there")
}

private fun same(found: Any, wanted: Any) {
    if (found != wanted) throw Differs("$found instead of $wanted")
}

private fun text(failure: Throwable): String = when (failure) {
    is TokenwardException.SignInRequired -> "sign_in_required ${failure.reason}"
    is TokenwardException -> failure.code
    else -> "$failure"
}

private fun text(state: TokenState): String = when (state) {
    TokenState.NoToken -> "no_token"
    TokenState.SignedIn -> "signed_in"
    is TokenState.Refreshing -> "refreshing ${usable(state.isUsable)}"
    is TokenState.NeedsSignIn -> "needs_sign_in ${state.reason.code} ${usable(state.isUsable)}"
    TokenState.SignedOut -> "signed_out"
}

private fun usable(isUsable: Boolean) = if (isUsable) "usable" else "unusable"

private fun text(event: TokenEvent): String = when (event) {
    is TokenEvent.Refreshed -> "refreshed"
    is TokenEvent.RefreshFailed -> "refresh_failed ${event.code}"
    is TokenEvent.NeedsSignIn -> "needs_sign_in ${event.reason.code}"
    is TokenEvent.Rejected -> "rejected ${event.reason.code}"
    is TokenEvent.StorageFailed -> "storage_failed ${event.code}"
    is TokenEvent.RevocationFailed -> "revocation_failed ${event.code}"
    TokenEvent.SignedOut -> "signed_out"
}
