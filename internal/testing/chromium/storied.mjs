// The operator's console at the end of the scripted week of internal/testing/proof/story, and its pictures.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { wide } from './visitor.mjs'

const root = fileURLToPath(new URL('../../..', import.meta.url))

// serve runs TestServeConsole over build/story.json. Its clock stands at the week's end.
async function serve() {
  const child = spawn(root + 'build/local/storied', ['-test.run=^TestServeConsole$', '-test.v', '-test.timeout=0'], {
    cwd: root + 'cmd/procore-connect', env: { ...process.env, CONSOLE: 'story', CONSOLE_PORT: '0', STORY: root + 'build/story.json' }, stdio: ['ignore', 'pipe', 'inherit'],
  })
  process.once('exit', () => child.kill())
  const ended = once(child, 'close')
  for await (const line of createInterface({ input: child.stdout })) {
    const [enter] = line.match(/http:\S+\/enter\S+/) ?? []
    if (enter) return { enter, origin: new URL(enter).origin, async close() { child.kill(); await ended } }
  }
  throw new Error('the console ended')
}

// A page is as high as its content, or cut at a height.
const pictures = [
  { name: 'console', go: () => {} },
  { name: 'console-company', high: 1000, go: (page) => page.getByRole('link', { name: 'Granite Peak Constructors' }).click() },
  {
    name: 'console-event', scheme: 'dark', high: 900,
    async go(page) {
      await page.getByLabel('State or outcome').selectOption('failing')
      await page.getByRole('button', { name: 'Show' }).click()
      await page.locator('tbody th a').first().click()
    },
    path: '/events',
  },
  { name: 'console-system', high: 1000, go: () => {}, path: '/system' },
]

// take takes the pictures into a directory.
export async function take(browser, dir) {
  const console_ = await serve()
  const context = await browser.newContext({ viewport: wide, reducedMotion: 'reduce' })
  const page = await context.newPage()
  await page.goto(console_.enter)
  await page.waitForURL(console_.origin + '/')
  for (const { name, path = '/', go, high, scheme = 'light' } of pictures) {
    await page.emulateMedia({ colorScheme: scheme })
    await page.setViewportSize({ ...wide, height: high ?? 200 })
    await page.goto(console_.origin + path)
    await go(page)
    while (await page.getByRole('status').filter({ hasText: 'is being' }).count()) await page.reload()
    await page.mouse.move(0, 0)
    await page.screenshot({ path: `${dir}/${name}.png`, fullPage: !high })
    console.log(`docs/pictures/${name}.png`)
  }
  await context.close()
  await console_.close()
}
