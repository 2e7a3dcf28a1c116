// A real OpenID provider on loopback, for tests: tokens by client credentials, keys that rotate.
//
//   node provider.mjs PORT TENANT[,TENANT] [CERTIFICATE KEY]
//
// SIGHUP makes a new key and signs with it; the keys before stay in the set. SIGUSR2 forgets them.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createPlain } from 'node:http';
import { createServer as createSecure } from 'node:https';
import Provider from 'oidc-provider';

const [port, tenants, certificate, key] = process.argv.slice(2);
const issuer = `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`;
const RESOURCE = 'urn:promfence:metrics';
const ALGORITHMS = ['ES256', 'RS256', 'Ed25519', 'PS256', 'ES384'];

let keys = [];
let handle;

function newKey() {
  const alg = ALGORITHMS[keys.length % ALGORITHMS.length];
  const pair = {
    ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    Ed25519: () => generateKeyPairSync('ed25519'),
    RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  }[alg]();
  return { ...pair.privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: randomUUID() };
}

// The provider takes its keys once, so a rotation is a new provider behind the same port.
function serve() {
  const { alg, kid } = keys[0];
  const provider = new Provider(issuer, {
    jwks: { keys },
    clients: tenants.split(',').map((tenant) => ({
      client_id: tenant,
      client_secret: `secret-of-${tenant}`,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: alg,
      scope: 'metrics:read metrics:write',
    })),
    enabledJWA: { idTokenSigningAlgValues: ALGORITHMS },
    scopes: ['metrics:read', 'metrics:write'],
    extraTokenClaims: (ctx, token) => ({ tenants: [token.clientId] }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCE,
        getResourceServerInfo: () => ({
          scope: 'metrics:read metrics:write',
          audience: 'metrics',
          accessTokenFormat: 'jwt',
          accessTokenTTL: 600,
          jwt: { sign: { alg, kid } },
        }),
      },
    },
  });
  handle = provider.callback();
}

function rotate() {
  keys = [newKey(), ...keys];
  serve();
  console.log(`signs with ${keys[0].alg} ${keys[0].kid}`);
}

rotate();
process.on('SIGHUP', rotate);
process.on('SIGUSR2', () => {
  keys = keys.slice(0, 1);
  serve();
  console.log('forgot the keys before');
});
const answer = (request, response) => handle(request, response);
const server = certificate
  ? createSecure({ cert: readFileSync(certificate), key: readFileSync(key) }, answer)
  : createPlain(answer);
server.listen(Number(port), '127.0.0.1', () => console.log(`ready at ${issuer}`));
