import { createHash } from 'node:crypto'

const hash = (token) => createHash('sha256').update(token).digest('base64url')

// Counts are what happened at the token endpoint, without a token.
export class Counts {
  constructor(provider) {
    this.refreshed = 0
    this.reused = 0 // refused by the provider because they were spent before
    this.refused = {} // requests, by the provider's reason
    this.unknown = 0 // refresh tokens that the provider never issued, as a probe sends one; refused too
    this.revoked = 0 // grants
    this.failures = []
    this.presented = new Map() // refresh token that was issued, hashed -> how often it was presented
    provider.on('grant.success', (ctx) => {
      if (ctx.oidc.params.grant_type === 'refresh_token') this.refreshed++
      this.presented.set(hash(ctx.body.refresh_token), 0)
    })
    provider.on('grant.error', (ctx, error) => {
      const token = ctx.oidc?.body?.refresh_token
      if (token && !this.presented.has(hash(token))) {
        this.unknown++
        return
      }
      const reason = error.error_detail ?? error.error_description ?? error.error
      if (reason === 'refresh token already used') this.reused++
      this.refused[reason] = (this.refused[reason] ?? 0) + 1
    })
    provider.on('grant.revoked', () => { this.revoked++ })
    provider.on('server_error', (ctx, error) => this.failed(error))
    provider.use(async (ctx, next) => {
      await next()
      const token = ctx.path === '/oauth/token' && ctx.oidc?.body?.refresh_token
      if (token && this.presented.has(hash(token))) this.presented.set(hash(token), this.presented.get(hash(token)) + 1)
    })
  }

  failed(error) { this.failures.push(String(error).slice(0, 200)) }

  // state has two counts of reuse. The provider's own misses a token that is presented twice at the same instant, and
  // one of a grant that has ended; presentedAgain does not.
  state() {
    let presentedAgain = 0
    for (const n of this.presented.values()) presentedAgain += Math.max(n - 1, 0)
    const { refreshed, reused, refused, unknown, revoked, failures } = this
    return { refreshed, reused, presentedAgain, refused, unknown, revoked, failures }
  }
}
