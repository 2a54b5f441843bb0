// A token server with one client for each way of authentication, run by `node -e`. The environment says where
// the library is (LIBRARY), which port to listen on (PORT), where the keys rsa.pem, p256.pem and ed25519.pem
// are (KEYS), the secret of the clients (SECRET) and the seconds until a token ends (LIFETIME). The refresh
// token of the client `refresh` is written into the file `refresh-token`.
const { createPublicKey } = require('node:crypto');
const { readFileSync, writeFileSync } = require('node:fs');
const { createServer } = require('node:http');

const { KEYS, LIBRARY, LIFETIME, PORT, SECRET } = process.env;
const algorithms = { RSA: 'RS256', EC: 'ES256', OKP: 'EdDSA' };
const machine = { grant_types: ['client_credentials'], redirect_uris: [], response_types: [] };
const withSecret = (method) => ({
  ...machine,
  client_id: method,
  client_secret: SECRET,
  token_endpoint_auth_method: method,
});
const withKey = (name) => {
  const key = createPublicKey(readFileSync(`${KEYS}/${name}.pem`)).export({ format: 'jwk' });
  return {
    ...machine,
    client_id: name,
    jwks: { keys: [{ ...key, kid: name, use: 'sig' }] },
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: algorithms[key.kty],
  };
};
const refreshing = {
  application_type: 'native',
  client_id: 'refresh',
  grant_types: ['refresh_token', 'authorization_code'],
  redirect_uris: ['https://client.test/'],
  token_endpoint_auth_method: 'none',
};

async function serve() {
  const { default: Provider } = await import(LIBRARY);
  const provider = new Provider(`http://127.0.0.1:${PORT}`, {
    clients: [
      withSecret('client_secret_basic'),
      withSecret('client_secret_post'),
      ...['rsa', 'p256', 'ed25519'].map(withKey),
      refreshing,
    ],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
    enabledJWA: { clientAuthSigningAlgValues: Object.values(algorithms) },
    features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    rotateRefreshToken: true,
    scopes: ['openid', 'offline_access', 'read'],
    ttl: { AccessToken: Number(LIFETIME), ClientCredentials: Number(LIFETIME) },
  });
  const scope = 'openid offline_access';
  const grant = new provider.Grant({ accountId: 'me', clientId: 'refresh' });
  grant.addOIDCScope(scope);
  const token = new provider.RefreshToken({
    accountId: 'me',
    client: await provider.Client.find('refresh'),
    grantId: await grant.save(),
    gty: 'authorization_code',
    rotations: 0,
    scope,
  });
  writeFileSync('refresh-token', await token.save());
  createServer(provider.callback()).listen(Number(PORT), '127.0.0.1');
}

serve();
