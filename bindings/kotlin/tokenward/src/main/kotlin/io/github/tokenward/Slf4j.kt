package io.github.tokenward

import org.slf4j.Logger

/**
 * Writes what happens to [logger], a warning where something is wrong, until it is cancelled. Take `org.slf4j:slf4j-api` for
 * it: nothing else here needs that.
 */
public suspend fun TokenKeeper.logTo(logger: Logger): Unit = events.collect { event ->
    if (event.isProblem) logger.warn(event.logLine) else logger.info(event.logLine)
}
