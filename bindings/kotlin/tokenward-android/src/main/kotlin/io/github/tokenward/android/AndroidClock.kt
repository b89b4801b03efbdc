package io.github.tokenward.android

import android.os.SystemClock
import io.github.tokenward.TokenClock

/** The time since boot, deep sleep included: `System.nanoTime` stops there. */
public object AndroidClock : TokenClock {
    override fun now(): Long = SystemClock.elapsedRealtime()

    override fun wall(): Long = System.currentTimeMillis() / 1000
}
