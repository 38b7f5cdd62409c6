// An OAuth server that this project did not write, with the addresses of Procore: oidc-provider, which the OpenID
// Foundation has certified, and beside it the few addresses of Procore's API that a connection needs (procore.mjs).
//
//   internal/testing/oidc/run -redirect http://127.0.0.1:3000/oauth/callback
//
// Its client's id and secret are in OIDC_CLIENT_ID and OIDC_CLIENT_SECRET, or fake-client-id and fake-client-secret.
// It listens on loopback, prints its address, and has users 1 to -users, each of whom belongs to company 1000 and to
// 1000 + their number. For the tests, GET /_oidc/state counts what happened, and DELETE /_oidc/access-tokens
// forgets them all. It ends with its standard input, if that is a pipe.

import { once } from 'node:events'
import { fstatSync } from 'node:fs'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'

import { Api } from './procore.mjs'
import { Counts } from './counts.mjs'
import { createProvider } from './provider.mjs'
import { Pages } from './pages.mjs'
import { Storage } from './storage.mjs'

const { values: options } = parseArgs({
  args: process.argv.slice(2).map((a) => a.replace(/^-(?=[a-z])/, '--')), // as Go's programs take them
  options: {
    port: { type: 'string', default: '0' },
    address: { type: 'string' }, // at which it is reached, if not directly
    redirect: { type: 'string', default: 'http://127.0.0.1:3000/oauth/callback' },
    users: { type: 'string', default: '3' },
    lifetime: { type: 'string', default: '5400' }, // of access tokens, in seconds
    keep: { type: 'boolean', default: false }, // a refresh token is good more than once
  },
})

const clientID = process.env.OIDC_CLIENT_ID ?? 'fake-client-id'
const clientSecret = process.env.OIDC_CLIENT_SECRET ?? 'fake-client-secret'

const users = new Map()
for (let id = 1; id <= Number(options.users); id++) {
  users.set(String(id), {
    id, name: `User ${id}`, login: `user${id}@example.com`,
    companies: [{ id: 1000 + id, name: `Company ${id}` }, { id: 1000, name: 'Company of all' }],
  })
}

const server = createServer()
server.listen(Number(options.port), '127.0.0.1')
await once(server, 'listening')
const here = `http://127.0.0.1:${server.address().port}`

const storage = new Storage()
const provider = createProvider({
  issuer: options.address ?? here, clientID, clientSecret, redirectURI: options.redirect, lifetime: Number(options.lifetime),
  rotate: !options.keep, users, storage,
})
const counts = new Counts(provider)
const api = new Api(provider, users)
const pages = new Pages(provider, users)
const oauth = provider.callback()

server.on('request', async (request, response) => {
  try {
    const url = new URL(request.url, here)
    if (url.pathname === '/_oidc/state') return send(response, 200, { ...counts.state(), calls: api.calls(), live: storage.live() })
    if (url.pathname === '/_oidc/access-tokens' && request.method === 'DELETE') {
      return send(response, 200, { ended: storage.endAccessTokens() })
    }
    if (await pages.serve(url, request, response)) return
    const answer = await api.serve(url, request)
    if (answer) return send(response, answer.status, answer.body)
    oauth(request, response)
  } catch (error) {
    counts.failed(error)
    send(response, 500, { error: 'server_error' })
  }
})

function send(response, status, body) {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(body))
}

console.log(`an OAuth server that listens at ${here}, for client ${clientID}`)
const input = fstatSync(0)
if (input.isFIFO() || input.isSocket()) {
  process.stdin.resume()
  process.stdin.once('end', () => process.exit())
}
