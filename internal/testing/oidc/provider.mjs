import { generateKeyPairSync, randomBytes } from 'node:crypto'

import Provider from 'oidc-provider'

// What a request without a scope means, which RFC 6749 section 3.3 leaves to the server. The provider refuses such a
// request, and Procore's documentation knows no scopes.
const defaultScope = 'openid api'

const day = 86400

const signingKey = () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { ...privateKey.export({ format: 'jwk' }), alg: 'ES256', use: 'sig' }
}

// createProvider configures the provider with Procore's addresses and as strictly as it can be: one redirect URI, one
// way to authenticate the client, PKCE, opaque access tokens, and a new refresh token for each one that is spent, unless
// rotate is false. Presenting a spent one ends the whole grant: the provider always does that.
export function createProvider({ issuer, clientID, clientSecret, redirectURI, lifetime, rotate, users, storage }) {
  const provider = new Provider(issuer, {
    adapter: (model) => storage.adapter(model),
    clients: [{
      client_id: clientID, client_secret: clientSecret, redirect_uris: [redirectURI],
      grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post', id_token_signed_response_alg: 'ES256',
    }],
    allowOmittingSingleRegisteredRedirectUri: false,
    clientAuthMethods: ['client_secret_post'],
    cookies: { keys: [randomBytes(32).toString('hex')] },
    expiresWithSession: () => false,
    features: {
      devInteractions: { enabled: false }, dPoP: { enabled: false }, pushedAuthorizationRequests: { enabled: false },
      revocation: { enabled: true }, rpInitiatedLogout: { enabled: false }, userinfo: { enabled: false },
    },
    findAccount: (ctx, id) => users.has(id) ? { accountId: id, claims: async () => ({ sub: id }) } : undefined,
    interactions: { url: (ctx, interaction) => `/sign-in/${interaction.uid}` },
    issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
    jwks: { keys: [signingKey()] },
    pkce: { required: () => true },
    responseTypes: ['code'],
    rotateRefreshToken: rotate,
    routes: { authorization: '/oauth/authorize', token: '/oauth/token', revocation: '/oauth/revoke' },
    scopes: defaultScope.split(' '),
    ttl: {
      AccessToken: lifetime, AuthorizationCode: 600, Grant: 400 * day, IdToken: 3600, Interaction: 3600,
      RefreshToken: 400 * day, Session: day,
    },
  })
  provider.proxy = true // the test's, which has the certificate
  provider.use(async (ctx, next) => {
    if (ctx.path === '/oauth/authorize' && !ctx.query.scope) ctx.query = { ...ctx.query, scope: defaultScope }
    await next()
  })
  return provider
}
