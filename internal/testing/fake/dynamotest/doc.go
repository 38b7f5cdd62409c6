// Package dynamotest is an in-process DynamoDB, for tests and for the local stack. The real client of aws-sdk-go-v2
// speaks to it over the wire:
//
//	client := dynamotest.Start(t)
//
// It knows the operations, parameters, functions and operators that this project uses and refuses all others with the
// service's own errors; none is ignored. A table is ACTIVE at once, an index is never behind its table, every read is
// consistent. What tests ask for beyond the service: Server.Now sets the clock, Server.Expire removes what time to live
// would, Server.Feed reads the changes as a stream would tell them, Server.Intercept makes storage misbehave.
//
// The suite in this directory states the behaviour and runs against any endpoint by DYNAMODB_ENDPOINT.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/Welcome.html
package dynamotest
