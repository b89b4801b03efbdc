import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.function.BiFunction;
import java.util.function.IntSupplier;

/** What `LendingCore.lend` does by JNA, by java.lang.foreign (JDK 22 or later): for `Bench.kt`, which `test.sh bench` runs. */
public final class Foreign implements BiFunction<Long, String, IntSupplier> {
    private static final int HEADER_BYTES = 4096;
    private static final MethodHandle AUTHORIZE = Linker.nativeLinker().downcallHandle(
        SymbolLookup.libraryLookup(System.getProperty("tokenward.library"), Arena.global())
            .find("tokenwardAuthorize").orElseThrow(),
        FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, ADDRESS, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS, JAVA_INT, ADDRESS),
        Linker.Option.critical(true));
    private final MemorySegment header = Arena.global().allocate(HEADER_BYTES);
    private final MemorySegment generation = Arena.global().allocate(JAVA_LONG);

    @Override
    public IntSupplier apply(Long handle, String url) {
        return () -> lend(handle, "GET", url).length();
    }

    private synchronized String lend(long handle, String method, String url) {
        byte[] m = method.getBytes(UTF_8), u = url.getBytes(UTF_8);
        int length;
        try {
            length = (int) AUTHORIZE.invokeExact(handle, 1L, MemorySegment.ofArray(m), m.length, MemorySegment.ofArray(u),
                u.length, header, HEADER_BYTES, generation);
        } catch (Throwable failed) {
            throw new AssertionError(failed);
        }
        byte[] bytes = header.asSlice(0, length).toArray(JAVA_BYTE);
        header.asSlice(0, length).fill((byte) 0);
        return new String(bytes, UTF_8);
    }
}
