package io.github.tokenward

import io.github.tokenward.bridge.AssertionRecord
import io.github.tokenward.bridge.CallbackRecord
import io.github.tokenward.bridge.CoreDevice
import io.github.tokenward.bridge.CoreException
import io.github.tokenward.bridge.CoreManager
import io.github.tokenward.bridge.CoreRequest
import io.github.tokenward.bridge.CoreSignIn
import io.github.tokenward.bridge.DeviceOutcomeRecord
import io.github.tokenward.bridge.OptionsRecord
import io.github.tokenward.bridge.OutcomeRecord
import io.github.tokenward.bridge.RetryRecord
import io.github.tokenward.bridge.RevocationRecord
import io.github.tokenward.bridge.SourceRecord
import io.github.tokenward.bridge.StorageRecord
import io.github.tokenward.bridge.deviceNextName
import io.github.tokenward.bridge.foundName
import io.github.tokenward.bridge.grantName
import io.github.tokenward.testing.Json
import io.github.tokenward.testing.members

/**
 * Executes scenarios over the bridge alone: reads them from the standard input, one a line, and prints a line for each, an
 * array with what came of each step. Whoever reads it compares (docs/SCENARIOS.md). What cannot be read ends the driver.
 */
fun main() {
    checkLibrary()
    System.out.bufferedWriter().use { out ->
        for (line in System.`in`.bufferedReader().lineSequence()) {
            out.appendLine(Json.write(Scenario(Json.parseObject(line)).results()))
        }
    }
}

private typealias Members = Map<String, Any?>

private class Scenario(private val scenario: Members) {
    /** A manager, and what is in the hands of the process that it lives in. [wall] is Unix seconds at [epoch] milliseconds. */
    private class Hand(val manager: CoreManager, val device: CoreDevice, val wall: ULong?, val epoch: ULong) {
        val requests = HashMap<String, ULong>()
        var lastRequest = NEVER

        /** What `poll` last said of a load, a store and a supply. */
        var load = 0uL
        var store = TokenNext.Store(0uL, 0u)
        var supply = 0uL

        /** The slots as they were read. */
        var read: List<ByteArray?>? = null

        var signIn: CoreSignIn? = null

        /** The callback that brought a code. */
        var callback = ""
        val deviceRequests = HashMap<String, ULong>()
        var lastDeviceRequest = NEVER

        fun close() = listOfNotNull(manager, device, signIn).forEach { it.close() }
    }

    /** The managers that share the storage, by name. */
    private val hands = hashMapOf(FIRST to Hand(newManager(emptyMap(), 0uL), newDevice(), scenario.integer("wall"), 0uL))
    private var hand = hands.getValue(FIRST)
    private val manager get() = hand.manager
    private var made = 0uL

    /** What is stored of a sign-in. */
    private var storedSignIn: ByteArray? = null

    /** What is in storage. */
    private val slots =
        MutableList<ByteArray?>(scenario["storage"].members()?.let { (it.integer("slots") ?: 1uL).toInt() } ?: 0) { null }

    /** What came of each step: all that its `expect` may name. */
    fun results(): List<Members> = (scenario["steps"] as List<*>).map { step ->
        try {
            act(step.members()!!)
        } catch (refused: CoreException) {
            mapOf("error" to refused.code)
        }
    }.also { hands.values.forEach { it.close() } }

    private fun wall(at: ULong): ULong? {
        val since = (if (at > hand.epoch) at - hand.epoch else 0uL) / 1000uL
        return hand.wall?.let { if (it > ULong.MAX_VALUE - since) ULong.MAX_VALUE else it + since }
    }

    private fun act(step: Members): Members {
        val now = step.integer("at")!!
        val name = step.text("manager") ?: FIRST
        // A step that is about storage, or makes a manager, is nobody's.
        if (step.text("do") != "make" && step.text("do") != "tamper") hand = hands.getValue(name)
        when (val action = step.text("do")) {
            "poll" -> return poll(now)
            "begin" -> return begin(step, now)
            "answer" -> return answer(step, now)
            "failed" -> manager.failed(now, request(step))
            "rejected" -> return rejected(step, now)
            "authorize" -> return authorize(step, now)
            "install" ->
                return mapOf("generation" to install(step["token"], now, null))
            "retry" -> manager.retry()
            "renew" -> manager.renew()
            "clear" -> manager.clear()
            "revoke" -> {
                val (client, secret, _, _, bearer) = credentials(step)
                val values = additions(step).first()
                return manager.revoke(client, secret, bearer, assertion(step), values)?.use(::written) ?: emptyMap()
            }
            "signing_input" -> {
                val input = manager.signingInput(credentials(step).first(), assertion(step))
                    ?: return mapOf("error" to "invalid_provider")
                return mapOf("signing_input" to input.decodeToString())
            }
            "answer_revocation" -> {
                return when (val said = manager.revoked(step.integer("status")!!.toUInt(), body(step))) {
                    RevocationRecord.Done -> mapOf("outcome" to "revoked")
                    RevocationRecord.Later -> mapOf("outcome" to "later")
                    is RevocationRecord.Refused -> mapOf("outcome" to "refused", "error_code" to said.code)
                }
            }
            "make" -> {
                made++
                hands[name]?.close()
                val seed = step.integer("seed") ?: ((scenario.integer("seed") ?: 0uL) + made)
                hand = Hand(newManager(step, now, seed), newDevice(), step.integer("wall"), now)
                hands[name] = hand
            }
            "tamper" -> tamper(step)
            "read" -> hand.read = slots.toList()
            "loaded" -> {
                val read = hand.read ?: slots.toList()
                hand.read = null
                return mapOf("found" to foundName(manager.loaded(now, wall(now), hand.load, KEY, read)))
            }
            "load_failed" -> manager.loadFailed(now, hand.load)
            "write" -> {
                val bytes = manager.snapshot(now, wall(now), hand.store.id, KEY)
                val torn = minOf(step.integer("torn") ?: ULong.MAX_VALUE, bytes.size.toULong()).toInt()
                if (step["lost"] != true) slots[hand.store.slot.toInt()] = bytes.copyOf(torn)
            }
            "stored" -> manager.stored(now, hand.store.id)
            "store_failed" -> manager.storeFailed(now, hand.store.id)
            "took" -> {
                val ids = mapOf("load" to hand.load, "store" to hand.store.id, "supply" to hand.supply)
                manager.took(now, ids.getValue(step.text("what")!!))
            }
            "supplied" -> return mapOf("generation" to install(step["token"], now, hand.supply))
            "supply_failed" -> manager.supplyFailed(now, hand.supply, step["retryable"] == true)
            "reload" -> manager.reload()
            else -> return signIn(action!!, step, now)
        }
        return emptyMap()
    }

    /** What a step of a sign-in or of a device authorization does. */
    private fun signIn(action: String, step: Members, now: ULong): Members {
        val signIn by lazy { hand.signIn!! }
        when (action) {
            "sign_in" -> hand.signIn = CoreSignIn(bytes(step.text("random_hex")!!), step.text("redirect_uri")!!)
            "sign_in_resumed" ->
                hand.signIn = CoreSignIn.resumed(manager, wall(now), KEY, changed(storedSignIn!!, step))
            "sign_in_url" -> return mapOf("url" to signIn.url(manager, credentials(step).first()))
            "sign_in_stored" -> storedSignIn = signIn.seal(manager, wall(now), KEY)
            "sign_in_deleted" -> signIn.deleted().also { storedSignIn = null }
            "callback" -> return callback(signIn, step.text("url")!!)
            "begin_sign_in" -> {
                val (id, secret, _, _, bearer) = credentials(step)
                val values = additions(step).first()
                return signIn.begin(now, manager, id, secret, bearer, assertion(step), values, hand.callback).use(::written)
            }
            "answer_sign_in" -> {
                val status = step.integer("status")!!.toUInt()
                return said(signIn.answer(now, manager, status, body(step), wall(now)))
            }
            else -> return device(action, step, now)
        }
        return emptyMap()
    }

    private fun callback(signIn: CoreSignIn, url: String): Members = when (val callback = signIn.callback(manager, url)) {
        is CallbackRecord.Code -> mapOf("callback" to "code", "code" to callback.code).also { hand.callback = url }
        is CallbackRecord.Error -> mapOf("callback" to "error", "error_code" to callback.code)
    }

    private fun device(action: String, step: Members, now: ULong): Members {
        val device = hand.device
        val id = step.text("request")?.let { hand.deviceRequests[it] ?: NEVER } ?: hand.lastDeviceRequest
        when (action) {
            "start_device" -> device.start(now, step.text("random_hex")?.let(::bytes) ?: ByteArray(32))
            "cancel_device" -> device.cancel()
            "shown_device" -> device.shown(now, manager)
            "poll_device" -> return device.poll(now, manager).let { poll ->
                mapOf(
                    "next" to deviceNextName(poll.next),
                    "poll_at" to poll.pollAt,
                    "user_code" to poll.userCode,
                    "verification_uri" to poll.verificationUri,
                    "verification_uri_complete" to poll.verificationUriComplete,
                    "expires_at" to poll.expiresAt,
                )
            }
            "begin_device" -> {
                val (client, secret, _, _, bearer) = credentials(step)
                val values = additions(step).first()
                return device.begin(now, manager, client, secret, bearer, assertion(step), values).use { request ->
                    hand.lastDeviceRequest = request.id()
                    step.text("as")?.let { hand.deviceRequests[it] = hand.lastDeviceRequest }
                    written(request)
                }
            }
            "answer_device" -> {
                val (status, headers) = step.integer("status")!!.toUInt() to step.headers().flatten()
                return when (val outcome = device.answer(now, manager, id, status, headers, body(step), wall(now))) {
                    DeviceOutcomeRecord.Code -> mapOf("outcome" to "code")
                    is DeviceOutcomeRecord.Outcome -> said(outcome.outcome)
                }
            }
            "failed_device" -> device.failed(now, manager, id)
            else -> error("nothing is called $action")
        }
        return emptyMap()
    }

    /** Somebody changes what is in a slot. */
    private fun tamper(step: Members) {
        val slot = (step.integer("slot") ?: 0uL).toInt()
        step.integer("from")?.let { slots[slot] = slots[it.toInt()] }
        slots[slot] = if (step["erase"] == true) null else slots[slot]?.let { changed(it, step) }
    }

    /** The bytes with the bit flipped and cut as the step says. */
    private fun changed(given: ByteArray, step: Members): ByteArray {
        val bytes = given.copyOf()
        step.integer("flip")?.takeIf { bytes.isNotEmpty() }?.let { bit ->
            val place = (bit / 8uL % bytes.size.toULong()).toInt()
            bytes[place] = (bytes[place].toInt() xor (1 shl (bit % 8uL).toInt())).toByte()
        }
        return bytes.copyOf(minOf(step.integer("cut") ?: ULong.MAX_VALUE, bytes.size.toULong()).toInt())
    }

    private fun poll(now: ULong): Members {
        val poll = manager.poll(now)
        val next = when (val next = poll.next) {
            TokenNext.Nothing -> mapOf("next" to "nothing")
            is TokenNext.Request -> mapOf("next" to "request", "grant" to grantName(next.grant))
            is TokenNext.AwaitAnswer -> mapOf("next" to "await")
            TokenNext.Wait -> mapOf("next" to "wait")
            is TokenNext.Load -> mapOf("next" to "load").also { hand.load = next.id }
            is TokenNext.Store -> mapOf("next" to "store", "slot" to next.slot.toULong()).also { hand.store = next }
            is TokenNext.Supply -> mapOf("next" to "supply", "reason" to next.reason.code).also { hand.supply = next.id }
        }
        return next + mapOf("usable" to poll.usable, "poll_at" to poll.pollAt, "sign_in_by" to poll.signInBy)
    }

    private fun begin(step: Members, now: ULong): Members {
        val (id, secret, username, password, bearer) = credentials(step)
        val (values, parameters) = additions(step)
        val assertion = assertion(step)
        return manager.begin(now, id, secret, username, password, bearer, assertion, values, parameters).use { request ->
            hand.lastRequest = request.id()
            step.text("as")?.let { hand.requests[it] = hand.lastRequest }
            written(request)
        }
    }

    /** What the caller adds to a request: values and parameters. */
    private fun additions(step: Members): List<List<String>> {
        val additions = (step["additions"] ?: scenario["additions"]).members().orEmpty()
        return listOf("values", "parameters").map { additions.pairs(it).flatten() }
    }

    private fun given(step: Members) = (step["credentials"] ?: scenario["credentials"]).members().orEmpty()

    private fun credentials(step: Members): List<String?> = given(step).let { given -> CREDENTIALS.map { given.text(it) } }

    private fun assertion(step: Members): AssertionRecord? = given(step)["assertion"].members()?.let {
        AssertionRecord(
            bytes(it.text("random_hex")!!),
            it.integer("wall"),
            it.text("key_id"),
            it.text("certificate_thumbprint"),
            it.text("algorithm")?.let { name -> SignatureAlgorithm.valueOf(if (name == "EdDSA") "ED_DSA" else name) },
            it.text("signature_hex")?.let(::bytes),
        )
    }

    private fun written(request: CoreRequest): Members = mapOf(
        "method" to request.method(),
        "url" to request.url(),
        "headers" to request.headers().chunked(2),
        "body" to (request.body()?.decodeToString() ?: ""),
    )

    private fun request(step: Members): ULong {
        val name = step.text("request") ?: return hand.lastRequest
        return hand.requests[name] ?: NEVER
    }

    private fun answer(step: Members, now: ULong): Members {
        val status = step.integer("status")!!.toUInt()
        return said(manager.answer(now, request(step), status, step.headers().flatten(), body(step), wall(now)))
    }

    private fun said(outcome: OutcomeRecord): Members = when (outcome) {
        is OutcomeRecord.Token -> mapOf("outcome" to "token", "generation" to outcome.generation)
        is OutcomeRecord.Error -> mapOf("outcome" to "error", "error_code" to outcome.code)
    }

    private fun body(step: Members): ByteArray =
        step.text("body_hex")?.let(::bytes) ?: step.text("body").orEmpty().encodeToByteArray()

    private fun bytes(hex: String): ByteArray = hex.chunked(2) { "$it".toInt(16).toByte() }.toByteArray()

    private fun newDevice() = CoreDevice((scenario["capacity"].members()?.integer("device") ?: DEFAULT_CODES).toUInt())

    /** Hands a token over, as that which a supply brought or as one that nobody asked for. */
    private fun install(token: Any?, now: ULong, supply: ULong?): ULong {
        @Suppress("UNCHECKED_CAST")
        val members = token as? Members
        val wall = wall(now)
        if (members == null || members["access_token"] != null) {
            val json = Json.write(token).encodeToByteArray()
            return if (supply == null) manager.installJson(now, wall, json) else manager.suppliedJson(now, wall, supply, json)
        }
        val (type, refresh) = listOf("token_type", "refresh_token").map(members::text)
        val life = members.integer("refresh_expires_in")
        return if (supply == null) {
            manager.install(now, wall, "", type, null, refresh, life)
        } else {
            manager.supplied(now, wall, supply, "", type, null, refresh, life)
        }
    }

    private fun rejected(step: Members, now: ULong): Members {
        val generation = step.integer("generation") ?: manager.generation()
        val challenges = step.headers().filter { (name) -> name.equals("www-authenticate", ignoreCase = true) }.map { it[1] }
        val challenge = challenges.takeIf { it.isNotEmpty() }?.joinToString("\n")
        return when (val retry = manager.rejected(now, generation, step.integer("status")!!.toUInt(), challenge)) {
            RetryRecord.Now -> mapOf("retry" to "now")
            RetryRecord.AfterRefresh -> mapOf("retry" to "after_refresh")
            is RetryRecord.Surface ->
                mapOf("retry" to "surface", "reason" to retry.reason.code, "retry_at" to retry.retryAt)
        }
    }

    private fun authorize(step: Members, now: ULong): Members {
        val (generation, header) = manager.authorize(now, step.text("method")!!, step.text("url")!!).split(" ", limit = 2)
        return mapOf("header" to header, "generation" to generation.toULong(), "name" to manager.headerName())
    }

    private fun newManager(overrides: Members, at: ULong, seed: ULong = scenario.integer("seed") ?: 0uL): CoreManager {
        val capacity = (overrides["capacity"] ?: scenario["capacity"]).members().orEmpty()
        fun slot(name: String) = (capacity.integer(name) ?: DEFAULT_SLOT).toUInt()
        return CoreManager(
            at,
            provider(overrides),
            identity(overrides),
            slot("access"),
            slot("refresh"),
            seed,
            true,
            options(overrides),
        )
    }

    /** What the managers have beside their slots. */
    private fun options(overrides: Members) = OptionsRecord(
        scenario["storage"].members()?.let {
            StorageRecord(
                shared = it.text("kind") == "shared",
                all = it.text("stored") != "refresh_token",
                slots = (it.integer("slots") ?: 1uL).toUByte(),
                floor = overrides.integer("floor") ?: it.integer("floor") ?: 0uL,
                proveRoom = it["prove_room"] == true,
            )
        },
        SourceRecord.valueOf((scenario.text("source") ?: "none").uppercase()),
    )

    private fun identity(overrides: Members): TokenIdentity {
        fun member(name: String) = overrides.text(name) ?: scenario.text(name)
        return TokenIdentity {
            site = member("site")
            baseUrl = member("base_url")
            account = member("account")
            // The name of a preset has its own.
            environment = member("environment").takeIf { scenario["provider"] !is String }
        }
    }

    private fun provider(overrides: Members): TokenProvider {
        fun member(name: String) = overrides.text(name) ?: scenario.text(name)
        val provider = scenario["provider"].members()?.let(::custom) ?: scenario.text("provider")!!.let { name ->
            val value = member(if (name == "flip_energy_site") "issued_by" else "environment")
            TokenProvider(PRESETS.getValue(name).let { it[value] ?: it.getValue("") })
        }
        provider.loopbackHttp = scenario["allow_loopback_http"] == true
        provider.policy = RefreshPolicy {
            jitterPermille = 0u
            policies().forEach { change(it) }
        }
        return provider
    }

    private fun policies() = listOf(scenario["provider"].members()?.get("policy"), scenario["policy"]).mapNotNull { it.members() }

    /** A provider object; what it leaves out has the default of a custom provider. */
    private fun custom(members: Members): TokenProvider = TokenProvider(members.text("name").orEmpty()) {
        fun text(name: String) = members.text(name)?.ifEmpty { null }

        fun texts(name: String) = members.texts(name).ifEmpty { null }

        /** The entry that a word names: `basic_raw` is `BASIC_RAW`. */
        fun <E : Enum<E>> named(name: String, entries: List<E>, words: Map<String, E> = emptyMap()): E? =
            members.text(name)?.let { words[it] ?: entries.first { entry -> entry.name.equals(it, ignoreCase = true) } }
        environment = text("environment")
        text("token_url")?.let { url ->
            val authority = url.indexOf("://").let { if (it < 0) 0 else it + 3 }
            val end = url.indexOfAny(charArrayOf('/', '?', '#'), authority).takeIf { it >= 0 && url[it] == '/' }
            baseUrl = url.substring(0, end ?: url.length)
            tokenPath = end?.let(url::substring)
        }
        apiOrigins = texts("api_origins")
        anyHttpsOrigin = members["any_https_origin"] == true
        val grants = members.texts("grants").map { word -> TokenGrant.entries.first { grantName(it) == word } }
        primaryGrant = grants.find { it != TokenGrant.REFRESH_TOKEN }
        refreshGrant = TokenGrant.REFRESH_TOKEN in grants
        val public = mapOf("none" to ClientAuthentication.PUBLIC_CLIENT)
        authentication = named("authentication", ClientAuthentication.entries, public) ?: authentication
        body = named("body", BodyFormat.entries)
        answer = named("answer", BodyFormat.entries)
        scope = text("scope")
        memberPath = text("member_path")
        errorPath = text("error_path")
        this.members = members["members"].members()?.map { (standard, own) -> TokenMember(standard, own as String) }
        expiresAt = members["expires_at"].members()?.let { TokenExpiresAt(it.text("member")!!, it.text("unit") == "ms") }
        refreshExpiresIn = members["refresh_expires_in"]?.let { members.texts("refresh_expires_in") }
        refreshIdleS = members.integer("refresh_idle_s")?.takeIf { it > 0uL }
        errorCodes = members["error_codes"].members()?.map { (own, code) -> TokenErrorCode(own, code as String) }
        tokenTypeAliases = texts("token_type_aliases")
        authorizationUrl = text("authorization_url")
        devicePath = text("device_path")
        devicePkce = members["device_pkce"] == true
        revocationPath = text("revocation_path")
        issuer = text("issuer")
        val b64token = mapOf("b64token" to TokenAlphabet.B64_TOKEN)
        tokenAlphabet = named("token_alphabet", TokenAlphabet.entries, b64token) ?: tokenAlphabet
        missingLifetime = when (val given = members["missing_lifetime"]) {
            null -> missingLifetime
            "never" -> MissingLifetime.Never
            "refuse" -> MissingLifetime.Refuse
            else -> given.members()!!.let { policy ->
                policy.integer("assume")?.let { MissingLifetime.Assume(it) }
                    ?: MissingLifetime.JwtExpiry(policy.integer("jwt_expiry_else")!!)
            }
        }
        zeroLifetime = named("zero_lifetime", ZeroLifetime.entries) ?: zeroLifetime
        routes = (members["routes"] as List<*>?).orEmpty().map { route ->
            val row = route.members()!!
            TokenRoute(row.text("method")!!, row.text("path")!!, row.text("token") == "site")
        }.ifEmpty { null }
        exposure = named("exposure", Exposure.entries) ?: exposure
        refreshPath = text("refresh_path")
        scopeOnRefresh = members["scope_on_refresh"] == true
        extensionGrant = text("extension_grant")
        requestNames = members["request_names"].members()?.map { (name, own) -> NamedValue(name, own as String) }
        parameters = (members["parameters"] as List<*>?).orEmpty().map { listed ->
            val parameter = listed.members()!!
            val target = ParameterTarget.entries.find { it.name.equals(parameter.text("on"), ignoreCase = true) }
            TokenParameter(parameter.text("name")!!, parameter.text("value")!!, target)
        }.ifEmpty { null }
        headers = members.pairs("headers").map { (name, value) -> NamedValue(name, value) }.ifEmpty { null }
        header = members["header"].members()?.let {
            TokenHeader(it.text("name") ?: "Authorization", it.text("scheme") ?: "Bearer")
        }
        expiredStatus = (members["expired_status"] as List<*>?)?.map { (it as ULong).toUShort() }
    }

    private fun RefreshPolicy.change(numbers: Members) {
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
        recheck = numbers["recheck"] as Boolean? ?: recheck
    }

    private companion object {
        /** The sealing key of every scenario: what it proves does not depend on it. */
        val KEY = ByteArray(32) { 0x5C }

        /** An id that was never given out, for a request that another process sent. */
        const val NEVER = ULong.MAX_VALUE

        /** The manager that is made at 0. */
        const val FIRST = "a"
        const val DEFAULT_SLOT = 2048uL
        const val DEFAULT_CODES = 1024uL
        val CREDENTIALS = listOf("client_id", "client_secret", "username", "password", "bearer")

        /** By name, then by environment or issuer. */
        val PRESETS = mapOf(
            "flip_utility" to
                mapOf("sandbox" to TokenPreset.FLIP_UTILITY_SANDBOX, "production" to TokenPreset.FLIP_UTILITY_PRODUCTION),
            "flip_utility_api_key" to mapOf(
                "sandbox" to TokenPreset.FLIP_UTILITY_API_KEY_SANDBOX,
                "production" to TokenPreset.FLIP_UTILITY_API_KEY_PRODUCTION,
            ),
            "flip_energy_client" to mapOf("" to TokenPreset.FLIP_ENERGY_CLIENT),
            "flip_energy_site" to
                mapOf("client_token" to TokenPreset.FLIP_ENERGY_SITE, "backend" to TokenPreset.FLIP_ENERGY_SITE_BY_BACKEND),
            "flume" to mapOf("" to TokenPreset.FLUME),
            "opower" to mapOf("" to TokenPreset.OPOWER),
            "flute" to mapOf("sandbox" to TokenPreset.FLUTE_SANDBOX, "production" to TokenPreset.FLUTE_PRODUCTION),
        )
    }
}

private fun Members.text(name: String): String? = this[name] as String?

private fun Members.texts(name: String): List<String> = (this[name] as List<*>?).orEmpty().map { it as String }

/** A whole number, or a string of one beyond 2^53. */
private fun Members.integer(name: String): ULong? = this[name].let { (it as? String)?.toULong() ?: it as ULong? }

private fun Members.headers() = pairs("headers")

/** Names and values. */
private fun Members.pairs(name: String): List<List<String>> = (this[name] as List<*>?).orEmpty().map { pair ->
    (pair as List<*>).map { it as String }
}
