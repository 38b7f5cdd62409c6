package main

import (
	"testing"

	"procore-connect/internal/testing/kit/functiontest"
)

func TestMissingConfiguration(t *testing.T) {
	functiontest.Requires(t, func() error {
		_, err := newAnnouncer()
		return err
	}, "AWS_REGION", "CONNECTIONS_TABLE", "CONNECTIONS_TOPIC_ARN")
}
