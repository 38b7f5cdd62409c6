// Api is the part of Procore's API that a connection needs. No standard has it, so it is written here. Whether an
// access token is good is for the provider to decide.
export class Api {
  constructor(provider, users) {
    Object.assign(this, { provider, users })
    this.made = new Map() // call -> times
  }

  // serve returns an answer, or nothing if the address is not the API's.
  async serve(url, request) {
    const info = url.pathname === '/oauth/token/info'
    if (!info && !url.pathname.startsWith('/rest/')) return undefined
    const token = await this.token(request.headers.authorization ?? '')
    if (!token) {
      return { status: 401, body: { error: 'invalid_token', error_description: 'The access token is invalid' } }
    }
    const user = this.users.get(token.accountId)
    if (info) return { status: 200, body: describe(token) }
    const company = request.headers['procore-company-id']
    const answer = this.answer(url, user, company)
    const call = JSON.stringify({ user: user.id, path: url.pathname, company: Number(company ?? 0), status: answer.status })
    this.made.set(call, (this.made.get(call) ?? 0) + 1)
    return answer
  }

  // token returns a token that is neither expired nor revoked, and whose grant is not.
  async token(authorization) {
    const [, value] = authorization.match(/^Bearer (\S+)$/i) ?? []
    const token = value && await this.provider.AccessToken.find(value)
    return token?.isValid && await this.provider.Grant.find(token.grantId) ? token : undefined
  }

  answer(url, user, company) {
    switch (url.pathname) {
      case '/rest/v1.0/me':
        return { status: 200, body: { id: user.id, login: user.login, name: user.name } }
      case '/rest/v1.0/companies':
        return { status: 200, body: user.companies.map((c) => ({ ...c, is_active: true })) }
    }
    if (!company) return { status: 400, body: { message: 'Missing Procore-Company-Id header!' } }
    if (!user.companies.some((c) => String(c.id) === company)) {
      return { status: 403, body: { message: 'You do not have access to this company.' } }
    }
    if (url.pathname === '/rest/v1.1/projects' && url.searchParams.get('company_id') === company) {
      return { status: 200, body: [{ id: Number(company) * 10, name: 'The only project', company: { id: Number(company) } }] }
    }
    return { status: 404, body: { message: 'Not Found' } }
  }

  calls() {
    return [...this.made].map(([call, times]) => ({ ...JSON.parse(call), times }))
  }
}

// describe is Procore's description of a token.
function describe(token) {
  return {
    resource_owner_id: Number(token.accountId), scope: [], created_at: token.iat,
    expires_in_seconds: token.exp - Math.floor(Date.now() / 1000), application: { uid: token.clientId },
  }
}
