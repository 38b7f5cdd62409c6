// Every page, in every situation.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { check, small } from './checks.mjs'
import { bothWays, deployment, installations, mixed, placeholder, serviceAccount, situations } from './situations.mjs'
import { start } from './stack.mjs'
import { launch, visit } from './visitor.mjs'

const support = 'help@acme.example'

let browser
before(async () => { browser = await launch() })
after(() => browser?.close())

function suite(name, list, env, prepare = () => {}) {
  describe(name, () => {
    let stack
    before(async () => {
      stack = await start({ SUPPORT_CONTACT: support, ...env })
      await prepare(stack)
    })
    after(() => stack?.close())
    for (const s of list) it(s.name, { timeout: 60_000 }, () => visitAndCheck(stack, s))
  })
}

async function visitAndCheck(stack, s) {
  const v = await visit(browser, stack)
  try {
    await s.go(v)
    await compare(v, s)
    await check(v)
  } finally {
    await stack.healthy()
    await v.close()
  }
}

// compare checks what a person reads.
async function compare(v, s) {
  const main = v.page.getByRole('main')
  const text = await v.page.locator('body').innerText()
  assert.equal(await main.getByRole('heading', { level: 1 }).innerText(), s.heading.replace('{brand}', await v.brand()))
  assert.equal(v.response.status(), s.status)
  for (const words of s.shows ?? []) assert.ok(text.includes(words), `“${words}” is not in:\n${text}`)
  assert.ok(text.includes(support), 'no support contact')
  const stopped = s.status >= 400 && !s.form
  assert.equal(/request id:?\s+[\w-]{10,}/i.test(text), stopped, 'a request ID')
  assert.equal(await main.locator('.kind').count(), stopped ? 1 : 0, 'who has to act')
  await small(v.response)
  const alert = s.alert ?? s.status >= 400
  assert.equal(await v.page.getByRole('alert').count(), alert ? 1 : 0, 'alerts')
}

suite('pages', situations)

suite('a service account', installations, serviceAccount.env)

suite('both', bothWays, mixed.env)

suite('a deployment', deployment, placeholder.env, placeholder.prepare)
