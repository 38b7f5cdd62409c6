// A visitor: a new browser profile without cookies, which reports what must not happen: a message on the console (such as a
// breach of the content security policy), or a request to any host except the application, Procore and the host application.

import { chromium } from 'playwright-core'
import { returnURL } from './host.mjs'

export const narrow = { width: 360, height: 740 }
export const wide = { width: 1280, height: 860 }

// A radio button's label lies over its whole box, so that a click anywhere in the box meets the label.
const anywhere = { force: true }

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--hide-scrollbars'],
  })
}

export async function visit(browser, stack, options = {}) {
  const context = await browser.newContext({ viewport: wide, reducedMotion: 'reduce', ...options })
  context.setDefaultTimeout(10_000)
  const complaints = []
  context.on('request', (r) => {
    const url = new URL(r.url())
    if (url.protocol !== 'data:' && ![stack.app, stack.procore, new URL(returnURL).origin].includes(url.origin)) complaints.push(`request to ${url.origin}`)
  })
  context.on('console', (m) => {
    // This message of Chromium only reports the page's error status.
    const status = m.location().url === m.page()?.url() && /^Failed to load resource: the server responded with a status of [45]/.test(m.text())
    if (!status) complaints.push(`console: ${m.text()}`)
  })
  context.on('weberror', (e) => complaints.push(`script: ${e.error().message}`))
  return new Visitor(context, await context.newPage(), stack, complaints)
}

class Visitor {
  constructor(context, page, stack, complaints) {
    Object.assign(this, { context, page, stack, complaints })
    this.watch(page)
  }

  // watch records the answer that the page shows.
  watch(page) {
    page.on('response', (r) => {
      if (r.request().isNavigationRequest() && r.frame() === page.mainFrame()) this.response = r
    })
  }

  // tab opens another page in the same browser.
  async tab() {
    return new Visitor(this.context, await this.context.newPage(), this.stack, this.complaints)
  }

  async open(path) {
    await this.page.goto(this.stack.app + path)
  }

  // openFrom opens a path by a link on another site.
  async openFrom(path) {
    await this.page.goto(`data:text/html,<a href="${encodeURIComponent((this.stack.app + path).replaceAll('&', '&amp;'))}">elsewhere</a>`)
    await this.follow(this.link('elsewhere'))
  }

  // brand returns the application's name.
  brand() {
    return this.page.locator('header.top span').last().innerText()
  }

  link(name) {
    return this.page.getByRole('link', { name, exact: true })
  }

  button(name) {
    return this.page.getByRole('button', { name, exact: true })
  }

  company(name) {
    return this.page.getByRole('radio', { name, exact: true })
  }

  // follow clicks, and waits for the next page: a click alone may return before the browser leaves this one, and then a
  // reload fails.
  async follow(link) {
    const next = this.page.waitForEvent('framenavigated', (frame) => frame === this.page.mainFrame())
    await link.click()
    await next
    await this.page.waitForLoadState()
  }

  // start goes to Procore's login, and returns the state that the application sent.
  async start() {
    await this.open('/')
    await this.follow(this.link('Connect to Procore'))
    return new URL(this.page.url()).searchParams.get('state')
  }

  // login authorizes the application as user, who may be newer than the page that lists them.
  async login(user) {
    await this.page.reload()
    await this.page.getByRole('radio', { name: user, exact: true }).check(anywhere)
    await this.follow(this.button('Authorize'))
  }

  // callback authorizes the application as user, and returns the address to which Procore sends the browser back.
  async callback(user) {
    await this.page.reload()
    const body = new URL(this.page.url()).searchParams
    body.set('user', await this.page.getByRole('radio', { name: user, exact: true }).getAttribute('value'))
    body.set('decision', 'authorize')
    const answer = await fetch(`${this.stack.procore}/oauth/authorize`, { method: 'POST', body, redirect: 'manual' })
    return new URL(answer.headers.get('Location'))
  }

  async choose(company) {
    await this.company(company).check(anywhere)
    await this.follow(this.button('Connect this company'))
  }

  // connect goes through the whole flow.
  async connect(user, company) {
    await this.start()
    await this.login(user)
    await this.choose(company)
  }

  async close() {
    await this.context.close()
    if (this.complaints.length) throw new Error(this.complaints.join('\n'))
  }
}
