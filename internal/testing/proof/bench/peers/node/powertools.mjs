// The webhook receiver with Powertools' idempotency and logger, as its documentation shows them.
// https://docs.powertools.aws.dev/lambda/typescript/latest/features/idempotency/
import { IdempotencyConfig, makeIdempotent } from "@aws-lambda-powertools/idempotency";
import { DynamoDBPersistenceLayer } from "@aws-lambda-powertools/idempotency/dynamodb";
import { Logger } from "@aws-lambda-powertools/logger";
import { authenticate, database, parse, put } from "./receiver.mjs";

const logger = new Logger({ serviceName: "receiver" });
const config = new IdempotencyConfig({});

// Powertools' record is what makes the write happen once.
const store = makeIdempotent(
  async (id, event, body) => {
    await database.send(put(event, body));
    return { stored: id };
  },
  {
    persistenceStore: new DynamoDBPersistenceLayer({ tableName: process.env.IDEMPOTENCY_TABLE, awsSdkV3Client: database }),
    config,
  },
);

export async function handler(request, context) {
  config.registerLambdaContext(context);
  logger.addContext(context);
  const from = await authenticate(request.headers.authorization);
  if (!from) return { statusCode: 401 };
  const event = parse(request.body);
  await store(event.id, event, request.body);
  logger.info("delivery", {
    company_id: from.company, key_id: from.keyID, event_id: event.id, resource: event.resource, outcome: "stored",
  });
  return { statusCode: 200 };
}
