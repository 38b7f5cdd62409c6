// The local stack of `make run`, in a separate process, and ways to prepare situations in it: through the fake Procore's
// /_fake/ addresses, and through the protocols of the stand-ins for DynamoDB and Secrets Manager.

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { appendFileSync, openSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))

// The output of the stacks and their functions, which make test-browser searches for secrets. It is opened for appending,
// because the test files run at the same time.
const log = openSync(root + 'build/browser.log', 'a')

// logged returns what is in that output.
export function logged() {
  return readFileSync(root + 'build/browser.log', 'utf8')
}

// start runs build/local/stack on free ports, with env for the functions, until close.
export async function start(env = {}) {
  const addresses = ['app', 'procore', 'aws'].flatMap((part) => ['-' + part, '127.0.0.1:0'])
  const child = spawn('build/local/stack', ['-state=', ...addresses], {
    cwd: root, env: { ...process.env, ...env }, stdio: ['ignore', log, 'pipe'],
  })
  process.once('exit', () => child.kill())
  const ended = once(child, 'close')
  const stack = new Stack(child, ended)
  await Promise.race([stack.ready(), ended.then(() => { throw new Error('the stack ended, see build/browser.log') })])
  return stack
}

class Stack {
  constructor(child, ended) {
    this.child = child
    this.ended = ended
    this.lines = createInterface({ input: child.stderr })
  }

  // ready reads the addresses that the stack prints when all of it answers.
  ready() {
    return new Promise((resolve) => this.lines.on('line', (line) => {
      appendFileSync(log, line + '\n')
      const [, what, address] = line.match(/^ +(the app|fake Procore|AWS services) +(http:\/\/\S+)/) ?? []
      if (what) this[{ 'the app': 'app', 'fake Procore': 'procore', 'AWS services': 'aws' }[what]] = address
      if (line.startsWith('Press Ctrl-C')) resolve()
    }))
  }

  async close() {
    this.child.kill('SIGTERM')
    await this.ended
  }

  // fake controls the fake Procore (pkg/procoretest, doc.go).
  async fake(method, path, body) {
    const r = await fetch(`${this.procore}/_fake/${path}`, { method, body: body && JSON.stringify(body) })
    if (!r.ok) throw new Error(`${method} /_fake/${path}: ${await r.text()}`)
    return r.json()
  }

  // fault makes requests to an endpoint fail. Retry-After is so long that the client does not wait for it.
  fault(endpoint, fault) {
    return this.fake('POST', 'faults', { endpoint, kind: 'status', status: 503, times: 99, headers: { 'Retry-After': '3600' }, ...fault })
  }

  healthy() {
    return this.fake('DELETE', 'faults')
  }

  // amazon calls an operation, such as DynamoDB_20120810.UpdateItem.
  async amazon(target, input) {
    const r = await fetch(this.aws, {
      method: 'POST', body: JSON.stringify(input),
      headers: { 'X-Amz-Target': target, 'Content-Type': 'application/x-amz-json-1.1', Authorization: 'AWS4-HMAC-SHA256 Credential=local/20260101/us-east-1/any/aws4_request' },
    })
    if (!r.ok) throw new Error(`${target}: ${await r.text()}`)
    return r.json()
  }

  // session changes an attribute of the authorization with this state, as time or another tab would.
  session(state, name, value) {
    return this.set('sessions', { session: { S: createHash('sha256').update(state).digest('base64url') } }, name, value)
  }

  // connection changes an attribute of a user's connection of a company.
  connection(company, user, name, value) {
    return this.set('connections', { company: { S: `custom#${company}` }, principal: { S: `user#${user}` } }, name, value)
  }

  // grant changes an attribute of a user's grant.
  grant(user, name, value) {
    return this.set('grants', { grant: { S: `custom#user#${user}` } }, name, value)
  }

  set(table, key, name, value) {
    return this.amazon('DynamoDB_20120810.UpdateItem', {
      TableName: table, Key: key,
      UpdateExpression: 'SET #n = :v', ExpressionAttributeNames: { '#n': name }, ExpressionAttributeValues: { ':v': value },
    })
  }
}
