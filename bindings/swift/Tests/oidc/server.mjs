// SPDX-License-Identifier: MIT OR Apache-2.0
// The certified oidc-provider on loopback, with refresh tokens that rotate. usage: server.mjs SECRET
// Prints its URL. A refresh token usually takes a browser; here the password grant, which is an extension of this
// server, issues the first one, and all that follows is the provider's own.
import Provider from 'oidc-provider';
import { createServer } from 'node:http';

const [secret] = process.argv.slice(2);
const server = createServer().listen(0, '127.0.0.1', () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(url, {
    clients: [{
      client_id: 'app',
      client_secret: secret,
      grant_types: ['password', 'refresh_token'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_basic',
      scope: 'openid offline_access',
    }],
    features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
    findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    rotateRefreshToken: true,
    ttl: { AccessToken: 600, RefreshToken: 3600, Grant: 3600 },
  });
  provider.registerGrantType('password', async (context) => {
    const { client, params } = context.oidc;
    if (params.password !== 'correct horse') {
      context.status = 400;
      context.body = { error: 'invalid_grant' };
      return;
    }
    const grant = new provider.Grant({ accountId: params.username, clientId: client.clientId });
    grant.addOIDCScope('openid offline_access');
    const of = {
      accountId: params.username, client, grantId: await grant.save(), gty: 'password', scope: 'openid offline_access',
    };
    const access = new provider.AccessToken(of);
    const refresh = new provider.RefreshToken({ ...of, authTime: Math.floor(Date.now() / 1000) });
    context.body = {
      access_token: await access.save(), refresh_token: await refresh.save(), token_type: 'Bearer',
      expires_in: access.expiration, scope: of.scope,
    };
  }, ['username', 'password', 'scope']);
  server.on('request', provider.callback());
  process.stdout.write(`${url}\n`);
});
process.stdin.resume().on('end', () => process.exit());
