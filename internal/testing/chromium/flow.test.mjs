// The way through the pages, as people go it: with the keyboard alone, without script, with a finger that clicks twice,
// with reload and back button, and in two tabs.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { focused } from './checks.mjs'
import { someone } from './situations.mjs'
import { start } from './stack.mjs'
import { launch, visit } from './visitor.mjs'

const two = () => [{ name: 'Acme Construction' }, { name: 'Bright Buildings' }]

let browser, stack
before(async () => {
  browser = await launch()
  stack = await start()
})
after(async () => {
  await browser?.close()
  await stack?.close()
})

// journey gives a visitor and a user with companies to a test, and looks afterwards that nothing was complained about.
function journey(name, go, options) {
  test(name, { timeout: 60_000 }, async () => {
    const v = await visit(browser, stack, options)
    try {
      await go(v, await someone(stack, two()))
    } finally {
      await v.close()
    }
  })
}

async function reads(v, heading, page = v.page) {
  await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor()
}

// tabTo presses the Tab key until what has the focus is called name. On our pages every stop on the way is visible.
async function tabTo(v, name) {
  for (let i = 0; i < 40; i++) {
    await v.page.keyboard.press('Tab')
    if (v.page.url().startsWith(stack.app)) await focused(v.page)
    const called = await v.page.evaluate(() => {
      const e = document.activeElement
      return (e.labels?.[0] ?? e).innerText.trim()
    })
    if (called === name) return
  }
  assert.fail(`the Tab key does not reach ${name} at ${v.page.url()}`)
}

journey('keyboard alone', async (v, user) => {
  await v.open('/')
  await tabTo(v, 'Connect to Procore')
  await v.page.keyboard.press('Enter')
  await v.page.waitForURL('**/oauth/authorize?**')
  await v.page.getByRole('radio', { name: user, exact: true }).focus() // Procore's page is not ours to test
  await v.page.keyboard.press('Space')
  await tabTo(v, 'Authorize')
  await v.page.keyboard.press('Enter')
  await reads(v, 'Choose a company to connect')
  await tabTo(v, 'Acme Construction')
  await v.page.keyboard.press('ArrowDown')
  await focused(v.page)
  assert.ok(await v.company('Bright Buildings').isChecked())
  await v.page.keyboard.press('Enter') // presses the first button: to connect, not to leave
  await reads(v, 'Connected')
  await tabTo(v, await v.brand())
})

journey('without script', async (v, user) => {
  await v.open('/')
  await v.link('Connect to Procore').click()
  await v.login(user)
  await v.choose('Acme Construction')
  await reads(v, 'Connected')
}, { javaScriptEnabled: false })

journey('every click twice', async (v, user) => {
  await v.open('/')
  await v.link('Connect to Procore').dblclick()
  await v.page.waitForURL('**/oauth/authorize?**')
  await v.login(user)
  await reads(v, 'Choose a company to connect')
  await v.company('Acme Construction').check({ force: true })
  await v.button('Connect this company').dblclick()
  await reads(v, 'Connected')
})

journey('every page loaded again', async (v, user) => {
  await v.open('/')
  await v.page.reload()
  await v.link('Connect to Procore').click()
  const callback = await v.callback(user)
  await v.page.goto(callback.href)
  await v.page.goto(callback.href)
  await reads(v, 'Choose a company to connect')
  await v.page.reload()
  await v.choose('Acme Construction')
  await reads(v, 'Connected')
  await v.page.reload()
  await reads(v, 'Connected')
  await v.page.goto(callback.href)
  await reads(v, 'Connected')
})

journey('back button', async (v, user) => {
  await v.connect(user, 'Acme Construction')
  await reads(v, 'Connected')
  await v.page.goBack() // to the choice, which was made
  await reads(v, 'Connected')
  for (let i = 0; i < 4; i++) {
    await v.page.goBack()
    assert.ok((await v.page.getByRole('heading', { level: 1 }).innerText()).length > 0)
    if (new URL(v.page.url()).origin === stack.app) assert.ok(v.response.status() < 400, v.page.url())
    if (v.page.url() === stack.app + '/') break
  }
  await reads(v, `Connect ${await v.brand()} to Procore`)
})

journey('back to the form after a refusal', async (v, user) => {
  await stack.fault('/rest/v1.0/projects', { status: 403, times: 1, body: '{"message":"You do not have permission."}' })
  await v.connect(user, 'Acme Construction')
  await reads(v, 'You need more permissions')
  await v.page.goBack()
  await v.choose('Bright Buildings')
  await reads(v, 'Connected')
})

journey('two tabs at once', async (v, user) => {
  const other = await v.tab()
  await v.start()
  await other.start()
  await v.login(user)
  await other.login(user)
  await v.choose('Acme Construction')
  await reads(v, 'Connected')
  await other.choose('Bright Buildings')
  await reads(other, 'Connected')
  await v.page.reload()
  assert.match(await v.page.getByRole('main').innerText(), /Acme Construction/)
})

journey('the same choice in two tabs', async (v, user) => {
  await v.start()
  await v.login(user)
  const other = await v.tab()
  await other.page.goto(v.page.url())
  await v.choose('Acme Construction')
  await reads(v, 'Connected')
  await other.choose('Bright Buildings')
  await reads(other, 'Connected') // with the first choice: the sign-in was good for one company
  assert.match(await other.page.getByRole('main').innerText(), /Acme Construction/)
})

journey('changed their mind, and again', async (v, user) => {
  await v.start()
  await v.login(user)
  await v.button('Don\'t connect').click()
  await reads(v, 'Nothing was connected')
  await v.page.goBack()
  await v.link('Connect to Procore').click()
  await v.login(user)
  await v.choose('Acme Construction')
  await reads(v, 'Connected')
})
