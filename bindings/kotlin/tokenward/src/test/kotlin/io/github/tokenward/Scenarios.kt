package io.github.tokenward

import io.github.tokenward.bridge.CoreException
import io.github.tokenward.bridge.CoreManager
import io.github.tokenward.bridge.ErrorCodeRecord
import io.github.tokenward.bridge.NextRecord
import io.github.tokenward.bridge.OutcomeRecord
import io.github.tokenward.bridge.PolicyRecord
import io.github.tokenward.bridge.ProviderRecord
import io.github.tokenward.bridge.RetryRecord
import io.github.tokenward.bridge.RouteRecord
import io.github.tokenward.bridge.customProvider
import io.github.tokenward.bridge.preset
import io.github.tokenward.testing.Json
import io.github.tokenward.testing.members

/**
 * Executes scenarios over the bridge alone: reads them from the standard input, one a line, and prints a line for each, an
 * array with what came of each step. Whoever reads it compares (docs/SCENARIOS.md). What cannot be read ends the driver.
 */
fun main() {
    System.out.bufferedWriter().use { out ->
        for (line in System.`in`.bufferedReader().lineSequence()) {
            out.appendLine(Json.write(Scenario(Json.parseObject(line)).results()))
        }
    }
}

private typealias Members = Map<String, Any?>

private class Scenario(private val scenario: Members) {
    private class Snapshot(val bytes: ByteArray, val all: Boolean, val revision: ULong)

    private var manager = newManager(emptyMap(), 0uL)

    /** Unix seconds at [epoch] milliseconds. */
    private var wall = scenario.integer("wall")
    private var epoch = 0uL
    private val requests = HashMap<String, ULong>()
    private var lastRequest = NEVER
    private var snapshot: Snapshot? = null

    /** What came of each step: all that its `expect` may name. */
    fun results(): List<Members> = (scenario["steps"] as List<*>).map { step ->
        val actual = try {
            act(step.members()!!)
        } catch (refused: CoreException) {
            mapOf("error" to refused.code)
        }
        actual + mapOf(
            "unpersisted" to (manager.unpersisted(true) != null),
            "unpersisted_refresh_token" to (manager.unpersisted(false) != null),
        )
    }.also { manager.close() }

    private fun wall(at: ULong): ULong? {
        val since = (if (at > epoch) at - epoch else 0uL) / 1000uL
        return wall?.let { if (it > ULong.MAX_VALUE - since) ULong.MAX_VALUE else it + since }
    }

    private fun act(step: Members): Members {
        val now = step.integer("at")!!
        when (val action = step.text("do")) {
            "poll" -> return poll(now)
            "begin" -> return begin(step, now)
            "answer" -> return answer(step, now)
            "failed" -> manager.failed(now, request(step))
            "rejected" -> return rejected(step, now)
            "authorize" -> return authorize(step, now)
            "install" ->
                return mapOf("generation" to manager.installJson(now, null, Json.write(step["token"]).encodeToByteArray()))
            "snapshot" -> {
                val all = step.text("scope") != "refresh_token"
                snapshot = Snapshot(manager.snapshot(now, wall(now), all, KEY), all, manager.revision())
            }
            "persisted" -> snapshot!!.let { manager.persisted(it.all, it.revision) }
            "reloaded" -> manager.reloaded()
            "retry" -> manager.retry()
            "renew" -> manager.renew()
            "clear" -> manager.clear()
            "restore" -> restore(step, now)
            "restart" -> {
                manager.close()
                manager = newManager(step, now)
                wall = step.integer("wall")
                epoch = now
                requests.clear()
                lastRequest = NEVER
                if (step["restore"] != false && snapshot != null) restore(step, now)
            }
            else -> error("nothing is called $action")
        }
        return emptyMap()
    }

    private fun poll(now: ULong): Members {
        val poll = manager.poll(now)
        val next = when (val next = poll.next) {
            NextRecord.Nothing -> mapOf("next" to "nothing")
            is NextRecord.Request -> mapOf("next" to "request", "grant" to next.grant)
            is NextRecord.AwaitAnswer -> mapOf("next" to "await")
            NextRecord.Wait -> mapOf("next" to "wait")
            NextRecord.Reload -> mapOf("next" to "reload")
            is NextRecord.Supply -> mapOf("next" to "supply", "reason" to next.reason)
        }
        return next + mapOf("usable" to poll.usable, "poll_at" to poll.pollAt)
    }

    private fun begin(step: Members, now: ULong): Members {
        val credentials = (step["credentials"] ?: scenario["credentials"]).members().orEmpty()
        val (id, secret, username, password, bearer) = CREDENTIALS.map { credentials.text(it) }
        return manager.begin(now, id, secret, username, password, bearer).use { request ->
            lastRequest = request.id()
            step.text("as")?.let { requests[it] = lastRequest }
            mapOf(
                "method" to request.method(),
                "url" to request.url(),
                "headers" to request.headers().chunked(2),
                "body" to (request.body()?.decodeToString() ?: ""),
            )
        }
    }

    private fun request(step: Members): ULong {
        val name = step.text("request") ?: return lastRequest
        return requests[name] ?: NEVER
    }

    private fun answer(step: Members, now: ULong): Members {
        val body = step.text("body_hex")?.chunked(2) { "$it".toInt(16).toByte() }?.toByteArray()
            ?: step.text("body").orEmpty().encodeToByteArray()
        val status = step.integer("status")!!.toUInt()
        return when (val outcome = manager.answer(now, request(step), status, step.headers().flatten(), body, wall(now))) {
            is OutcomeRecord.Token -> mapOf("outcome" to "token", "generation" to outcome.generation)
            is OutcomeRecord.Error -> mapOf("outcome" to "error", "error_code" to outcome.code)
        }
    }

    private fun rejected(step: Members, now: ULong): Members {
        val generation = step.integer("generation") ?: manager.generation()
        val challenges = step.headers().filter { (name) -> name.equals("www-authenticate", ignoreCase = true) }.map { it[1] }
        val challenge = challenges.takeIf { it.isNotEmpty() }?.joinToString()
        return when (val retry = manager.rejected(now, generation, step.integer("status")!!.toUInt(), challenge)) {
            RetryRecord.Now -> mapOf("retry" to "now")
            RetryRecord.AfterRefresh -> mapOf("retry" to "after_refresh")
            is RetryRecord.Surface -> mapOf("retry" to "surface", "reason" to retry.reason)
        }
    }

    private fun authorize(step: Members, now: ULong): Members {
        val (generation, header) = manager.authorize(now, step.text("method")!!, step.text("url")!!).split(" ", limit = 2)
        return mapOf("header" to header, "generation" to generation.toULong())
    }

    private fun restore(step: Members, now: ULong) {
        var bytes = snapshot!!.bytes.copyOf()
        step.integer("flip")?.let { bit ->
            val place = (bit / 8uL % bytes.size.toULong()).toInt()
            bytes[place] = (bytes[place].toInt() xor (1 shl (bit % 8uL).toInt())).toByte()
        }
        step.integer("cut")?.let { kept -> if (kept < bytes.size.toULong()) bytes = bytes.copyOf(kept.toInt()) }
        manager.restore(now, wall(now), step.integer("floor") ?: 0uL, KEY, bytes)
    }

    private fun newManager(overrides: Members, at: ULong): CoreManager {
        val capacity = scenario["capacity"].members().orEmpty()
        fun slot(name: String) = (capacity.integer(name) ?: DEFAULT_SLOT).toUInt()
        val site = overrides.text("site") ?: scenario.text("site")
        val seed = scenario.integer("seed") ?: 0uL
        return CoreManager(at, provider(overrides), site, slot("access"), slot("refresh"), seed, true)
    }

    private fun provider(overrides: Members): ProviderRecord {
        fun member(member: String) = overrides.text(member) ?: scenario.text(member)

        val described = scenario["provider"].members()
        val record = described?.let(::custom)?.apply {
            environment = overrides.text("environment") ?: environment
            baseUrl = overrides.text("base_url") ?: baseUrl
        } ?: when (val name = scenario.text("provider")!!) {
            "flip_utility", "flip_utility_api_key", "flute" -> preset(name, member("environment"), null, null)
            "flip_energy_site" -> preset(name, null, member("base_url"), member("issued_by"))
            else -> preset(name, null, member("base_url"), null)
        }
        record.allowLoopbackHttp = scenario["allow_loopback_http"] == true
        record.policy.jitterPermille = 0u
        for (numbers in listOf(described?.get("policy"), scenario["policy"])) record.policy.change(numbers.members().orEmpty())
        return record
    }

    /** A provider object; what it leaves out has the default of a custom provider. */
    private fun custom(members: Members): ProviderRecord = customProvider().apply {
        apiOrigins = members.texts("api_origins")
        anyHttps = apiOrigins.isEmpty()
        name = members.text("name").orEmpty()
        environment = members.text("environment").orEmpty()
        baseUrl = members.text("token_url").orEmpty()
        grants = members.texts("grants")
        authentication = members.text("authentication") ?: authentication
        body = members.text("body") ?: body
        scope = members.text("scope").orEmpty()
        memberPath = members.text("member_path").orEmpty()
        errorPath = members.text("error_path").orEmpty()
        errorCodes = members["error_codes"].members().orEmpty().map { (own, code) -> ErrorCodeRecord(own, code as String) }
        tokenTypeRequired = members["token_type_required"] == true
        tokenTypeAliases = members.texts("token_type_aliases")
        tokenAlphabet = members.text("token_alphabet") ?: tokenAlphabet
        when (val given = members["missing_lifetime"]) {
            null -> {}
            is String -> {
                missingLifetime = given
                missingLifetimeSeconds = 0uL
            }
            else -> {
                val policy = given.members()!!
                missingLifetime = listOf("jwt_expiry_else", "assume").first { it in policy }
                missingLifetimeSeconds = policy.integer(missingLifetime)!!
            }
        }
        zeroLifetime = members.text("zero_lifetime") ?: zeroLifetime
        routes = (members["routes"] as List<*>?).orEmpty().map { route ->
            val row = route.members()!!
            RouteRecord(row.text("method")!!, row.text("path")!!, row.text("token")!!)
        }
        exposure = members.text("exposure") ?: exposure
    }

    private fun PolicyRecord.change(numbers: Members) {
        fun number(name: String, now: ULong) = numbers.integer(name) ?: now

        fun small(name: String, now: UInt) = numbers.integer(name)?.toUInt() ?: now
        fractionPermille = small("fraction_permille", fractionPermille)
        marginMs = number("margin_ms", marginMs)
        minIntervalMs = number("min_interval_ms", minIntervalMs)
        jitterPermille = small("jitter_permille", jitterPermille)
        startupSpreadMs = number("startup_spread_ms", startupSpreadMs)
        responseTimeoutMs = number("response_timeout_ms", responseTimeoutMs)
        firstBackoffMs = number("first_backoff_ms", firstBackoffMs)
        maxBackoffMs = number("max_backoff_ms", maxBackoffMs)
        maxLifetimeS = number("max_lifetime_s", maxLifetimeS)
        refreshAttempts = small("refresh_attempts", refreshAttempts)
        sharedStorage = numbers["shared_storage"] as Boolean? ?: sharedStorage
    }

    private companion object {
        /** The sealing key of every scenario: what it proves does not depend on it. */
        val KEY = ByteArray(32) { 0x5C }

        /** An id that was never given out, for a request that another process sent. */
        const val NEVER = ULong.MAX_VALUE
        const val DEFAULT_SLOT = 2048uL
        val CREDENTIALS = listOf("client_id", "client_secret", "username", "password", "bearer")
    }
}

private fun Members.text(name: String): String? = this[name] as String?

private fun Members.texts(name: String): List<String> = (this[name] as List<*>?).orEmpty().map { it as String }

/** A whole number, or a string of one beyond 2^53. */
private fun Members.integer(name: String): ULong? = this[name].let { (it as? String)?.toULong() ?: it as ULong? }

private fun Members.headers(): List<List<String>> = (this["headers"] as List<*>?).orEmpty().map { pair ->
    (pair as List<*>).map { it as String }
}
