// What must be true of every page, whatever its text.

import assert from 'node:assert/strict'
import axe from 'axe-core'
import { narrow, wide } from './visitor.mjs'

export const schemes = ['light', 'dark']

// check examines the page that v has open as different people see it.
export async function check(v) {
  const { page } = v
  assert.equal(await page.locator('html').getAttribute('lang'), 'en')
  assert.equal(await page.locator('h1').count(), 1)
  assert.equal(await page.title(), `${await page.locator('h1').innerText()} – ${await v.brand()}`)
  await forEveryone(page)
  await keyboard(page)
}

// forEveryone examines a page in both colour schemes, in all sizes, and with axe.
export async function forEveryone(page) {
  for (const scheme of schemes) {
    await page.emulateMedia({ colorScheme: scheme })
    for (const size of [wide, narrow]) {
      await page.setViewportSize(size)
      await accessible(page, `${size.width} px, ${scheme}`)
      await fits(page, `${size.width} px`)
      await apart(page, `${size.width} px`)
    }
  }
  await zoomed(page)
  await forcedColors(page)
  await page.emulateMedia({ colorScheme: 'light', forcedColors: 'none' })
  await page.setViewportSize(wide)
}

// accessible runs all of axe's rules, the best practices included. It evaluates the source from outside, because the page
// itself allows no script.
async function accessible(page, how) {
  const { violations } = await page.evaluate(`${axe.source}; axe.run(document, { resultTypes: ['violations'] })`)
  assert.deepEqual(violations.map((f) => `${how}: ${f.id}: ${f.help}: ${f.nodes.map((n) => n.html).join(' ')}`), [])
}

// fits checks that no one has to scroll sideways. It names what sticks out.
async function fits(page, how) {
  const { wide, room, out } = await page.evaluate(() => {
    const { scrollWidth: wide, clientWidth: room } = document.documentElement
    const out = [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > room)
    return { wide, room, out: out.slice(-3).map((e) => e.outerHTML.slice(0, 100)) }
  })
  assert.ok(wide <= room, `${how}: ${wide} px wide content in ${room} px: ${out.join(' ')}`)
}

// apart checks that no button lies over another one. The one that stays in reach of a long list lies over all it passes.
async function apart(page, how) {
  const over = await page.evaluate(() => {
    const all = [...document.querySelectorAll('.button, button')].filter((e) => e.checkVisibility() && !e.closest('.reach')).map((e) => [e.innerText, e.getBoundingClientRect()])
    return all.flatMap(([name, a], i) => all.slice(i + 1)
      .filter(([, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom).map(([other]) => `${name} and ${other}`))
  })
  assert.deepEqual(over, [], `${how}: buttons that overlap`)
}

// zoomed checks 200 % (WCAG 2.2, 1.4.4), 400 % of 1280 pixels (1.4.10), and text alone twice as large on a phone.
async function zoomed(page) {
  for (const [how, width] of [['200 %', wide.width / 2], ['400 %', wide.width / 4]]) {
    await page.setViewportSize({ width, height: 400 })
    await fits(page, how)
  }
  await page.setViewportSize(narrow)
  await page.evaluate(() => { document.documentElement.style.fontSize = '200%' })
  await fits(page, 'text of 200 %')
  await page.evaluate(() => { document.documentElement.style.fontSize = '' })
}

// forcedColors checks a high-contrast theme, in which the system removes backgrounds and shadows: what can be pressed, a
// company that is chosen and who has to act still have an edge.
async function forcedColors(page) {
  await page.emulateMedia({ forcedColors: 'active' })
  const bare = await page.evaluate(() => [...document.querySelectorAll('.button, button, textarea, input[type=search], .kind, .notice, .option:has(:checked)')]
    .filter((e) => {
      const { borderLeftStyle, borderLeftWidth, borderLeftColor, backgroundColor } = getComputedStyle(e)
      return borderLeftStyle === 'none' || parseFloat(borderLeftWidth) < 1 || borderLeftColor === backgroundColor
    }).map((e) => e.outerHTML))
  assert.deepEqual(bare, [], 'without an edge in forced colors')
}

// small checks that a page is small: it is read on a building site.
export async function small(response) {
  const size = (await response.body()).length
  assert.ok(size <= 30 * 1024, `${size} bytes, want at most 30 KB`)
}

// keyboard goes through a page with the Tab key, on a phone. Each stop is visible, and not hidden by something else.
export async function keyboard(page) {
  await page.setViewportSize(narrow)
  const stops = await page.locator('a, button, input:not([type=hidden]), textarea, summary, pre').count()
  for (let i = 0; i < stops; i++) {
    await page.keyboard.press('Tab')
    if (await page.evaluate(() => document.activeElement === document.body)) break
    await focused(page)
    await seen(page, 'a part')
  }
  await page.setViewportSize(wide)
}

// seen checks that the focused element, with the box around it, or at least a part of it, is on the screen and that nothing
// lies over it (WCAG 2.2, 2.4.11 and 2.4.12).
export async function seen(page, enough = 'all') {
  const hidden = await page.evaluate(() => {
    const box = document.activeElement.closest('.option') ?? document.activeElement
    const { left, right, top, bottom } = box.getBoundingClientRect()
    return [top + 2, (top + bottom) / 2, bottom - 2].filter((y) => {
      const over = document.elementFromPoint((left + right) / 2, y)
      return !over || !box.contains(over) && !over.contains(box)
    }).map((y) => `${box.innerText || box.id} at ${Math.round(y)} of ${innerHeight}`)
  })
  assert.ok(hidden.length === 0 || enough === 'a part' && hidden.length < 3, `the focus is hidden: ${hidden.join(', ')}`)
}

// focused checks that a keyboard user sees where they are: the focused element, or the box around it, has a visible
// outline.
export async function focused(page) {
  const outline = await page.evaluate(() => {
    const box = document.activeElement.closest('.option') ?? document.activeElement
    const { outlineStyle, outlineWidth } = getComputedStyle(box)
    return outlineStyle === 'none' ? 0 : parseFloat(outlineWidth)
  })
  assert.ok(outline >= 2, `the focus is not visible at ${page.url()}`)
}
