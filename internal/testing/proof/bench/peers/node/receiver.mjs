// What both peers in Node.js have in common: the credential, the item, and the clients of AWS.
import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";

const secretAge = 5 * 60_000; // milliseconds
const life = 14 * 24 * 3600; // seconds of an item

export const database = new DynamoDBClient({});
const secrets = new SecretsManagerClient({});

let ring; // keys by id, the lowest valid epochs, and when the secret was read

async function keys() {
  if (!ring || Date.now() - ring.readAt > secretAge) {
    const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: process.env.WEBHOOK_SECRET_ID }));
    const { current, minimum_epochs: epochs = {}, ...material } = JSON.parse(SecretString);
    ring = { current, epochs, material, derived: {}, readAt: Date.now() };
  }
  return ring;
}

// authenticate returns what the credential proves, or undefined.
export async function authenticate(header = "") {
  const parts = header.replace(/^Bearer /, "").split(".");
  if (!header.startsWith("Bearer ") || header.length > 256 || parts.length !== 4) return undefined;
  const [id, company, epoch, mac] = parts;
  const ring = await keys();
  if (!ring.material[id] || Number(epoch) < (ring.epochs[company] ?? 0)) return undefined;
  ring.derived[id] ??= Buffer.from(hkdfSync("sha256", ring.material[id], "", "procore-connect webhook", 32));
  const want = createHmac("sha256", ring.derived[id]).update(`${id}.${company}.${epoch}`).digest();
  const got = Buffer.from(mac, "base64url");
  if (got.length !== want.length || !timingSafeEqual(got, want)) return undefined;
  return { company, keyID: id, current: id === ring.current };
}

// parse returns the event with the names of an envelope. Ids are text, because a number in JavaScript loses digits.
export function parse(body) {
  const plain = body.replace(/("(?:id|\w+_id)"\s*:\s*)(\d+)/g, '$1"$2"');
  const e = JSON.parse(plain);
  const event = {
    id: e.id, ulid: e.ulid, company_id: e.company_id, project_id: e.project_id, user_id: e.user_id,
    resource: e.resource_name, resource_id: e.resource_id, event_type: e.event_type, timestamp: e.timestamp,
    payload_version: e.api_version, metadata: e.metadata,
  };
  for (const name of ["id", "company_id", "resource", "resource_id", "event_type"]) {
    if (!event[name]) throw new Error(`the event has no ${name}`);
  }
  return event;
}

// put returns the write of the event's item. With a condition it is written once.
export function put(event, body, condition) {
  const resource = `${event.company_id}#${event.resource}#${event.resource_id}`;
  const now = Date.now();
  return new PutItemCommand({
    TableName: process.env.INBOX_TABLE,
    ConditionExpression: condition,
    Item: {
      resource: { S: resource },
      event_id: { S: event.id },
      group_id: { S: encodeURIComponent(resource) },
      dedup_id: { S: encodeURIComponent(`${event.company_id}#${event.id}`) },
      envelope: { S: JSON.stringify(event) },
      body: { B: Buffer.from(body) },
      payload_version: { S: event.payload_version },
      ulid: { S: event.ulid },
      happened_at_ms: { N: String(Date.parse(event.timestamp)) },
      company_id: { S: event.company_id },
      received_at_ms: { N: String(now) },
      ttl: { N: String(Math.floor(now / 1000) + life) },
    },
  });
}
