// Package dynamotest is an in-process DynamoDB, for tests and for the local stack. The real client of aws-sdk-go-v2
// calls it over the wire:
//
//	client := dynamotest.Start(t)
//
// It supports the operations, parameters, functions and operators that this project uses. It ignores none of the others:
// it refuses them with the service's own errors. A table is ACTIVE at once unless it is restored, an index is never behind its table, every
// read is consistent. Tests can do more than the service allows: Server.Now sets the clock, Server.Expire removes
// expired items, Server.Feed reads the changes as a stream reports them, Server.Intercept makes storage misbehave.
//
// New keeps everything in memory. Open keeps it in a Storage for the next server, and answers only what is durable.
//
// The suite in this directory specifies the behaviour. It runs against any endpoint by DYNAMODB_ENDPOINT.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/Welcome.html
package dynamotest
