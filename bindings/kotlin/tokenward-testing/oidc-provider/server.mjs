// SPDX-License-Identifier: MIT OR Apache-2.0
// The certified oidc-provider on loopback. usage: server.mjs SECRET LIFETIME_SECONDS; prints its URL.
// A user's sign-in needs a browser: GET /_test/sign-in?user=USER does what comes of it.
import { once } from 'node:events';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [secret, lifetime] = process.argv.slice(2);
const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${server.address().port}`;
const CLIENT = 'app';
const SCOPE = 'openid offline_access';
const provider = new Provider(url, {
  clients: [{
    client_id: CLIENT,
    client_secret: secret,
    grant_types: ['client_credentials', 'authorization_code', 'refresh_token'],
    redirect_uris: ['https://app.example/cb'],
    token_endpoint_auth_method: 'client_secret_basic',
  }],
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  rotateRefreshToken: true,
  ttl: { AccessToken: Number(lifetime), ClientCredentials: Number(lifetime), RefreshToken: 86400, Grant: 86400 },
});

async function signIn(user) {
  const client = await provider.Client.find(CLIENT);
  const grant = new provider.Grant({ accountId: user, clientId: CLIENT });
  grant.addOIDCScope(SCOPE);
  const members = { accountId: user, client, grantId: await grant.save(), scope: SCOPE, gty: 'authorization_code' };
  const token = await new provider.AccessToken(members).save();
  issued.push(token);
  return {
    access_token: token,
    token_type: 'Bearer',
    expires_in: Number(lifetime),
    refresh_token: await new provider.RefreshToken(members).save(),
  };
}

const grants = [];
let issued = [];
async function revoke() {
  for (const token of issued) await (await provider.AccessToken.find(token))?.destroy();
  issued = [];
  return {};
}

provider.use(async (context, next) => {
  switch (context.path) {
    case '/_test/sign-in': return void (context.body = await signIn(context.query.user));
    case '/_test/grants': return void (context.body = grants);
    case '/_test/revoke': return void (context.body = await revoke());
  }
  await next();
  if (context.path !== '/token') return;
  grants.push(`${context.oidc.params?.grant_type} ${context.status}`);
  if (context.status === 200) issued.push(context.body.access_token);
});
server.on('request', provider.callback());
process.stdout.write(`${url}\n`);
