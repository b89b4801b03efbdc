// SPDX-License-Identifier: MIT OR Apache-2.0
// The certified oidc-provider on loopback, with access tokens that live for two seconds and refresh tokens that rotate.
// usage: server.mjs SECRET; prints its URL. The client `gateway` has client_credentials; `login` a person's login, whose name and
// password are whatever is typed.
import { once } from 'node:events';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [secret] = process.argv.slice(2);
const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(url, {
  clients: [{
    client_id: 'gateway',
    client_secret: secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'client_secret_basic',
  }, {
    client_id: 'login',
    client_secret: secret,
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: ['http://127.0.0.1/callback'],
    token_endpoint_auth_method: 'client_secret_basic',
  }],
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: true } },
  rotateRefreshToken: true,
  ttl: { ClientCredentials: 2, AccessToken: 2, RefreshToken: 600 },
});
let count = 0;
provider.use(async (context, next) => {
  if (context.path === '/count') return void (context.body = String(count));
  if (context.path === '/token') count += 1;
  await next();
});
server.on('request', provider.callback());
process.stdout.write(`${url}\n`);
