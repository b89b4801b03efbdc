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
import java.io.File
import java.io.IOException
import java.nio.charset.CharacterCodingException
import java.nio.file.Files
import kotlin.system.exitProcess

/**
 * Runs scenarios over the bridge alone. Prints `{"file":…,"ok":…,"difference":…}` for each file; ends with 1 where any differs.
 */
fun main(files: Array<String>) {
    var different = 0
    System.out.bufferedWriter().use { out ->
        for (file in files) {
            val difference = difference(file)
            if (difference != null) different++
            out.appendLine(Json.write(mapOf("file" to file, "ok" to (difference == null), "difference" to difference)))
        }
    }
    exitProcess(if (different == 0) 0 else 1)
}

/** The first difference, or why the file is no scenario. */
internal fun difference(file: String): String? {
    val text = try {
        Files.readString(File(file).toPath())
    } catch (unreadable: IOException) {
        val why = if (unreadable is CharacterCodingException) "stream did not contain valid UTF-8" else unreadable.message
        return "cannot be read: $why"
    }
    val scenario = try {
        Json.parse(text)
    } catch (fault: IllegalArgumentException) {
        return "is no JSON: ${fault.message}"
    }
    return try {
        Scenario(scenario.members() ?: no("a scenario is an object")).run()
    } catch (fault: NoScenario) {
        "is no scenario: ${fault.message}"
    }
}

/** The file says something that no scenario says. */
private class NoScenario(fault: String) : Exception(fault)

private fun no(fault: String): Nothing = throw NoScenario(fault)

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

    fun run(): String? = try {
        scenario.text("name")
        val steps = scenario["steps"] as? List<*> ?: no("`steps` is an array")
        steps.withIndex().firstNotNullOfOrNull { (index, step) ->
            try {
                run(index, step.members() ?: no("a step is an object"))
            } catch (fault: NoScenario) {
                no("step $index: ${fault.message}")
            }
        }
    } finally {
        manager.close()
    }

    private fun run(index: Int, step: Members): String? {
        val at = step.needInteger("at")
        val action = step.needText("do")
        val actual = LinkedHashMap<String, Any?>()
        try {
            actual += act(step, action, at)
        } catch (refused: CoreException) {
            actual["error"] = refused.code
        }
        actual["unpersisted"] = manager.unpersisted(true) != null
        actual["unpersisted_refresh_token"] = manager.unpersisted(false) != null
        val expect = if ("expect" in step) step["expect"].members() ?: no("`expect` is an object") else emptyMap()
        return difference(expect, actual)?.let { "step $index ($action at $at): $it" }
    }

    private fun wall(at: ULong): ULong? {
        val since = (if (at > epoch) at - epoch else 0uL) / 1000uL
        return wall?.let { if (it > ULong.MAX_VALUE - since) ULong.MAX_VALUE else it + since }
    }

    private fun act(step: Members, action: String, now: ULong): Members {
        when (action) {
            "poll" -> return poll(now)
            "begin" -> return begin(step, now)
            "answer" -> return answer(step, now)
            "failed" -> manager.failed(now, request(step))
            "rejected" -> return rejected(step, now)
            "authorize" -> return authorize(step, now)
            "install" -> {
                if ("token" !in step) no("`token` is missing")
                return mapOf("generation" to manager.installJson(now, null, Json.write(step["token"]).encodeToByteArray()))
            }
            "snapshot" -> {
                val all = when (val scope = step.text("scope")) {
                    null, "all" -> true
                    "refresh_token" -> false
                    else -> no("no scope ${Json.write(scope)}")
                }
                snapshot = Snapshot(manager.snapshot(now, wall(now), all, KEY), all, manager.revision())
            }
            "persisted" -> {
                val written = snapshot ?: no("`persisted` without a snapshot")
                manager.persisted(written.all, written.revision)
            }
            "reloaded" -> manager.reloaded()
            "retry" -> manager.retry()
            "renew" -> manager.renew()
            "clear" -> manager.clear()
            "restore" -> restore(step, now)
            "restart" -> {
                val next = newManager(step, now)
                manager.close()
                manager = next
                wall = step.integer("wall")
                epoch = now
                requests.clear()
                lastRequest = NEVER
                if (step["restore"] != false && snapshot != null) restore(step, now)
            }
            else -> no("nothing is called ${Json.write(action)}")
        }
        return emptyMap()
    }

    private fun poll(now: ULong): Members {
        val poll = manager.poll(now)
        val actual = linkedMapOf<String, Any?>("usable" to poll.usable, "poll_at" to poll.pollAt)
        actual["next"] = when (val next = poll.next) {
            NextRecord.Nothing -> "nothing"
            is NextRecord.Request -> "request".also { actual["grant"] = next.grant }
            is NextRecord.AwaitAnswer -> "await"
            NextRecord.Wait -> "wait"
            NextRecord.Reload -> "reload"
            is NextRecord.Supply -> "supply".also { actual["reason"] = next.reason }
        }
        return actual
    }

    private fun begin(step: Members, now: ULong): Members {
        val given = if ("credentials" in step) step["credentials"] else scenario["credentials"]
        val members = when {
            "credentials" in step || "credentials" in scenario -> given.members() ?: no("`credentials` is an object")
            else -> emptyMap()
        }
        val (id, secret, username, password, bearer) = CREDENTIALS.map { members.text(it) }
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

    private fun request(step: Members): ULong = step.text("request").let {
        if (it ==
            null
        ) {
            lastRequest
        } else {
            requests[it] ?: NEVER
        }
    }

    private fun answer(step: Members, now: ULong): Members {
        val id = request(step)
        val status = step.status()
        val headers = step.headers().flatten()
        val given = step["body"]
        val hex = step["body_hex"]
        val body = when {
            given is String && "body_hex" !in step -> given.encodeToByteArray()
            hex is String && "body" !in step -> bytesOfHex(hex)
            "body" !in step && "body_hex" !in step -> ByteArray(0)
            else -> no("one of `body` and `body_hex`, a string")
        }
        return when (val outcome = manager.answer(now, id, status, headers, body, wall(now))) {
            is OutcomeRecord.Token -> mapOf("outcome" to "token", "generation" to outcome.generation)
            is OutcomeRecord.Error -> mapOf("outcome" to "error", "error_code" to outcome.code)
        }
    }

    private fun rejected(step: Members, now: ULong): Members {
        val generation = step.integer("generation") ?: manager.generation()
        val status = step.status()
        val challenges = step.headers().filter { (name, _) -> name.lowercaseAscii() == "www-authenticate" }.map { it[1] }
        val challenge = challenges.takeIf { it.isNotEmpty() }?.joinToString()
        return when (val retry = manager.rejected(now, generation, status, challenge)) {
            RetryRecord.Now -> mapOf("retry" to "now")
            RetryRecord.AfterRefresh -> mapOf("retry" to "after_refresh")
            is RetryRecord.Surface -> mapOf("retry" to "surface", "reason" to retry.reason)
        }
    }

    private fun authorize(step: Members, now: ULong): Members {
        val (generation, header) = manager.authorize(now, step.needText("method"), step.needText("url")).split(" ", limit = 2)
        return mapOf("header" to header, "generation" to generation.toULong())
    }

    private fun restore(step: Members, now: ULong) {
        var bytes = (snapshot ?: no("`restore` without a snapshot")).bytes.copyOf()
        step.integer("flip")?.let { bit ->
            val place = (bit / 8uL % bytes.size.toULong()).toInt()
            bytes[place] = (bytes[place].toInt() xor (1 shl (bit % 8uL).toInt())).toByte()
        }
        step.integer("cut")?.let { kept -> if (kept < bytes.size.toULong()) bytes = bytes.copyOf(kept.toInt()) }
        manager.restore(now, wall(now), step.integer("floor") ?: 0uL, KEY, bytes)
    }

    private fun newManager(overrides: Members, at: ULong): CoreManager {
        val provider = provider(overrides)
        val site = overrides.text("site") ?: scenario.text("site")
        val capacity = scenario["capacity"].members().orEmpty()
        fun slot(name: String) = (capacity.integer(name) ?: DEFAULT_SLOT).also {
            if (it >
                UInt.MAX_VALUE
            ) {
                no("a slot is too large")
            }
        }.toUInt()
        val seed = scenario.integer("seed") ?: 0uL
        return try {
            CoreManager(at, provider, site, slot("access"), slot("refresh"), seed, true)
        } catch (refused: CoreException) {
            no("no manager: ${refused.code}")
        }
    }

    private fun provider(overrides: Members): ProviderRecord {
        val given = scenario["provider"]
        val record = when {
            given is String -> preset(given, overrides)
            given.members() != null -> custom(given.members().orEmpty()).apply {
                overrides.text("environment")?.let { environment = it }
                overrides.text("base_url")?.let { baseUrl = it }
            }
            else -> no("`provider` is a preset's name or an object")
        }
        record.allowLoopbackHttp = scenario["allow_loopback_http"] == true
        record.policy.jitterPermille = 0u
        for (holder in listOfNotNull(given.members(), scenario)) {
            if ("policy" in holder) record.policy.change(holder["policy"].members() ?: no("`policy` is an object"))
        }
        return record
    }

    private fun preset(name: String, overrides: Members): ProviderRecord {
        fun member(member: String) = overrides.text(member) ?: scenario.needText(member)

        fun word(member: String, what: String, vararg words: String) =
            member(member).also { if (it !in words) no("no $what ${Json.write(it)}") }

        fun environment() = word("environment", "environment", "sandbox", "production")
        return when (name) {
            "flip_utility", "flip_utility_api_key", "flute" -> preset(name, environment(), null, null)
            "flip_energy_site" -> {
                val issuer = word("issued_by", "issuer", "client_token", "backend")
                preset(name, null, member("base_url"), issuer)
            }
            "flip_energy_client", "flume", "opower" -> preset(name, null, member("base_url"), null)
            else -> no("no preset ${Json.write(name)}")
        }
    }

    private fun custom(members: Members): ProviderRecord = customProvider().apply {
        members.keys.find { it !in PROVIDER_MEMBERS }?.let { no("a provider has no ${Json.write(it)}") }
        apiOrigins = members.texts("api_origins")
        anyHttps = apiOrigins.isEmpty()
        name = members.text("name").orEmpty()
        environment = members.text("environment").orEmpty()
        baseUrl = members.text("token_url").orEmpty()
        grants =
            members.list("grants").map { grant -> textOf(grant).also { if (it !in GRANTS) no("no grant ${Json.write(it)}") } }
        authentication = members.word("authentication", "basic", "basic_raw", "post", "bearer", "none") ?: authentication
        body = members.word("body", "form", "json") ?: body
        scope = members.text("scope").orEmpty()
        memberPath = members.text("member_path").orEmpty()
        errorPath = members.text("error_path").orEmpty()
        if ("error_codes" in members) {
            val codes = members["error_codes"].members() ?: no("`error_codes` is an object")
            errorCodes = codes.map { (own, standard) -> ErrorCodeRecord(own, textOf(standard)) }
        }
        tokenTypeRequired = members["token_type_required"] == true
        tokenTypeAliases = members.texts("token_type_aliases")
        tokenAlphabet = members.word("token_alphabet", "b64token", "visible") ?: tokenAlphabet
        if ("missing_lifetime" in members) missingLifetime(members["missing_lifetime"])
        zeroLifetime = members.word("zero_lifetime", "expired", "never") ?: zeroLifetime
        routes = members.list("routes").map { route ->
            val row = route.members() ?: no("a route is an object")
            RouteRecord(
                row.needText("method"),
                row.needText("path"),
                row.needText("token").also { if (it !in TOKEN_KINDS) no("no token kind ${Json.write(it)}") },
            )
        }
        exposure = members.word("exposure", "server_only", "app_allowed") ?: exposure
    }

    private fun ProviderRecord.missingLifetime(given: Any?) {
        val members = given.members()
        missingLifetimeSeconds = 0uL
        when {
            given == "never" || given == "refuse" -> missingLifetime = given as String
            members == null -> no("no missing_lifetime ${Json.write(given)}")
            else -> {
                val orElse = members.integer("jwt_expiry_else")
                missingLifetime = if (orElse != null) "jwt_expiry_else" else "assume"
                missingLifetimeSeconds = orElse ?: members.needInteger("assume")
            }
        }
    }

    private fun PolicyRecord.change(members: Members) {
        for ((name, value) in members) {
            fun number() = integerOf(value) ?: no("policy $name: ${Json.write(value)} is no whole number")

            fun small() = number().also { if (it > UInt.MAX_VALUE) no("policy $name: is too large") }.toUInt()
            when (name) {
                "fraction_permille" -> fractionPermille = small()
                "margin_ms" -> marginMs = number()
                "min_interval_ms" -> minIntervalMs = number()
                "jitter_permille" -> jitterPermille = small()
                "startup_spread_ms" -> startupSpreadMs = number()
                "response_timeout_ms" -> responseTimeoutMs = number()
                "first_backoff_ms" -> firstBackoffMs = number()
                "max_backoff_ms" -> maxBackoffMs = number()
                "max_lifetime_s" -> maxLifetimeS = number()
                "refresh_attempts" -> refreshAttempts = small()
                "shared_storage" -> sharedStorage = value as? Boolean ?: no("`shared_storage` is a boolean")
                else -> no("no policy number ${Json.write(name)}")
            }
        }
    }

    private companion object {
        /** The sealing key of every scenario: what it proves does not depend on it. */
        val KEY = ByteArray(32) { 0x5C }

        /** An id that was never given out, for a request that another process sent. */
        const val NEVER = ULong.MAX_VALUE
        const val DEFAULT_SLOT = 2048uL
        val CREDENTIALS = listOf("client_id", "client_secret", "username", "password", "bearer")
        val TOKEN_KINDS = setOf("client", "site")
        val GRANTS = setOf("client_credentials", "password", "refresh_token", "site_token")
        val PROVIDER_MEMBERS = setOf(
            "name", "environment", "token_url", "api_origins", "grants", "authentication", "body", "scope", "member_path",
            "error_path", "error_codes", "token_type_required", "token_type_aliases", "token_alphabet", "missing_lifetime",
            "zero_lifetime", "routes", "exposure", "policy", "comment",
        )
    }
}

/** The first member of [expect] that [actual] has not, in one line. */
private fun difference(expect: Members, actual: Members): String? {
    val refused = actual["error"]
    val refusal = expect["error"]
    when {
        refused != null -> if (refusal != true && refusal != refused) {
            return "refused as ${Json.write(refused)}, expected ${Json.write(if ("error" in expect) refusal else "success")}"
        }
        "error" in expect -> return "succeeded, expected the refusal ${Json.write(refusal)}"
    }
    return (expect - "error").entries.firstNotNullOfOrNull { (name, expected) ->
        val found = actual[name]
        val same = when (name) {
            "headers" -> hasHeaders(found, expected)
            "body" -> found == expected || sameBody(found, expected)
            // Integers beyond 2^53 stand as strings.
            else -> found == expected || (found is ULong && found.toString() == expected)
        }
        if (same) null else "$name is ${Json.write(found)}, expected ${Json.write(expected)}"
    }
}

private fun hasHeaders(found: Any?, expected: Any?): Boolean {
    fun pairs(value: Any?) = (value as? List<*>).orEmpty().mapNotNull { pair ->
        val members = pair as? List<*>
        val name = members?.getOrNull(0) as? String
        val field = members?.getOrNull(1) as? String
        if (name == null || field == null) null else name.lowercaseAscii() to field
    }
    return expected is List<*> && pairs(expected).size == expected.size && pairs(found).containsAll(pairs(expected))
}

private fun sameBody(found: Any?, expected: Any?): Boolean {
    fun parsed(value: Any?) = if (value is String) runCatching { Json.parse(value) } else Result.success(value)
    val (one, other) = parsed(found) to parsed(expected)
    return one.isSuccess && other.isSuccess && one.getOrNull() == other.getOrNull()
}

private fun textOf(value: Any?): String = value as? String ?: no("${Json.write(value)} is no string")

/** A whole number, or a string of one beyond 2^53. */
private fun integerOf(value: Any?): ULong? =
    if (value is String) value.takeIf(DIGITS::matches)?.toULongOrNull() else value as? ULong

private val DIGITS = Regex("[+]?[0-9]+")

private fun Members.text(name: String): String? =
    this[name]?.let { it as? String ?: no("`$name`: ${Json.write(it)} is no string") }

private fun Members.needText(name: String): String = text(name) ?: no("`$name` is missing")

private fun Members.integer(name: String): ULong? =
    this[name]?.let { integerOf(it) ?: no("`$name`: ${Json.write(it)} is no whole number") }

private fun Members.needInteger(name: String): ULong = integer(name) ?: no("`$name` is missing")

private fun Members.list(name: String): List<*> = if (name in
    this
) {
    this[name] as? List<*> ?: no("`$name` is no list")
} else {
    emptyList<Any?>()
}

private fun Members.texts(name: String): List<String> = list(name).map(::textOf)

private fun Members.word(name: String, vararg words: String): String? =
    text(name)?.also { if (it !in words) no("no $name ${Json.write(it)}") }

private fun Members.status(): UInt = needInteger("status").also {
    if (it >
        UShort.MAX_VALUE
    ) {
        no("`status` is a status code")
    }
}.toUInt()

private fun Members.headers(): List<List<String>> = list("headers").map { pair ->
    (pair as? List<*>)?.takeIf { it.size == 2 }?.map(::textOf) ?: no("a header field is a pair")
}

private fun bytesOfHex(hex: String): ByteArray {
    if (hex.length % 2 != 0 || hex.any { it !in '0'..'9' && it !in 'a'..'f' && it !in 'A'..'F' }) {
        no("`body_hex` is pairs of hexadecimal digits")
    }
    return hex.chunked(2) { it.toString().toInt(16).toByte() }.toByteArray()
}

private fun String.lowercaseAscii() = map { if (it in 'A'..'Z') it + ('a' - 'A') else it }.joinToString("")
