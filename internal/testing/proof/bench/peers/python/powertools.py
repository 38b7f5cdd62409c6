"""The webhook receiver with Powertools' idempotency and logger, as its documentation shows them.

https://docs.powertools.aws.dev/lambda/python/latest/utilities/idempotency/
"""

import os

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer, IdempotencyConfig, idempotent_function
from receiver import authenticate, database, parse, put

logger = Logger(service="receiver")
config = IdempotencyConfig()
records = DynamoDBPersistenceLayer(table_name=os.environ["IDEMPOTENCY_TABLE"], boto3_client=database)


@idempotent_function(data_keyword_argument="event_id", persistence_store=records, config=config)
def store(event_id, event, body):
    """Powertools' record is what makes the write happen once."""
    put(event, body)
    return {"stored": event_id}


@logger.inject_lambda_context
def handler(request, context):
    config.register_lambda_context(context)
    sender = authenticate(request["headers"].get("authorization", ""))
    if sender is None:
        return {"statusCode": 401}
    event = parse(request["body"])
    store(event_id=event["id"], event=event, body=request["body"])
    logger.info("delivery", company_id=sender["company"], key_id=sender["key_id"], event_id=event["id"],
                resource=event["resource"], outcome="stored")
    return {"statusCode": 200}
