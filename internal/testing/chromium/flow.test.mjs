// The flow through the pages, as people use it: with the keyboard alone, without scripts, with double clicks, with reload
// and the back button, and in two tabs.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { focused, seen } from './checks.mjs'
import { answer, arrival, link, redeem } from './host.mjs'
import { many, newUser } from './situations.mjs'
import { start } from './stack.mjs'
import { launch, narrow, visit } from './visitor.mjs'

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

// journey runs a test with a visitor and a user with companies, and checks afterwards that the browser reported nothing.
function journey(name, go, options) {
  test(name, { timeout: 60_000 }, async () => {
    const v = await visit(browser, stack, options)
    try {
      await go(v, await newUser(stack, two()))
    } finally {
      await v.close()
    }
  })
}

// shows waits until the page has this heading.
async function shows(v, heading, page = v.page) {
  await page.getByRole('heading', { level: 1, name: heading, exact: true }).waitFor()
}

// tabTo presses the Tab key until the focused element has this name. On our pages, each focus on the way is visible.
async function tabTo(v, name) {
  for (let i = 0; i < 40; i++) {
    await v.page.keyboard.press('Tab')
    if (v.page.url().startsWith(stack.app)) await focused(v.page)
    const focusedName = await v.page.evaluate(() => {
      const e = document.activeElement
      return (e.labels?.[0] ?? e).innerText.trim()
    })
    if (focusedName === name) return
  }
  assert.fail(`the Tab key does not reach ${name} at ${v.page.url()}`)
}

journey('keyboard alone', async (v, user) => {
  await v.open('/')
  await tabTo(v, 'Connect to Procore')
  await v.page.keyboard.press('Enter')
  await v.page.waitForURL('**/oauth/authorize?**')
  await v.page.getByRole('radio', { name: user, exact: true }).focus() // Procore's page is not part of the test
  await v.page.keyboard.press('Space')
  await tabTo(v, 'Authorize')
  await v.page.keyboard.press('Enter')
  await shows(v, 'Choose a company to connect')
  await tabTo(v, 'Acme Construction')
  await v.page.keyboard.press('ArrowDown')
  await focused(v.page)
  assert.ok(await v.company('Bright Buildings').isChecked())
  await v.page.keyboard.press('Enter') // presses the first button, which connects
  await shows(v, 'Connected')
  await tabTo(v, await v.brand())
})

journey('without script', async (v, user) => {
  await v.open('/')
  await v.follow(v.link('Connect to Procore'))
  await v.login(user)
  await v.choose('Acme Construction')
  await shows(v, 'Connected')
}, { javaScriptEnabled: false })

journey('every click twice', async (v, user) => {
  await v.open('/')
  await v.link('Connect to Procore').dblclick()
  await v.page.waitForURL('**/oauth/authorize?**')
  await v.login(user)
  await shows(v, 'Choose a company to connect')
  await v.company('Acme Construction').check({ force: true })
  await v.button('Connect this company').dblclick()
  await shows(v, 'Connected')
})

journey('every page reloaded', async (v, user) => {
  await v.open('/')
  await v.page.reload()
  await v.follow(v.link('Connect to Procore'))
  const callback = await v.callback(user)
  await v.page.goto(callback.href)
  await v.page.goto(callback.href)
  await shows(v, 'Choose a company to connect')
  await v.page.reload()
  await v.choose('Acme Construction')
  await shows(v, 'Connected')
  await v.page.reload()
  await shows(v, 'Connected')
  await v.page.goto(callback.href)
  await shows(v, 'Connected')
})

journey('back button', async (v, user) => {
  await v.connect(user, 'Acme Construction')
  await shows(v, 'Connected')
  await v.page.goBack() // to the choice, which is already made
  await shows(v, 'Connected')
  for (let i = 0; i < 4; i++) {
    await v.page.goBack()
    assert.ok((await v.page.getByRole('heading', { level: 1 }).innerText()).length > 0)
    if (new URL(v.page.url()).origin === stack.app) assert.ok(v.response.status() < 400, v.page.url())
    if (v.page.url() === stack.app + '/') break
  }
  await shows(v, 'Connect to Procore')
})

journey('back to the form after a refusal', async (v, user) => {
  await stack.fault('/rest/v1.1/projects', { status: 403, times: 1, body: '{"message":"You do not have permission."}' })
  await v.connect(user, 'Acme Construction')
  await shows(v, 'You need more permissions')
  await v.page.goBack()
  await v.choose('Bright Buildings')
  await shows(v, 'Connected')
})

journey('two tabs at once', async (v, user) => {
  const other = await v.tab()
  await v.start()
  await other.start()
  await v.login(user)
  await other.login(user)
  await v.choose('Acme Construction')
  await shows(v, 'Connected')
  await other.choose('Bright Buildings')
  await shows(other, 'Connected')
  await v.page.reload()
  assert.match(await v.page.getByRole('main').innerText(), /Acme Construction/)
})

journey('the same choice in two tabs', async (v, user) => {
  await v.start()
  await v.login(user)
  const other = await v.tab()
  await other.page.goto(v.page.url())
  await v.choose('Acme Construction')
  await shows(v, 'Connected')
  await other.choose('Bright Buildings')
  await shows(other, 'Connected') // with the first choice: one sign-in connects one company
  assert.match(await other.page.getByRole('main').innerText(), /Acme Construction/)
})

journey('canceled, then connected', async (v, user) => {
  await v.start()
  await v.login(user)
  await v.follow(v.button('Don\'t connect'))
  await shows(v, 'Nothing was connected')
  await v.page.goBack()
  await v.follow(v.link('Connect again'))
  await v.login(user)
  await v.choose('Acme Construction')
  await shows(v, 'Connected')
})

// With many companies the button is in reach of the list, and covers no company that has the focus: on a phone, with text twice as
// large, and with 200 % zoom.
for (const [how, viewport, text] of [
  ['on a phone', narrow, ''], ['with text of 200 %', narrow, '200%'], ['with 200 % zoom', { width: 640, height: 430 }, ''], ['on a phone on its side', { width: 740, height: 360 }, ''],
]) {
  test(`23 companies ${how}`, { timeout: 60_000 }, async () => {
    const v = await visit(browser, stack, { viewport })
    try {
      await v.start()
      await v.login(await newUser(stack, many(23)))
      await shows(v, 'Choose a company to connect')
      await v.page.evaluate((size) => { document.documentElement.style.fontSize = size }, text)
      await tabTo(v, 'Cedar Builders 5')
      const { top, bottom, height, sticky } = await v.button('Connect this company').evaluate((b) =>
        ({ ...b.getBoundingClientRect().toJSON(), height: innerHeight, sticky: getComputedStyle(b.parentElement).position === 'sticky' }))
      if (sticky) assert.ok(top >= 0 && bottom <= height, `the button is at ${top} to ${bottom} of ${height}`)
      assert.equal(sticky, height >= 384, 'it covers too much of a low screen, or is out of reach')
      for (let i = 0; i < 23; i++) {
        await focused(v.page)
        await seen(v.page)
        await v.page.keyboard.press('ArrowDown')
      }
      await v.page.keyboard.press('Tab')
      await seen(v.page)
      await v.page.keyboard.press('Enter')
      await shows(v, 'Connected')
    } finally {
      await v.close()
    }
  })
}

// A visitor who needs an administrator copies the whole text with the keyboard, and tries again.
journey('a text for an administrator', async (v) => {
  const user = await newUser(stack, [{ name: 'Acme Construction', user_installs: false }])
  await v.connect(user, 'Acme Construction')
  await tabTo(v, 'Send this text to a company administrator')
  await v.page.keyboard.press('Control+A')
  const [chosen, all] = await v.page.evaluate(() => {
    const { selectionStart, selectionEnd, value, readOnly } = document.activeElement
    return [readOnly && value.slice(selectionStart, selectionEnd), value]
  })
  assert.equal(chosen, all)
  assert.match(all, /“Acme Construction” \(Procore company ID \d+\)/)
  assert.match(await v.link('Open as an email').getAttribute('href'), /^mailto:\?subject=[^&]+&body=[^&]+$/)
  await v.follow(v.link('Try again'))
  await shows(v, 'Connect your company')
})

// The browser leaves our form for the host application, which a page's policy has to admit, and comes back with the code.
for (const javaScriptEnabled of [true, false]) {
  journey(`sent by a host application, ${javaScriptEnabled ? 'with' : 'without'} script`, async (v, user) => {
    await answer(v)
    const sent = await link(stack)
    await v.openFrom(sent.path)
    await v.follow(v.link('Connect to Procore'))
    await v.login(user)
    await v.company('Acme Construction').check({ force: true })
    await v.button('Connect this company').click()
    const brought = await arrival(v)
    assert.equal(brought.get('result'), 'connected')
    assert.equal((await redeem(stack, { ...sent, verifier: 'x'.repeat(43) }, brought.get('code'))).error, 'unknown')
    const result = await redeem(stack, sent, brought.get('code'))
    assert.deepEqual([result.status, result.reference, result.company_name], [200, 'tenant-42', 'Acme Construction'])
    assert.equal((await redeem(stack, sent, brought.get('code'))).error, 'used')
    await v.open('/connected')
    await shows(v, 'Connected')
    await v.link('Back to 127.0.0.1').click()
    assert.equal((await arrival(v)).get('code'), brought.get('code'))
  }, { javaScriptEnabled })
}

journey('back later, to disconnect', async (v, user) => {
  await v.connect(user, 'Acme Construction')
  await shows(v, 'Connected')
  await v.page.close()
  const later = await v.tab()
  await later.open('/connected')
  await shows(later, 'Connected')
  assert.match(await later.page.getByRole('main').innerText(), /Acme Construction/)
  await tabTo(later, 'Disconnect this company')
  await later.page.keyboard.press('Enter')
  await shows(later, 'Disconnect this company?')
  await later.follow(later.link('Keep the connection'))
  await shows(later, 'Connected')
  await later.page.goBack()
  await tabTo(later, 'Disconnect')
  await later.page.keyboard.press('Enter')
  await shows(later, 'You have disconnected this company')
  await later.page.goBack() // to the question, whose form was sent
  await shows(later, 'You have disconnected this company')
  await later.open('/connected')
  await shows(later, 'You have disconnected this company')
  await later.connect(user, 'Acme Construction')
  await shows(later, 'Reconnected')
})

journey('disconnected by a double click', async (v, user) => {
  await v.connect(user, 'Acme Construction')
  await v.follow(v.link('Disconnect this company'))
  await v.button('Disconnect').dblclick()
  await shows(v, 'You have disconnected this company')
}, { javaScriptEnabled: false })

journey('webhooks that are set up while the page is open', async (v, user) => {
  await stack.fault('/rest/v2.0/companies', { times: 999 })
  await v.connect(user, 'Acme Construction')
  await v.page.getByText('This page checks every 30 seconds.').waitFor()
  await stack.healthy()
  await v.page.getByText('On. Changes in Procore reach').waitFor({ timeout: 50_000 }) // no one touches the page
}, { javaScriptEnabled: false })
