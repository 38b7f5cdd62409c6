// A host application: it signs links for its tenants, with nothing but what Node has, and its page at the return address
// shows what the browser came back with.

import { createHash, createHmac, randomBytes } from 'node:crypto'

// The return address that the local stack admits.
export const returnURL = 'http://127.0.0.1:3500/procore'

const base64url = (value) => Buffer.from(value).toString('base64url')

// link returns the address of a link for the tenant, and the verifier of its challenge.
export async function link(stack, { tenant = 'Acme Corp', exp = Date.now() / 1000 + 600, key, back = returnURL } = {}) {
  const { SecretString } = await stack.amazon('secretsmanager.GetSecretValue', { SecretId: 'local/link' })
  const ring = JSON.parse(SecretString)
  const verifier = randomBytes(32).toString('base64url')
  const challenge = createHash('sha256').update(verifier).digest('base64url')
  const claims = { ref: 'tenant-42', tenant, challenge, exp: Math.floor(exp) }
  const signed = base64url(JSON.stringify({ alg: 'HS256', typ: 'JWT' })) + '.' + base64url(JSON.stringify(claims))
  const ref = signed + '.' + createHmac('sha256', key ?? ring[ring.current]).update(signed).digest('base64url')
  return { path: '/oauth/start?' + new URLSearchParams({ ref, return: back }), verifier, key: ring[ring.current] }
}

// answer has the host's page at the return address answered, which the test reads.
export async function answer(v) {
  await v.context.route((url) => url.origin === new URL(returnURL).origin, (r) => r.fulfill({ contentType: 'text/html', body: '<h1>Host</h1>' }))
}

// arrival waits until the browser is back at the host, and returns what it brings.
export async function arrival(v) {
  await v.page.waitForURL((url) => url.href.startsWith(returnURL))
  return new URL(v.page.url()).searchParams
}

// redeem does what the host's server does with the code.
export async function redeem(stack, { key, verifier }, code) {
  const signed = base64url(JSON.stringify({ alg: 'HS256' })) + '.' + base64url(JSON.stringify({ aud: 'redeem', exp: Math.floor(Date.now() / 1000) + 60 }))
  const token = signed + '.' + createHmac('sha256', key).update(signed).digest('base64url')
  const r = await fetch(stack.app + '/links/redeem', { method: 'POST', headers: { Authorization: 'Bearer ' + token }, body: new URLSearchParams({ code, verifier }) })
  return { status: r.status, ...await r.json() }
}
