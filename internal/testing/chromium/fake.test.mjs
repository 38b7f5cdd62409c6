// The page of the fake Procore: a tool for developers, which shows live what happens, and works without a script too.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { forEveryone } from './checks.mjs'
import { settled } from './situations.mjs'
import { start } from './stack.mjs'
import { launch, visit } from './visitor.mjs'

const harbor = 4294967311
const change = { company_id: harbor, project_id: 4294968001, resource_name: 'RFIs', event_type: 'create' }

let browser, stack
before(async () => {
  browser = await launch()
  stack = await start()
  const v = await visit(browser, stack)
  await v.connect('Joe Builder', 'Harbor & Hill Builders')
  await settled(v)
  await v.close()
})
after(async () => {
  await browser?.close()
  await stack?.close()
})

// tool runs a test with a visitor who has the page open.
function tool(name, go, options) {
  test(name, { timeout: 60_000 }, async () => {
    const v = await visit(browser, stack, options)
    try {
      await v.page.goto(stack.procore)
      await go(v, v.page)
    } finally {
      await v.close()
    }
  })
}

// delivered waits for another delivery than those in the list, and returns it.
async function delivered(page, act) {
  const item = page.locator('#delivery-list > li[id^=delivery]')
  const newest = await item.first().getAttribute('id').catch(() => '')
  await act()
  const next = page.locator(`#delivery-list > li[id^=delivery]:first-child:not(#${newest || 'none'})`)
  await next.waitFor()
  return next
}

tool('deliveries arrive on the page', async (v, page) => {
  await stack.fake('POST', 'events', change)
  await page.locator('#delivery-list > li[id^=delivery]').first().waitFor()
  const item = await delivered(page, () => stack.fake('POST', 'events', change))
  await item.locator('summary').click()
  assert.match(await item.innerText(), /"resource_name": "RFIs"[^]*Answer 200/)
  assert.match(await item.innerText(), /Headers: Authorization, Content-Type, User-Agent/)
  const id = await item.getAttribute('id')
  await page.locator('#clock').click() // the focus leaves the list
  await delivered(page, () => stack.fake('POST', 'events', change))
  assert.ok(await page.locator(`#${id} details`).evaluate((d) => d.open), 'it was closed')
  await forEveryone(page)
  await page.locator(`#${id}`).getByRole('button', { name: /^Deliver again/ }).click()
  await page.getByRole('status').getByText('The event is delivered again.').waitFor()
})

tool('a change that no hook reports', async (v, page) => {
  const company = page.locator('details', { hasText: 'Locked Gate Contractors' })
  await company.locator('summary').first().click()
  const button = company.getByRole('button', { name: 'Create in RFIs of Gatehouse' })
  const hint = /No hook of this company exists/
  assert.match(await page.locator(`#${await button.getAttribute('aria-describedby')}`).innerText(), hint)
  await v.follow(button)
  assert.match(await page.getByRole('status').innerText(), hint)
  await forEveryone(page)
})

tool('without a script', async (v, page) => {
  await stack.fake('POST', 'events', { ...change, title: 'Made while no script ran' })
  await v.follow(page.getByRole('link', { name: 'Refresh' }))
  await page.getByText('Made while no script ran').waitFor()
  await v.follow(page.getByRole('button', { name: '90 minutes pass' }))
  await page.getByRole('status').getByText('90 minutes have passed.').waitFor()
}, { javaScriptEnabled: false })

tool('a resource of any name', async (v, page) => {
  const company = page.locator('details', { hasText: 'Harbor & Hill Builders' }).first()
  await company.getByRole('combobox', { name: 'Resource' }).fill('Submittals')
  await company.getByRole('textbox', { name: 'Title' }).fill('Window samples')
  await v.follow(company.getByRole('button', { name: 'Create the resource in Harbor & Hill Builders' }))
  assert.match(await page.getByRole('status').innerText(), /^Created/)
  await page.getByText('Window samples').waitFor()
  await page.getByRole('link', { name: 'The app' }).click()
  await page.waitForURL(`${stack.app}/**`)
})
