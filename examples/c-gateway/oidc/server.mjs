// SPDX-License-Identifier: MIT OR Apache-2.0
// The certified oidc-provider on loopback, with tokens that live for two seconds.
// usage: server.mjs PORT SECRET. Its refresh tokens need a browser: only client_credentials is used.
import Provider from 'oidc-provider';

const [port, secret] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'gateway',
    client_secret: secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'client_secret_basic',
  }],
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
  ttl: { ClientCredentials: 2 },
});
let count = 0;
provider.use(async (context, next) => {
  if (context.path === '/count') return void (context.body = String(count));
  if (context.path === '/token') count += 1;
  await next();
});
provider.listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));
