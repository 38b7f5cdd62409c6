// Every situation that a visitor can get into, reached as they would reach it. go brings v there. heading, status and
// shows are what the page must then have; {brand} is the application's name. A page that stops the visitor is an alert,
// and shows who has to act and a request ID. form marks a page with a form that reports what is wrong with it.

import { answer, arrival, link } from './host.mjs'
import { visit } from './visitor.mjs'

let id = 700_000 // of users and companies; the ids of the fake's own world are lower

// newUser adds a user of Procore with new companies, each described by its differences from the usual one.
export async function newUser(stack, companies = [{}], name = 'Sam Site') {
  const user = { id: ++id, login: `user${id}@acme.example`, name: `${name} ${id}` }
  await stack.fake('POST', 'users', user)
  for (const c of companies) {
    c.id ??= ++id
    await stack.fake('POST', 'companies', {
      id: c.id, name: 'Acme Construction', is_active: true, user_installs: true, connected: true, webhooks_permission: true, ...c,
      members: [user.id, ...(c.members ?? [])],
    })
  }
  return user.name
}

// chosen signs in a new user with two companies, and chooses the first, which company describes.
async function chosen(v, company) {
  await v.start()
  await v.login(await newUser(v.stack, [{ name: 'Acme Construction', ...company }, { name: 'Bright Buildings' }]))
  await v.choose('Acme Construction')
}

// atChoice signs in a new user with these companies.
async function atChoice(v, companies) {
  const state = await v.start()
  await v.login(await newUser(v.stack, companies))
  return state
}

const past = { N: '1700000000' }
export const many = (n) => Array.from({ length: n }, (_, i) => ({ name: `${['Northern', 'Harbor', 'Summit', 'Granite', 'Cedar'][i % 5]} Builders ${i + 1}` }))

const beforeTheChoice = [
  {
    name: 'first visit', heading: 'Connect to Procore', status: 200,
    shows: ['You choose one company'],
    go: (v) => v.open('/'),
  },
  {
    name: 'sent by a host application', heading: 'Connect to Procore', status: 200,
    shows: ['You are connecting a company for', 'Acme Corp', 'at 127.0.0.1', 'close this page'],
    go: async (v) => v.openFrom((await link(v.stack)).path),
  },
  {
    name: 'link used', heading: 'This link was already used', status: 409,
    async go(v) {
      const { path } = await link(v.stack)
      const other = await visit(v.context.browser(), v.stack)
      await other.open(path)
      await other.close()
      await v.open(path)
    },
  },
  {
    name: 'link expired', heading: 'This link has expired', status: 410,
    go: async (v) => v.open((await link(v.stack, { exp: Date.now() / 1000 - 120 })).path),
  },
  {
    name: 'link by another key', heading: 'This link is not valid', status: 400,
    go: async (v) => v.open((await link(v.stack, { key: 'another key' })).path),
  },
  {
    name: 'link that leads elsewhere', heading: 'This link is not valid', status: 400,
    go: async (v) => v.open((await link(v.stack, { back: 'https://elsewhere.example/' })).path),
  },
  {
    name: 'denied', heading: 'Access was not allowed', status: 403,
    async go(v) {
      await v.start()
      await v.follow(v.button('Deny'))
    },
  },
  {
    name: 'code used', heading: 'The sign-in is no longer valid', status: 410,
    async go(v) {
      await v.start()
      const used = await v.callback(await newUser(v.stack))
      await v.page.goto(used.href)
      used.searchParams.set('state', await v.start())
      await v.page.goto(used.href)
    },
  },
  {
    name: 'code expired', heading: 'The sign-in is no longer valid', status: 410,
    async go(v) {
      await v.start()
      const callback = await v.callback(await newUser(v.stack))
      await v.stack.fake('POST', 'clock', { advance_seconds: 601 })
      await v.page.goto(callback.href)
    },
  },
  {
    name: 'state missing', heading: 'This address is incomplete', status: 400,
    go: (v) => v.open('/oauth/callback?code=invented'),
  },
  {
    name: 'state expired', heading: 'The sign-in took too long', status: 410,
    async go(v) {
      const state = await v.start()
      await v.stack.session(state, 'expires_at', past)
      await v.login(await newUser(v.stack))
    },
  },
  {
    name: 'state replayed', heading: 'This sign-in was already used', status: 409,
    async go(v) { // after an exchange that failed
      await v.start()
      await v.stack.fault('token')
      await v.login(await newUser(v.stack))
      await v.page.reload()
    },
  },
  {
    name: 'state of another browser', heading: 'This sign-in started in another browser', status: 403,
    async go(v) {
      await v.start()
      const callback = await v.callback(await newUser(v.stack))
      await v.context.clearCookies()
      await v.page.goto(callback.href)
    },
  },
  {
    name: 'duplicate parameter', heading: 'This request is not valid', status: 400,
    go: (v) => v.open('/oauth/callback?state=a&state=b'),
  },
  {
    name: 'denied, and loaded again', heading: 'Access was not allowed', status: 403,
    async go(v) {
      await v.start()
      await v.follow(v.button('Deny'))
      await v.page.reload()
    },
  },
  {
    name: 'unknown address', heading: 'Page not found', status: 404,
    go: (v) => v.open('/conected/'),
  },
  {
    name: 'slash at the end', heading: '{brand} is ready to connect', status: 200,
    go: (v) => v.open('/connected/'),
  },
  {
    name: 'Procore returns an error', heading: 'Procore did not complete the sign-in', status: 403,
    shows: ['<b>We are doing maintenance.</b>'],
    async go(v) {
      const state = await v.start()
      await v.open(`/oauth/callback?${new URLSearchParams({ state, error: 'server_error', error_description: '<b>We are doing maintenance.</b>' })}`)
    },
  },
  {
    name: 'Procore down at the sign-in', heading: 'Procore is not responding', status: 502,
    async go(v) {
      await v.start()
      await v.stack.fault('token')
      await v.login(await newUser(v.stack))
    },
  },
  {
    name: 'credentials refused', heading: 'The setup needs attention', status: 503,
    async go(v) {
      await v.start()
      await v.stack.fault('token', { status: 401, body: '{"error":"invalid_client"}' })
      await v.login(await newUser(v.stack))
    },
  },
]

const theChoice = [
  {
    name: 'one company', heading: 'Connect your company', status: 200,
    shows: ['Acme Construction'],
    go: (v) => atChoice(v, [{}]),
  },
  {
    name: 'some companies', heading: 'Choose a company to connect', status: 200,
    go: (v) => atChoice(v, [
      { name: 'Acme Construction' }, { name: 'Acme Construction' }, { name: 'Müller & Söhne Hochbau GmbH' },
      { name: '株式会社大和建設' }, { name: 'Old Harbour Ltd', is_active: false },
    ]),
  },
  {
    name: 'many companies', heading: 'Choose a company to connect', status: 200, shows: ['23 companies.'],
    go: (v) => atChoice(v, many(23)),
  },
  {
    name: '2,000 companies', heading: 'Choose a company to connect', status: 200, shows: ['Showing 50 of 2,000 companies'],
    go: (v) => atChoice(v, many(2000)),
  },
  {
    name: 'companies filtered', heading: 'Choose a company to connect', status: 200, shows: ['1 of 12 companies found'],
    async go(v) {
      await atChoice(v, many(12))
      await v.page.getByRole('searchbox').fill('builders 11')
      await v.follow(v.button('Find'))
    },
  },
  {
    name: 'filter without a match', heading: 'Choose a company to connect', status: 200,
    async go(v) {
      await atChoice(v, many(12))
      await v.page.getByRole('searchbox').fill('no such name')
      await v.follow(v.button('Find'))
    },
  },
  {
    name: 'filter without marks', heading: 'Choose a company to connect', status: 200, shows: ['1 of 12 companies found', 'Zoë Łódź Bau'],
    async go(v) {
      await atChoice(v, [...many(11), { name: 'Zoë Łódź Bau' }])
      await v.page.getByRole('searchbox').fill('ZOE LODZ')
      await v.follow(v.button('Find'))
    },
  },
  {
    name: 'companies that came in time', heading: 'Choose a company to connect', status: 200,
    shows: ['send all of your companies in time', 'Showing 50 of your first 1,400 companies'],
    async go(v) {
      await v.start()
      const user = await newUser(v.stack)
      const first = many(1400).map((c, i) => ({ ...c, id: 800_000 + i }))
      await v.stack.fault('/rest/v1.0/companies', {
        status: 200, times: 1, body: JSON.stringify(first), headers: { Link: '</rest/v1.0/companies?page=2>; rel="next"' },
      })
      await v.stack.fault('/rest/v1.0/companies')
      await v.login(user)
    },
  },
  {
    name: 'hostile names', heading: 'Choose a company to connect', status: 200,
    go: (v) => atChoice(v, [{ name: '<script>alert(1)</script>"\'&{{.}}' }, { name: '\u202eevil'.repeat(20) }, { name: 'W'.repeat(500) }]),
  },
  {
    name: 'canceled', heading: 'Nothing was connected', status: 410,
    async go(v) {
      await atChoice(v, [{ name: 'Acme Construction' }, { name: 'Bright Buildings' }])
      await v.follow(v.button('Don\'t connect'))
    },
  },
  {
    name: 'no company', heading: 'No company to connect', status: 403, shows: ['Open Procore in a new tab, and sign out there', 'Connect with another account', 'Try again'],
    go: (v) => atChoice(v, []),
  },
  {
    name: 'no company that can be connected', heading: 'None of your companies can be connected', status: 200,
    shows: ['Send this text', 'Use another Procore account'],
    go: (v) => atChoice(v, [{ name: 'Old Harbour Ltd', is_active: false }]),
  },
  {
    name: 'Procore down at the choice', heading: 'Procore is not responding', status: 502,
    async go(v) {
      await v.start()
      await v.stack.fault('/rest/v1.0/companies')
      await v.login(await newUser(v.stack))
    },
  },
  {
    name: 'session expired while choosing', heading: 'Please connect again', status: 410,
    async go(v) {
      const state = await atChoice(v, [{}])
      await v.stack.session(state, 'expires_at', past)
      await v.follow(v.button('Connect this company'))
    },
  },
  {
    name: 'other choice made in another tab', heading: 'You already chose another company', status: 409, shows: ['you chose “Acme Construction”'],
    async go(v) {
      await atChoice(v, [{ name: 'Acme Construction' }, { name: 'Bright Buildings' }])
      const address = v.page.url()
      await v.stack.fault('/rest/v1.1/projects')
      await v.choose('Acme Construction')
      await v.page.goto(address)
      await v.choose('Bright Buildings')
    },
  },
  {
    name: 'form of another site', heading: 'This form was not accepted', status: 403,
    async go(v) {
      await atChoice(v, [{}])
      await v.page.locator('[name=csrf]').evaluate((field) => { field.value = 'guessed' })
      await v.follow(v.button('Connect this company'))
    },
  },
  {
    name: 'form too large', heading: 'This request is too large', status: 413,
    async go(v) {
      await atChoice(v, [{}])
      await v.page.locator('[name=csrf]').evaluate((field) => { field.value = 'x'.repeat(20_000) })
      await v.follow(v.button('Connect this company'))
    },
  },
  {
    name: 'nothing chosen', heading: 'Choose a company to connect', status: 422, alert: true, form: true,
    shows: ['You haven\'t chosen a company yet'],
    async go(v) {
      await atChoice(v, [{ name: 'Acme Construction' }, { name: 'Bright Buildings' }])
      await v.page.locator('[name=company_id]').evaluateAll((fields) => fields.forEach((f) => f.removeAttribute('required')))
      await v.follow(v.button('Connect this company'))
    },
  },
  {
    name: 'company not listed', heading: 'You cannot connect this company', status: 403,
    async go(v) {
      await atChoice(v, [{}])
      await v.page.locator('[name=company_id]').evaluate((field) => { field.value = '5678' })
      await v.follow(v.button('Connect this company'))
    },
  },
  {
    name: 'company inactive', heading: 'This company is inactive', status: 403, shows: ['Needs an administrator', 'Send this text'],
    async go(v) { // since the list was shown
      await atChoice(v, [{}])
      const company = await v.page.locator('[name=company_id]').getAttribute('value')
      await v.stack.fake('PATCH', `companies/${company}`, { is_active: false })
      await v.follow(v.button('Connect this company'))
    },
  },
]

const afterTheChoice = [
  {
    name: 'choice for a tenant', heading: 'Choose a company to connect', status: 200,
    shows: ['You are connecting a company for', 'Acme Corp'],
    async go(v) {
      await v.openFrom((await link(v.stack)).path)
      await v.follow(v.link('Connect to Procore'))
      await v.login(await newUser(v.stack, [{}, { name: 'Bright Buildings' }]))
    },
  },
  {
    name: 'admin for a tenant', heading: 'An administrator has to install {brand} first', status: 403,
    shows: ['Back to 127.0.0.1'],
    async go(v) {
      await v.open((await link(v.stack)).path)
      await v.login(await newUser(v.stack, [{ user_installs: false }]))
      await v.choose('Acme Construction')
    },
  },
  {
    name: 'connected for a tenant', heading: 'Connected', status: 200,
    shows: ['Connected for', 'Acme Corp', 'Back to 127.0.0.1'],
    async go(v) {
      await answer(v)
      await v.open((await link(v.stack)).path)
      await v.login(await newUser(v.stack))
      await v.choose('Acme Construction')
      await arrival(v)
      await v.open('/connected')
    },
  },
  {
    name: 'canceled for a tenant', heading: 'Nothing was connected', status: 410,
    shows: ['Back to 127.0.0.1'],
    async go(v) {
      await answer(v)
      await v.open((await link(v.stack)).path)
      await v.login(await newUser(v.stack))
      const choice = v.page.url()
      await v.follow(v.button("Don't connect"))
      await arrival(v)
      await v.page.goto(choice)
    },
  },
  {
    name: 'user installs off', heading: 'An administrator has to install {brand} first', status: 403, shows: ['Needs an administrator', 'Send this text'],
    go: (v) => chosen(v, { user_installs: false }),
  },
  {
    name: 'not connected', heading: '{brand} is not connected in Procore', status: 403, shows: ['Needs an administrator', 'Send this text'],
    go: (v) => chosen(v, { connected: false }),
  },
  {
    name: 'not connected, by 401', heading: '{brand} is not connected in Procore', status: 403,
    go: (v) => chosen(v, { unauthorized_until_installed: true }),
  },
  {
    name: 'no permission', heading: 'You need more permissions', status: 403, shows: ['Needs an administrator', 'Send this text'],
    go: (v) => chosen(v, { denied_tools: ['projects'] }),
  },
  {
    name: 'refused for another reason', heading: 'Procore refused the connection', status: 502,
    shows: ['The company is being archived.'],
    async go(v) {
      await v.stack.fault('/rest/v1.1/projects', { status: 422, body: '{"message":"The company is being archived."}' })
      await chosen(v)
    },
  },
  {
    name: 'Procore down after the choice', heading: 'Procore is not responding', status: 502,
    async go(v) {
      await v.stack.fault('/rest/v1.1/projects')
      await chosen(v)
    },
  },
  {
    name: 'connected, webhooks pending', heading: 'Connected', status: 200,
    shows: ['Being set up'],
    async go(v) {
      await v.stack.fault('/rest/v2.0/companies', { times: 999 })
      await chosen(v)
    },
  },
  {
    name: 'connected, webhooks on', heading: 'Connected', status: 200,
    shows: ['On. Changes in Procore reach'],
    async go(v) {
      await chosen(v)
      await settled(v)
    },
  },
  {
    name: 'connected, webhooks need an admin', heading: 'Connected', status: 200,
    shows: ['a company administrator can set', 'Webhooks API'],
    async go(v) {
      await chosen(v, { webhooks_permission: false })
      await settled(v)
    },
  },
  {
    name: 'reconnected', heading: 'Reconnected', status: 200,
    async go(v) {
      const user = await newUser(v.stack)
      await v.connect(user, 'Acme Construction')
      await v.connect(user, 'Acme Construction')
      await settled(v)
    },
  },
  {
    name: 'connected by another user too', heading: 'Connected', status: 200,
    shows: ['Another user has also connected this company. Both connections stay in place.'],
    async go(v) {
      const [first, second] = [await newUser(v.stack, []), await newUser(v.stack, [])]
      const members = [first, second].map((name) => Number(name.split(' ').pop()))
      await newUser(v.stack, [{ members }])
      await v.connect(first, 'Acme Construction')
      await v.connect(second, 'Acme Construction')
      await settled(v)
    },
  },
  ...Object.entries({
    reauthorize: 'Your connection has stopped working',
    disconnected: 'The connection was ended in Procore',
    ended: 'The connection has ended',
  }).map(([state, heading]) => ({
    name: `connection ${state}`, heading, status: 410,
    async go(v) {
      const company = { id: ++id, name: 'Acme Construction' }
      const user = await newUser(v.stack, [company])
      await v.connect(user, company.name)
      await settled(v)
      const number = user.split(' ').pop()
      if (state === 'reauthorize') await v.stack.grant(number, 'state', { S: state })
      else await v.stack.connection(company.id, number, 'state', { S: state })
      await v.page.reload()
    },
  })),
  {
    name: 'checking stopped', heading: 'Connected', status: 200, shows: ['Being set up'],
    async go(v) {
      await v.stack.fault('/rest/v2.0/companies', { times: 999 })
      await chosen(v)
      await v.follow(v.link('Stop checking'))
    },
  },
  {
    name: 'came back', heading: 'Connected', status: 200,
    shows: ['Last update from Procore', 'None since you connected this company', 'Disconnect this company'],
    async go(v) {
      await chosen(v)
      await settled(v)
      await v.open('/connected')
    },
  },
  {
    name: 'connection paused', heading: 'The connection is interrupted', status: 200, shows: ['tries again automatically'],
    async go(v) {
      const company = { id: ++id, name: 'Acme Construction' }
      const user = await newUser(v.stack, [company])
      await v.connect(user, company.name)
      await settled(v)
      await v.stack.connection(company.id, user.split(' ').pop(), 'paused_until', { N: '4102444800' })
      await v.page.reload()
    },
  },
  {
    name: 'asked whether to disconnect', heading: 'Disconnect this company?', status: 200,
    shows: ['What ends', 'Updates from Procore about this company stop', 'What stays', 'stays installed in Procore'],
    async go(v) {
      await chosen(v)
      await v.follow(v.link('Disconnect this company'))
    },
  },
  {
    name: 'asked whether to disconnect one of two', heading: 'Disconnect this company?', status: 200,
    shows: ['Another user has also connected this company. That connection stays.'],
    async go(v) {
      const [first, second] = [await newUser(v.stack, []), await newUser(v.stack, [])]
      await newUser(v.stack, [{ members: [first, second].map((name) => Number(name.split(' ').pop())) }])
      await v.connect(first, 'Acme Construction')
      await v.connect(second, 'Acme Construction')
      await v.follow(v.link('Disconnect this company'))
    },
  },
  {
    name: 'disconnected by the user', heading: 'You have disconnected this company', status: 410,
    async go(v) {
      await chosen(v)
      await v.follow(v.link('Disconnect this company'))
      await v.follow(v.button('Disconnect'))
    },
  },
  {
    name: 'disconnected too late', heading: 'This page is too old', status: 410,
    async go(v) {
      await chosen(v)
      await v.follow(v.link('Disconnect this company'))
      await v.context.clearCookies()
      await v.follow(v.button('Disconnect'))
    },
  },
  {
    name: 'connected again in another browser', heading: 'You have connected this company again', status: 410,
    async go(v) {
      const user = await newUser(v.stack)
      await v.connect(user, 'Acme Construction')
      const other = await visit(v.context.browser(), v.stack)
      await other.connect(user, 'Acme Construction')
      await other.close()
      await v.page.reload()
    },
  },
  {
    name: 'sent by the manifest', heading: '{brand} is ready to connect', status: 200,
    go: (v) => v.open('/connected'),
  },
]

// settled reloads until housekeeping has created the hook, or has failed to.
export async function settled(v) {
  for (const again = v.link('Check again'); await again.count();) await v.follow(again)
}

export const situations = [...beforeTheChoice, ...theChoice, ...afterTheChoice]

// The situations of an app that works with its service account alone.
export const serviceAccount = { env: { PROCORE_PRINCIPAL: 'service-account' } }

// installing adds a company in which the app is installed, and waits until the page about it shows what it should.
async function installing(v, heading, company = {}) {
  const c = { id: ++id, name: 'Acme Construction', is_active: true, connected: true, installed: true, service_account: true, webhooks_permission: true, members: [], ...company }
  await v.stack.fake('POST', 'companies', c)
  await asked(v, c.id, heading)
  return c.id
}

// asked asks for a company until the page has the heading.
async function asked(v, company, heading) {
  do await v.open(`/connected?company_id=${company}`)
  while (await v.page.getByRole('heading', { level: 1, name: heading, exact: true }).count() === 0)
}

export const installations = [
  {
    name: 'install', heading: 'Install {brand} in Procore', status: 200,
    shows: ['open Company Admin, then App Management', 'Is your company connected?'],
    go: (v) => v.open('/'),
  },
  {
    name: 'no sign-in', heading: 'Install {brand} in Procore', status: 200,
    go: (v) => v.open('/oauth/start'),
  },
  {
    name: 'installed a moment ago', heading: '{brand} connects on its own', status: 200,
    go: (v) => v.open('/connected'),
  },
  {
    name: 'not installed', heading: 'Not connected yet', status: 200,
    shows: ['check again in five minutes'],
    async go(v) {
      await v.open('/')
      await v.page.getByRole('searchbox', { name: 'Procore company ID' }).fill('4711')
      await v.follow(v.button('Check'))
    },
  },
  {
    name: 'no company id', heading: 'Is your company connected?', status: 400, form: true,
    shows: ['That is not a company ID'],
    async go(v) {
      await v.open('/connected')
      await v.page.getByRole('searchbox', { name: 'Procore company ID' }).fill('Acme')
      await v.follow(v.button('Check'))
    },
  },
  {
    name: 'installed, webhooks pending', heading: 'Connected', status: 200,
    shows: ['Being set up'],
    async go(v) {
      await v.stack.fault('/rest/v2.0/companies', { times: 999 })
      await installing(v, 'Connected')
    },
  },
  {
    name: 'installed, webhooks on', heading: 'Connected', status: 200,
    shows: ['No one has to sign in', 'On. Changes in Procore reach'],
    async go(v) {
      await installing(v, 'Connected')
      await settled(v)
    },
  },
  {
    name: 'installed, webhooks need an admin', heading: 'Connected', status: 200,
    shows: ['a company administrator can give', 'Webhooks API'],
    async go(v) {
      await installing(v, 'Connected', { webhooks_permission: false })
      await settled(v)
    },
  },
  {
    name: 'installation interrupted', heading: 'The connection is interrupted', status: 200,
    shows: ['Procore doesn\'t let it in', 'tries again automatically'],
    async go(v) {
      const company = await installing(v, 'Connected')
      await settled(v)
      await v.stack.set('connections', { company: { S: `custom#${company}` }, principal: { S: 'app' } }, 'state', { S: 'disconnected' })
      await v.page.reload()
    },
  },
  {
    name: 'app removed', heading: 'Not connected yet', status: 200,
    async go(v) {
      const company = await installing(v, 'Connected')
      await v.stack.fake('PATCH', `companies/${company}`, { installed: false })
      await asked(v, company, 'Not connected yet')
    },
  },
]

// The situations of mixed mode.
export const mixed = { env: { PROCORE_PRINCIPAL: 'both' } }

export const bothWays = [
  {
    name: 'both ways', heading: 'Connect to Procore', status: 200,
    shows: ['There are two ways', 'Or connect as yourself'],
    go: (v) => v.open('/'),
  },
  {
    name: 'both ways, connected by a user', heading: 'Connected', status: 200,
    shows: ['Connected by'],
    go: (v) => chosen(v),
  },
]

// placeholder makes a stack a new deployment, whose secret still has the template's placeholder.
export const placeholder = {
  env: { APP_SECRET_ID: 'unfilled', ALLOWED_COMPANIES: '5000001' },
  prepare: (stack) => stack.amazon('secretsmanager.CreateSecret', { Name: 'unfilled', SecretString: '{"client_id":"FILL-IN","client_secret":"FILL-IN"}' }),
}

// The situations of a deployment whose secret is at first not filled in, which admits one company, and whose table fails
// at the end.
export const deployment = [
  {
    name: 'setup not finished', heading: 'Finish the setup', status: 503, alert: true,
    go: (v) => v.open('/'),
  },
  {
    name: 'company not admitted', heading: 'This company is not enabled', status: 403,
    async go(v) {
      const { SecretString } = await v.stack.amazon('secretsmanager.GetSecretValue', { SecretId: 'local/app' })
      await v.stack.amazon('secretsmanager.PutSecretValue', { SecretId: 'unfilled', SecretString })
      await atChoice(v, [{ id: 5_000_001 }, { name: 'Bright Buildings' }])
      await v.page.locator('[name=company_id]').evaluate((field) => { field.value = document.querySelector('[disabled] [value]').value })
      await v.follow(v.button('Connect this company'))
    },
  },
  {
    name: 'storage down', heading: 'Please try again in a moment', status: 503,
    async go(v) {
      await v.start()
      await v.stack.amazon('DynamoDB_20120810.DeleteTable', { TableName: 'sessions' })
      await v.login(await newUser(v.stack))
    },
  },
]
