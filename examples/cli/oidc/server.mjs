// SPDX-License-Identifier: MIT OR Apache-2.0
// The certified oidc-provider on loopback, for a person who signs in. usage: server.mjs DEVICE_CODE_SECONDS; prints its URL.
// The name and the password of the person are whatever is typed.
import { once } from 'node:events';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [life] = process.argv.slice(2);
const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(url, {
  clients: [{
    client_id: 'command',
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    redirect_uris: ['http://127.0.0.1/callback'],
    token_endpoint_auth_method: 'none',
  }],
  features: { deviceFlow: { enabled: true }, devInteractions: { enabled: true } },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: { AccessToken: 600, DeviceCode: Number(life), RefreshToken: 600 },
});
server.on('request', provider.callback());
process.stdout.write(`${url}\n`);
