// Pages are the provider's: who signs in, and whether the app is authorized.
export class Pages {
  constructor(provider, users) {
    Object.assign(this, { provider, users })
  }

  // serve reports whether the request was for a page.
  async serve(url, request, response) {
    if (!url.pathname.startsWith('/sign-in/')) return false
    const { prompt, params, session, grantId } = await this.provider.interactionDetails(request, response)
    if (request.method !== 'POST') {
      response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' })
      response.end(page(prompt.name === 'login' ? this.login() : this.consent(session.accountId)))
      return true
    }
    const form = await read(request)
    const result = await this.result(form, prompt, params, session, grantId)
    await this.provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true })
    return true
  }

  login() {
    const radios = [...this.users.values()].map(({ id, name }) =>
      `<input type="radio" name="user" value="${id}" id="user-${id}"><label for="user-${id}">${name}</label><br>`)
    return `<h1>Sign in</h1>${radios.join('')}<button name="do" value="login">Sign in</button>`
  }

  consent(user) {
    return `<h1>${this.users.get(user).name}, authorize the app?</h1>
<button name="do" value="consent">Authorize</button> <button name="do" value="cancel">Cancel</button>`
  }

  // result is what the user decided, in the provider's terms.
  async result(form, prompt, params, session, grantId) {
    switch (form.get('do')) {
      case 'login':
        return { login: { accountId: form.get('user') } }
      case 'consent': {
        const known = grantId && await this.provider.Grant.find(grantId)
        const grant = known || new this.provider.Grant({ accountId: session.accountId, clientId: params.client_id })
        grant.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(' '))
        return { consent: { grantId: await grant.save() } }
      }
    }
    return { error: 'access_denied', error_description: 'The user canceled.' }
  }
}

const page = (body) =>
  `<!doctype html><html lang="en"><title>Sign in</title><main><form method="post">${body}</form></main></html>`

// read reads a form of at most 4 KB.
async function read(request) {
  let text = ''
  for await (const part of request) {
    text += part
    if (text.length > 4096) throw new Error('the form is too large')
  }
  return new URLSearchParams(text)
}
