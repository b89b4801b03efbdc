package io.github.tokenward.test

import io.github.tokenward.TokenClock
import kotlin.time.Duration

/**
 * A clock that stands still until somebody moves it: for a real manager in a test, as
 * `TokenManagerOptions(clock = HandClock())`. What a manager waits for before it asks again still takes real time.
 *
 * @param wallSeconds the time of day, in Unix seconds.
 */
public class HandClock(private val wallSeconds: Long = 1_800_000_000) : TokenClock {
    private var elapsed = Duration.ZERO

    /** Time passes. */
    @Synchronized
    public fun advance(by: Duration) {
        elapsed += by
    }

    @Synchronized
    override fun now(): Long = elapsed.inWholeMilliseconds

    @Synchronized
    override fun wall(): Long = wallSeconds + elapsed.inWholeSeconds
}
