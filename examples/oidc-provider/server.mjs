// SPDX-License-Identifier: MIT OR Apache-2.0
// The certified oidc-provider on loopback, with refresh tokens that rotate. usage: server.mjs SECRET ACCESS_SECONDS DEVICE_CODE_SECONDS [FOLDER];
// prints its URL. The client `gateway` has client_credentials; at `login`, which has the secret too, and at `command`, which has none, a
// person signs in, whose name and password are whatever is typed; so they do at `brief`, whose device codes last six seconds. The client
// `signer` has client_credentials too, and signs its requests with the secret (client_secret_jwt); so does `keyed` by its own keys (private_key_jwt), one for
// each algorithm, which are put into FOLDER, as ES256.pem for one, and sign what is
// posted to /sign?ES256, as a service that keeps keys does. GET /ahead?SECONDS sets the clock of
// this server forward. GET /count says how many token requests there were; after GET /slow_down the next device that asks too early is
// told to slow down, which this provider does not say by itself.
import { generateKeyPairSync, sign } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [secret, access, device, folder] = process.argv.slice(2);
const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${server.address().port}`;
const person = {
  application_type: 'native',
  grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
  redirect_uris: ['http://127.0.0.1/callback'],
};
const pairs = { ES256: ['ec', { namedCurve: 'P-256' }], RS256: ['rsa', { modulusLength: 2048 }], EdDSA: ['ed25519', {}] };
const kept = {};
const keys = Object.entries({ ...pairs, PS256: pairs.RS256 }).map(([alg, pair]) => {
  const { privateKey, publicKey } = generateKeyPairSync(...pair);
  kept[alg] = privateKey;
  if (folder) writeFileSync(`${folder}/${alg}.pem`, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return { ...publicKey.export({ format: 'jwk' }), alg, kid: alg, use: 'sig' };
});
const provider = new Provider(url, {
  clients: [{
    client_id: 'gateway',
    client_secret: secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'client_secret_basic',
  },
  { ...person, client_id: 'login', client_secret: secret, token_endpoint_auth_method: 'client_secret_basic' },
  {
    ...person,
    client_id: 'signer',
    client_secret: secret,
    grant_types: ['client_credentials', ...person.grant_types],
    token_endpoint_auth_method: 'client_secret_jwt',
  },
  {
    ...person,
    client_id: 'keyed',
    grant_types: ['client_credentials', ...person.grant_types],
    jwks: { keys },
    token_endpoint_auth_method: 'private_key_jwt',
  },
  { ...person, client_id: 'command', token_endpoint_auth_method: 'none' },
  { ...person, client_id: 'brief', token_endpoint_auth_method: 'none' }],
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true },
    revocation: { enabled: true },
  },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: {
    AccessToken: Number(access),
    ClientCredentials: Number(access),
    DeviceCode: (_, code, client) => (client.clientId === 'brief' ? 6 : Number(device)),
    RefreshToken: 600,
  },
});
const now = Date.now;
let count = 0;
let slow = false;
provider.use(async (context, next) => {
  if (context.path === '/count') return void (context.body = String(count));
  if (context.path === '/ahead') {
    const ahead = 1000 * Number(context.querystring);
    Date.now = () => now() + ahead;
    return void (context.body = String(ahead));
  }
  if (context.path === '/sign') {
    const posted = Buffer.concat(await context.req.toArray());
    return void (context.body = sign('sha256', posted, kept[context.querystring]));
  }
  if (context.path === '/slow_down') return void (context.body = String(slow = true));
  if (context.path === '/token') count += 1;
  await next();
  if (slow && context.body?.error === 'authorization_pending') {
    slow = false;
    context.body.error = 'slow_down';
  }
});
server.on('request', provider.callback());
process.stdout.write(`${url}\n`);
