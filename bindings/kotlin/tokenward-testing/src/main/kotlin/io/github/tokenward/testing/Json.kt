package io.github.tokenward.testing

/**
 * JSON: members in their order, the last of two with one name, whole numbers as [ULong] or (negative) [Long], all others
 * as [Double].
 */
public object Json {
    /** @throws IllegalArgumentException [text] is no JSON. */
    public fun parse(text: String): Any? = Reader(text).document()

    /** @throws IllegalArgumentException [text] is no JSON object. */
    public fun parseObject(text: String): Map<String, Any?> = requireNotNull(parse(text).members()) { "an object" }

    public fun write(value: Any?): String = when (value) {
        is Map<*, *> -> value.entries.joinToString(",", "{", "}") { (name, member) -> "${write(name)}:${write(member)}" }
        is List<*> -> value.joinToString(",", "[", "]") { write(it) }
        is String -> quote(value)
        else -> "$value"
    }

    private fun quote(text: String) = buildString {
        append('"')
        for (char in text) {
            when (char) {
                '"' -> append("\\\"")
                '\\' -> append("\\\\")
                '\b' -> append("\\b")
                '\u000C' -> append("\\f")
                '\n' -> append("\\n")
                '\r' -> append("\\r")
                '\t' -> append("\\t")
                else -> if (char < ' ') append("\\u%04x".format(char.code)) else append(char)
            }
        }
        append('"')
    }

    private class Reader(private val text: String) {
        private var at = 0
        private var open = 0

        fun document(): Any? {
            val value = value()
            space()
            require(at == text.length) { "trailing characters at $at" }
            return value
        }

        private fun value(): Any? {
            space()
            return when (peek()) {
                '{' -> nested { members() }
                '[' -> nested { items() }
                '"' -> string()
                't' -> word("true", true)
                'f' -> word("false", false)
                'n' -> word("null", null)
                else -> number()
            }
        }

        private fun <T> nested(read: () -> T): T {
            require(++open < MAX_OPEN) { "nested too deep at $at" }
            at++
            return read().also { open-- }
        }

        private fun members(): Map<String, Any?> {
            val members = LinkedHashMap<String, Any?>()
            if (ended('}')) return members
            do {
                space()
                val name = string()
                space()
                expect(':')
                members[name] = value()
            } while (more('}'))
            return members
        }

        private fun items(): List<Any?> {
            val items = ArrayList<Any?>()
            if (ended(']')) return items
            do {
                items += value()
            } while (more(']'))
            return items
        }

        private fun ended(end: Char): Boolean {
            space()
            return (peek() == end).also { if (it) at++ }
        }

        private fun more(end: Char): Boolean {
            space()
            if (peek() == end) {
                at++
                return false
            }
            expect(',')
            return true
        }

        private fun string(): String {
            expect('"')
            return buildString {
                while (true) {
                    when (val char = next()) {
                        '"' -> return@buildString
                        '\\' -> escape()
                        else -> {
                            require(char >= ' ') { "control character at $at" }
                            append(char)
                        }
                    }
                }
            }
        }

        private fun StringBuilder.escape() {
            when (val char = next()) {
                '"', '\\', '/' -> append(char)
                'b' -> append('\b')
                'f' -> append('\u000C')
                'n' -> append('\n')
                'r' -> append('\r')
                't' -> append('\t')
                'u' -> {
                    val unit = unit()
                    append(unit)
                    require(!unit.isLowSurrogate()) { "lone surrogate at $at" }
                    if (unit.isHighSurrogate()) {
                        expect('\\')
                        expect('u')
                        append(unit().also { require(it.isLowSurrogate()) { "lone surrogate at $at" } })
                    }
                }
                else -> throw IllegalArgumentException("invalid escape at $at")
            }
        }

        private fun unit(): Char {
            var unit = 0
            repeat(4) { unit = unit * 16 + next().digitToIntOrNull(16).let { requireNotNull(it) { "invalid escape at $at" } } }
            return unit.toChar()
        }

        private fun number(): Any {
            val match = requireNotNull(NUMBER.matchAt(text, at)) { "expected a value at $at" }
            at = match.range.last + 1
            val number = match.value
            val isWhole = number.none { it in ".eE" }
            val whole: Any? = if (number.startsWith('-')) number.toLongOrNull()?.takeIf { it != 0L } else number.toULongOrNull()
            return whole.takeIf { isWhole } ?: number.toDouble().also { require(it.isFinite()) { "number out of range at $at" } }
        }

        private fun <T> word(word: String, value: T): T {
            require(text.startsWith(word, at)) { "expected a value at $at" }
            at += word.length
            return value
        }

        private fun space() {
            while (at < text.length && text[at] in " \t\n\r") at++
        }

        private fun peek(): Char {
            require(at < text.length) { "the document ends at $at" }
            return text[at]
        }

        private fun next(): Char = peek().also { at++ }

        private fun expect(char: Char) = require(next() == char) { "expected $char at $at" }
    }

    private const val MAX_OPEN = 128
    private val NUMBER = Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?")
}

/** The members of an object; null if it is none. */
@Suppress("UNCHECKED_CAST")
public fun Any?.members(): Map<String, Any?>? = this as? Map<String, Any?>
