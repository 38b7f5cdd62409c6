// The picture of the README: what a user, an operator of Procore and a developer see during one run, side by side. Each
// part is a screenshot or a log line of that run.

import { readFile } from 'node:fs/promises'
import { settled } from './situations.mjs'
import { logged, start } from './stack.mjs'
import { narrow, visit } from './visitor.mjs'

const project = 'Pier 9 Warehouse'
const rfi = 'RFI 1: Which door schedule applies?'
const size = { width: 1180, height: 860 }
const phone = { ...narrow, height: 830 } // fills its frame

// product runs the steps of the README's quick start, and writes the picture.
export async function product(browser, file) {
  const stack = await start()
  const v = await visit(browser, stack, { viewport: phone, colorScheme: 'light', deviceScaleFactor: 2 })
  const parts = {}
  await v.start()
  await v.login('Joe Builder')
  await v.company('Harbor & Hill Builders').check({ force: true })
  parts.choose = await v.page.screenshot()
  await v.choose('Harbor & Hill Builders')
  await settled(v)
  parts.connected = await v.page.screenshot()

  await v.page.setViewportSize({ width: 560, height: 740 })
  await v.page.goto(stack.procore)
  const tool = v.page.locator('section', { hasText: `RFIs in ${project}` }).first()
  const before = logged().length
  await v.follow(tool.getByRole('button', { name: `Update ${rfi}` }))
  const lines = await handled(before)
  parts.procore = await tool.screenshot()
  await v.close()
  await stack.close()

  const page = await browser.newPage({ viewport: size, deviceScaleFactor: 1.25 })
  const image = (name) => `data:image/png;base64,${parts[name].toString('base64')}`
  await page.setContent(await readFile(new URL('product.html', import.meta.url), 'utf8'))
  await page.evaluate(([images, lines]) => {
    for (const [name, src] of Object.entries(images)) document.getElementById(name).src = src
    for (const line of lines) document.getElementById('log').appendChild(document.createElement('p')).textContent = line
    return Promise.all([...document.images].map((i) => i.decode()))
  }, [Object.fromEntries(Object.keys(parts).map((name) => [name, image(name)])), lines])
  await page.locator('main').screenshot({ path: file })
  await page.close()
}

// handled returns the log lines of the change, from the delivery to the consumer's last one.
async function handled(before) {
  for (const end = Date.now() + 30_000; Date.now() < end;) {
    const lines = logged().slice(before).split('\n').filter((l) => /webhook-receiver|dispatcher|event-consumer/.test(l))
    const last = lines.findIndex((l) => /event-consumer +handled/.test(l))
    if (last >= 0) return lines.slice(0, last + 1)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('the change was not handled within 30 s, see build/browser.log')
}
