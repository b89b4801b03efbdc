package io.github.tokenward;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import kotlin.Unit;
import kotlin.coroutines.intrinsics.IntrinsicsKt;
import org.junit.jupiter.api.Test;

class JavaTest {
    // java
    private final TokenProvider acme = TokenProviderKt.TokenProvider("acme", "https://acme.example", "/token", provider -> {
        provider.setPrimaryGrant(TokenGrant.CLIENT_CREDENTIALS);
        return Unit.INSTANCE;
    });

    private TokenManager manager(TokenTransport transport) {
        TokenSource source = TokenFutures.credentials(() -> new Credentials("id", "secret"));
        TokenManagerOptions options = TokenFutures.options(Duration.ZERO, true);
        TokenIdentity person = TokenProviderKt.TokenIdentity(identity -> Unit.INSTANCE);
        return new TokenManager(acme, person, source, transport, new MemoryTokenStorage(), options);
    }
    // end

    private final TransportResponse answer =
        new TransportResponse(200, List.of(), "{\"access_token\":\"access-1\",\"expires_in\":3600}".getBytes());

    @Test
    void a_token_is_obtained_installed_and_wiped_from_Java() throws Exception {
        List<TokenState> seen = new CopyOnWriteArrayList<>();
        try (TokenManager manager = manager((request, done) -> answer); TokenFutures tokens = new TokenFutures(manager)) {
            tokens.watch(seen::add);
            assertEquals("Bearer access-1", tokens.authorize("GET", "https://acme.example/v1").get().getHeader());
            tokens.install(TokenFutures.issued("installed", 3600L)).get();
            Authorization lent = tokens.authorize("GET", "https://acme.example/v1").get(10, TimeUnit.SECONDS);
            assertEquals("Bearer installed", lent.getHeader());
            tokens.signOut().get();
            CompletableFuture<Authorization> ended = tokens.authorize("GET", "https://acme.example/v1");
            ExecutionException refused = assertThrows(ExecutionException.class, ended::get);
            assertEquals("signed_out", ((TokenwardException) refused.getCause()).getCode());
            while (!seen.contains(TokenState.SignedOut.INSTANCE)) Thread.sleep(5);
        }
    }

    @Test
    void a_future_that_is_cancelled_stops_waiting() {
        TokenTransport silent = (request, done) -> IntrinsicsKt.getCOROUTINE_SUSPENDED();
        try (TokenManager manager = manager(silent); TokenFutures tokens = new TokenFutures(manager)) {
            CompletableFuture<Authorization> waiting = tokens.authorize("GET", "https://acme.example/v1");
            waiting.cancel(true);
            assertThrows(CancellationException.class, waiting::get);
        }
    }

    @Test
    void a_client_signs_its_requests_from_Java() throws Exception {
        TokenProvider keyed = TokenProviderKt.copy(acme, provider -> {
            provider.setAuthentication(ClientAuthentication.PRIVATE_KEY_JWT);
            return Unit.INSTANCE;
        });
        List<String> inputs = new CopyOnWriteArrayList<>();
        ClientSigner signer = TokenFutures.signer(SignatureAlgorithm.ED_DSA, data -> {
            inputs.add(new String(data));
            return new byte[64];
        });
        TokenSource source = TokenFutures.credentials(
            () -> new Credentials("id", null, null, null, Map.of(), Map.of(), null, signer));
        TokenManagerOptions options = TokenFutures.options(Duration.ZERO, true);
        TokenIdentity person = TokenProviderKt.TokenIdentity(identity -> Unit.INSTANCE);
        List<String> bodies = new CopyOnWriteArrayList<>();
        TokenTransport transport = (request, done) -> {
            bodies.add(new String(request.getBody()));
            return answer;
        };
        try (TokenManager manager = new TokenManager(keyed, person, source, transport, new MemoryTokenStorage(), options);
                TokenFutures tokens = new TokenFutures(manager)) {
            tokens.authorize("GET", "https://acme.example/v1").get();
        }
        assertEquals(1, inputs.size());
        assertTrue(bodies.get(0).contains("&client_assertion=" + inputs.get(0) + "."));
    }

    @Test
    void a_person_signs_in_from_Java() throws Exception {
        TokenProvider app = TokenProviderKt.TokenProvider("acme", "https://acme.example", "/token", provider -> {
            provider.setAuthorizationUrl("https://acme.example/authorize");
            provider.setAuthentication(ClientAuthentication.PUBLIC_CLIENT);
            provider.setRefreshGrant(true);
            provider.setExposure(Exposure.APP_ALLOWED);
            return Unit.INSTANCE;
        });
        TokenSource source = TokenFutures.credentials(() -> new Credentials("app"));
        TokenTransport transport = (request, done) -> answer;
        TokenIdentity person = TokenProviderKt.TokenIdentity(identity -> Unit.INSTANCE);
        try (TokenManager manager = new TokenManager(app, person, source, transport); TokenFutures tokens = new TokenFutures(manager)) {
            TokenFutures.signIn(manager, "com.example.app:/callback", request -> {
                String state = request.getUrl().replaceAll(".*&(state=[^&]*).*", "$1");
                return CompletableFuture.completedFuture("com.example.app:/callback?code=c&" + state);
            }).get();
            assertEquals("Bearer access-1", tokens.authorize("GET", "https://acme.example/v1").get().getHeader());
        }
    }
}
