// What docs/HOST-APPLICATION.md uses of jsonwebtoken, for a machine that lacks it.
const crypto = require("node:crypto")

const minutes = { "1m": 60, "10m": 600 }

exports.sign = (claims, key, options) => {
  const iat = Math.floor(Date.now() / 1000)
  const parts = [{ alg: "HS256", typ: "JWT" }, { ...claims, iat, exp: iat + minutes[options.expiresIn] }]
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")
  return signed + "." + crypto.createHmac("sha256", key).update(signed).digest("base64url")
}
