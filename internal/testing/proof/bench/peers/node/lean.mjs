// The webhook receiver with AWS's SDK alone.
import { ConditionalCheckFailedException } from "@aws-sdk/client-dynamodb";
import { authenticate, database, parse, put } from "./receiver.mjs";

export async function handler(request, context) {
  const from = await authenticate(request.headers.authorization);
  if (!from) return { statusCode: 401 };
  const event = parse(request.body);
  let outcome = "stored";
  try {
    await database.send(put(event, request.body, "attribute_not_exists(event_id)"));
  } catch (error) {
    if (!(error instanceof ConditionalCheckFailedException)) throw error;
    outcome = "duplicate";
  }
  console.log(JSON.stringify({
    time: new Date().toISOString(), level: "INFO", msg: "delivery", request_id: context.awsRequestId,
    company_id: from.company, key_id: from.keyID, event_id: event.id, resource: event.resource, outcome,
  }));
  return { statusCode: 200 };
}
