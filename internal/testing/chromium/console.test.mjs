// The operator's console, in every situation.

import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { forEveryone, keyboard } from './checks.mjs'
import { situations, start as serve } from './console.mjs'
import { start } from './stack.mjs'
import { launch, visit } from './visitor.mjs'

describe('the console', () => {
  let browser, stack, console
  before(async () => {
    browser = await launch()
    stack = await start()
    const v = await visit(browser, stack)
    await v.connect('Joe Builder', 'Harbor & Hill Builders')
    await v.close()
    console = await serve(stack)
  })
  after(async () => {
    await console?.close()
    await stack?.close()
    await browser?.close()
  })

  // inside returns a browser that was admitted. It reports every request to another origin.
  async function inside() {
    const v = await visit(browser, { ...stack, app: console.origin })
    await v.page.goto(console.enter)
    await v.page.waitForURL(console.origin + '/')
    return v
  }

  for (const s of situations) {
    it(s.name, { timeout: 60_000 }, async () => {
      const v = await inside()
      try {
        const path = s.path.replace('5678', await company(v))
        await v.page.goto(console.origin + path)
        if (s.press) await v.follow(v.button(s.press))
        if (s.then) await v.follow(v.button(s.then))
        const heading = await v.page.getByRole('heading', { level: 1 }).innerText()
        if (s.heading) assert.equal(heading, s.heading)
        await forEveryone(v.page)
        await keyboard(v.page)
      } finally {
        await v.close()
      }
    })
  }

  // company returns the id of the company that is connected.
  async function company(v) {
    return (await v.page.locator('tbody a').first().getAttribute('href')).split('/').pop()
  }

  it('renews itself, and not what is being typed', { timeout: 60_000 }, async () => {
    const v = await inside()
    const before = await v.page.locator('[data-part] time').last().innerText()
    await v.page.getByRole('searchbox').fill('typed')
    await v.page.waitForFunction((was) => [...document.querySelectorAll('[data-part] time')].at(-1).innerText !== was, before, { timeout: 40_000 })
    assert.equal(await v.page.getByRole('searchbox').inputValue(), 'typed')
    await v.close()
  })

  it('admits no other browser', async () => {
    const v = await visit(browser, { ...stack, app: console.origin })
    const answer = await v.page.goto(console.origin + '/')
    assert.equal(answer.status(), 403)
    await v.close()
  })
})
