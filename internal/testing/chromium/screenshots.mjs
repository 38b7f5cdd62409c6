// Takes the pictures of the documentation, or of everything: make screenshots, make screenshots ALL=1.

import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { schemes } from './checks.mjs'
import { bothWays, deployment, installations, mixed, placeholder, serviceAccount, settled, situations } from './situations.mjs'
import { product } from './product.mjs'
import { start } from './stack.mjs'
import { take } from './storied.mjs'
import { launch, narrow, visit, wide } from './visitor.mjs'

const root = fileURLToPath(new URL('../../..', import.meta.url))

// The documentation's pictures show the fake Procore's user Joe, as make run does.
const scenes = [
  { name: 'start', go: (v) => v.open('/') },
  {
    name: 'choose',
    async go(v) {
      await v.start()
      await v.login('Joe Builder')
    },
  },
  {
    name: 'connected',
    async go(v) {
      await v.connect('Joe Builder', 'Harbor & Hill Builders')
      await settled(v)
    },
  },
  { name: 'admin', go: (v) => v.connect('Joe Builder', 'Locked Gate Contractors') },
]

const pictures = [
  { file: 'docs/pictures/start.png', situation: 'start', size: wide, scheme: 'light' },
  { file: 'docs/pictures/choose.png', situation: 'choose', size: narrow, scheme: 'light' },
  { file: 'docs/pictures/connected.png', situation: 'connected', size: narrow, scheme: 'dark' },
  { file: 'docs/pictures/install.png', situation: 'install', size: wide, scheme: 'light' },
  { file: 'docs/pictures/admin.png', situation: 'admin', size: narrow, scheme: 'light' },
]

// all returns a picture of every situation at every size and in both colour schemes.
function all(list) {
  return list.flatMap(({ name }) => [narrow, wide].flatMap((size) => schemes.map((scheme) =>
    ({ file: `build/screenshots/${name.replaceAll(/[^a-z0-9]+/gi, '-')}-${size.width}-${scheme}.png`, situation: name, size, scheme }))))
}

async function capture(browser, stack, list, wanted) {
  for (const s of list) {
    const shots = wanted.filter((p) => p.situation === s.name)
    if (!shots.length) continue
    const v = await visit(browser, stack)
    await s.go(v)
    for (const { file, size, scheme } of shots) {
      await v.page.emulateMedia({ colorScheme: scheme })
      await v.page.setViewportSize({ ...size, height: 200 }) // the page is as high as its content
      await v.page.screenshot({ path: root + file, fullPage: true })
      console.log(file)
    }
    await stack.healthy()
    await v.close()
  }
}

const browser = await launch()
const support = { SUPPORT_CONTACT: 'help@acme.example' }
await mkdir(root + 'docs/pictures', { recursive: true })
const stack = await start(support)
await (process.env.ALL ? capture(browser, stack, situations, all(situations)) : capture(browser, stack, scenes, pictures))
await stack.close()
if (!process.env.ALL) {
  await product(browser, root + 'docs/pictures/product.png')
  console.log('docs/pictures/product.png')
  await take(browser, root + 'docs/pictures')
}
for (const [list, { env }] of [[installations, serviceAccount], [bothWays, mixed]]) {
  const other = await start({ ...support, ...env })
  await capture(browser, other, list, process.env.ALL ? all(list) : pictures)
  await other.close()
}
if (process.env.ALL) {
  const fresh = await start({ ...support, ...placeholder.env })
  await placeholder.prepare(fresh)
  await capture(browser, fresh, deployment, all(deployment))
  await fresh.close()
}
await browser.close()
