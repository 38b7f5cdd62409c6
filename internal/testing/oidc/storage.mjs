// Storage is what the provider keeps, in memory. The provider's own memory keeps the last 1,000 entries, so that an
// older refresh token would be unknown instead of spent.
export class Storage {
  constructor() {
    this.entries = new Map() // 'RefreshToken:id' -> payload
  }

  // adapter returns the storage of one model, in the provider's terms.
  adapter(model) {
    const { entries } = this
    const key = (id) => `${model}:${id}`
    const findBy = (name, value) => {
      for (const [k, payload] of entries) {
        if (k.startsWith(model + ':') && payload[name] === value) return payload
      }
    }
    return {
      upsert: async (id, payload) => { entries.set(key(id), payload) },
      find: async (id) => entries.get(key(id)),
      findByUid: async (uid) => findBy('uid', uid),
      findByUserCode: async (code) => findBy('userCode', code),
      consume: async (id) => { entries.get(key(id)).consumed = Math.floor(Date.now() / 1000) },
      destroy: async (id) => { entries.delete(key(id)) },
      revokeByGrantId: async (grantId) => {
        for (const [k, payload] of entries) {
          if (k.startsWith(model + ':') && payload.grantId === grantId) entries.delete(k)
        }
      },
    }
  }

  *of(model) {
    for (const [k, payload] of this.entries) {
      if (k.startsWith(model + ':')) yield [k, payload]
    }
  }

  // live counts each user's refresh tokens that are neither spent nor revoked.
  live() {
    const users = {}
    for (const [, token] of this.of('RefreshToken')) {
      if (!token.consumed) users[token.accountId] = (users[token.accountId] ?? 0) + 1
    }
    return users
  }

  // endAccessTokens forgets them all, and leaves the grants as they are.
  endAccessTokens() {
    const all = [...this.of('AccessToken')]
    for (const [k] of all) this.entries.delete(k)
    return all.length
  }
}
